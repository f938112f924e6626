"""Products that the input of a full build has not got: those that come in meanwhile, and those that are to be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from include.elastic.comparison import last_write, texts
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import LINK_MAPPING
from include.elastic.parameters import ReplayParameters
from include.elastic.replay import NOT_PUBLISHED, replay_dead_letters
from include.linking.others import Others
from include.linking.workflow import plan, publish, run_shards
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds
from tests.integration.elasticsearch_server import SecuredElasticsearch
from tests.integration.linking.conftest import PRODUCTS, LinkingStack
from tests.integration.runs import new_run


def lines(path: Path) -> set[str]:
    return set(path.read_text(encoding="utf-8").splitlines())


@pytest.fixture
def late(linking: LinkingStack) -> Path:
    """Products of a day, none of which is in the product file."""
    return linking.write_products("late.txt", 40, seed=7)


def test_what_came_in_during_a_full_build_is_in_the_new_generation_too(linking: LinkingStack, late: Path) -> None:
    linking.link(limit=10)
    build = plan(linking.parameters(), new_run(), linking.settings)
    run_shards(build, range(3), linking.settings)
    linking.link(products=late, mode="realtime")
    run_shards(build, range(build.input.shards), linking.settings)
    summary = publish(build, linking.settings)
    assert summary["documents"] == PRODUCTS + 40
    assert lines(late) <= set(linking.documents())


def test_a_daily_run_published_after_a_full_build_linked_its_products_anew_is_right(
    linking: LinkingStack, late: Path
) -> None:
    linking.link(limit=10)
    full = plan(linking.parameters(), new_run(), linking.settings)
    daily = plan(linking.parameters(products=late, mode="realtime", top_k=3), new_run(), linking.settings)
    run_shards(daily, range(daily.input.shards), linking.settings)
    run_shards(full, range(full.input.shards), linking.settings)
    kept = publish(full, linking.settings)["kept_others"]
    assert (kept["read"], kept["written"]) == (40, 40)
    assert publish(daily, linking.settings)["generation"] == full.generation


def test_products_of_an_older_model_and_a_pruned_collection_are_caught_up_all_the_same(
    linking: LinkingStack, late: Path
) -> None:
    linking.link(limit=10)
    build = plan(linking.parameters(), new_run(), linking.settings)
    linking.link(products=late, mode="realtime")
    (daily,) = all_builds(linking.settings, "links-realtime", linking.index)
    facts = {
        **daily.facts,
        "model_fingerprint": "f" * 64,
        "keyword_generation": "keywords__20000101t000000000-gone0000",
    }
    plan_file = daily.folder.read_plan()
    assert plan_file is not None
    daily.folder.write_plan({**plan_file, "facts": facts})
    run_shards(build, range(build.input.shards), linking.settings)
    assert publish(build, linking.settings)["documents"] == PRODUCTS + 40


def test_a_publish_that_was_interrupted_after_catching_up_can_be_repeated(
    linking: LinkingStack, late: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking.link(limit=10)
    build = plan(linking.parameters(), new_run(), linking.settings)
    linking.link(products=late, mode="realtime")
    served = linking.served()
    run_shards(build, range(build.input.shards), linking.settings)
    for step in ("promote", "prune"):  # before the name is taken, and after it

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(IndexGenerations, step, interrupted)
            publish(build, linking.settings)
    summary = publish(build, linking.settings)
    assert summary["documents"] == PRODUCTS + 40
    assert summary["generation"] == build.generation
    assert summary["previous"] == served


def test_a_publish_that_is_repeated_after_the_name_has_moved_tells_what_the_first_try_kept_and_dropped(
    linking: LinkingStack, late: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking.link(limit=60)
    build = plan(linking.parameters(limit=50), new_run(), linking.settings)
    run_shards(build, range(build.input.shards), linking.settings)
    take_most = Others.take_most
    later = linking.write_products("later.txt", 10, seed=8)
    days = iter([late, later])

    def and_then_a_day_comes_in(others: Others) -> None:
        take_most(others)
        linking.link(products=next(days), mode="realtime")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("promote", "prune"):  # before the name is taken, and after it
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Others, "take_most", and_then_a_day_comes_in)
            patch.setattr(IndexGenerations, step, interrupted)
            publish(build, linking.settings)
    summary = publish(build, linking.settings)
    came_in = len((lines(late) | lines(later)) - {row.text for n in range(build.input.shards) for row in build.rows(n)})
    assert came_in > 40
    assert summary["kept_others"] == {"read": came_in, "written": came_in, "skipped": {}, "dead": 0}
    assert summary["documents"] == 50 + came_in


def test_a_publish_that_is_repeated_after_all_was_dropped_tells_how_many_products_left(
    linking: LinkingStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking.link(limit=60)
    build = plan(linking.parameters(limit=50), new_run(), linking.settings)
    run_shards(build, range(build.input.shards), linking.settings)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Build, "mark_published", interrupted)
        publish(build, linking.settings)
    with linking.client as client:  # as two more builds would do
        client.indices.delete(index=build.previous(build.generation))
    assert publish(build, linking.settings)["dropped"] == 10


def test_a_full_build_begun_before_the_first_daily_run_is_served_in_the_end(linking: LinkingStack) -> None:
    build = plan(linking.parameters(), new_run(), linking.settings)
    linking.link(mode="realtime", limit=5)
    run_shards(build, range(build.input.shards), linking.settings)
    assert publish(build, linking.settings)["documents"] == PRODUCTS


def test_what_only_daily_files_brought_leaves_with_the_old_index_and_is_counted(
    linking: LinkingStack, late: Path, caplog: pytest.LogCaptureFixture
) -> None:
    linking.link(limit=60)
    linking.link(products=late, mode="realtime")
    summary = linking.link(limit=50)
    assert summary["dropped"] == 50
    assert summary["kept_others"] == {"read": 0, "written": 0, "skipped": {}, "dead": 0}
    assert "50 products that were served before are not in" in caplog.text
    assert len(linking.documents()) == 50


def test_others_are_linked_anew_and_kept_when_that_is_asked_for(
    linking: LinkingStack, late: Path, caplog: pytest.LogCaptureFixture
) -> None:
    linking.link(limit=60, top_k=5)
    linking.link(products=late, mode="realtime", top_k=4)
    before = linking.documents()
    summary = linking.link(limit=20, top_k=3, keep_others=True)
    assert summary["kept_others"] == {"read": 80, "written": 80, "skipped": {}, "dead": 0}
    assert (summary["dropped"], summary["documents"], summary["counts"]["read"]) == (0, 100, 20)
    assert "that were served before are not in" not in caplog.text
    after = linking.documents()
    assert after.keys() == before.keys()
    assert all(document["keywords"] == before[name]["keywords"][:3] for name, document in after.items())


@pytest.mark.parametrize("keep_others", [False, True])
def test_what_comes_in_while_the_others_are_linked_is_in_the_new_generation_too(
    linking: LinkingStack, late: Path, monkeypatch: pytest.MonkeyPatch, *, keep_others: bool
) -> None:
    linking.link(limit=60)
    take_most = Others.take_most

    def and_then_a_day_comes_in(others: Others) -> None:
        take_most(others)
        linking.link(products=late, mode="realtime")

    monkeypatch.setattr(Others, "take_most", and_then_a_day_comes_in)
    summary = linking.link(limit=60, keep_others=keep_others)
    assert summary["kept_others"]["written"] == 40
    assert lines(late) <= set(linking.documents())


def test_what_others_wrote_into_the_index_while_it_is_replaced_is_kept_too(
    linking: LinkingStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    linking.link(limit=60)
    take_most = Others.take_most

    def and_then_somebody_writes(others: Others) -> None:
        take_most(others)
        with linking.client as client:
            client.index(index=linking.index, id="by hand", document={"product_name": "by hand", "keywords": []})

    monkeypatch.setattr(Others, "take_most", and_then_somebody_writes)
    linking.link(limit=60, keep_others=True)
    assert linking.documents()["by hand"]["keywords"]


def test_an_index_is_read_in_pages_and_after_a_write_only_what_followed_it(linking: LinkingStack) -> None:
    settings = Settings(**{**linking.settings.model_dump(), "es_shards": 3})
    stack = LinkingStack(settings, linking.index, linking.folder)
    stack.link(limit=60)
    with stack.client as client:
        served = stack.served() or ""

        def read(**since: int) -> list[str]:
            return [name for page in texts(client, served, "product_name", page=7, **since) for name in page]

        assert sorted(read()) == sorted(stack.documents())
        before = last_write(client, served)
        for number in range(3):
            client.index(index=served, id=f"new {number}", document={"product_name": f"new {number}", "keywords": []})
        found = read(since=before)
        assert {"new 0", "new 1", "new 2"} <= set(found)
        assert len(found) < 63


def test_daily_runs_into_the_same_name_on_another_server_are_neither_taken_over_nor_pruned(
    linking: LinkingStack, late: Path, secured_elasticsearch: SecuredElasticsearch
) -> None:
    connection = secured_elasticsearch.connection
    server: dict[str, Any] = {
        "es_url": connection.hosts[0], "es_user": connection.user, "es_password": SecretStr(connection.password or ""),
        "es_ca_certs": connection.ca_certs,
    }  # fmt: skip
    elsewhere = LinkingStack(Settings(**{**linking.settings.model_dump(), **server}), linking.index, linking.folder)
    linking.link(limit=10)
    there = elsewhere.link(limit=10)
    build = plan(linking.parameters(limit=20), new_run(), linking.settings)
    elsewhere.link(products=late, mode="realtime")
    run_shards(build, range(build.input.shards), linking.settings)
    assert publish(build, linking.settings)["documents"] == 20
    assert elsewhere.served() == there["generation"]
    left = {found.generation for found in all_builds(linking.settings, "links", linking.index)}
    assert there["generation"] in left
    with elsewhere.client as client:
        client.indices.delete(index=there["generation"])


def test_a_product_to_be_kept_that_the_new_index_refuses_is_a_dead_letter_for_when_it_is_served(
    linking: LinkingStack,
) -> None:
    linking.link(limit=10)
    build = plan(linking.parameters(limit=20), new_run(), linking.settings)
    name = LINK_MAPPING["properties"]["product_name"]

    def keep_raw_names_up_to(characters: int) -> None:
        raw = {"raw": {"type": "keyword", "ignore_above": characters}}
        with linking.client as client:
            client.indices.put_mapping(index=build.generation, properties={"product_name": {**name, "fields": raw}})

    keep_raw_names_up_to(100_000)  # more than one term may have
    (linking.folder / "long.txt").write_text("tent " * 8_000 + "\nrain jacket\n")
    linking.link(products=linking.folder / "long.txt", mode="realtime")
    run_shards(build, range(build.input.shards), linking.settings)
    summary = publish(build, linking.settings)
    assert summary["kept_others"] == {"read": 2, "written": 1, "skipped": {}, "dead": 1}
    assert (summary["documents"], summary["run"]) == (21, build.generation)

    keep_raw_names_up_to(8191)
    again = ReplayParameters(run=summary["run"], dry_run=False, es_url=linking.settings.es_url)
    assert replay_dead_letters(again, linking.settings)["indexed"] == 1
    assert len(linking.documents()) == 22


def test_letters_of_a_build_that_is_not_published_do_not_spoil_its_count(linking: LinkingStack) -> None:
    (linking.folder / "long.txt").write_text("tent " * 8_000 + "\nrain jacket\n")
    build = plan(linking.parameters(products=linking.folder / "long.txt"), new_run(), linking.settings)
    name = LINK_MAPPING["properties"]["product_name"]

    def keep_raw_names_up_to(characters: int) -> None:
        raw = {"raw": {"type": "keyword", "ignore_above": characters}}
        with linking.client as client:
            client.indices.put_mapping(index=build.generation, properties={"product_name": {**name, "fields": raw}})

    keep_raw_names_up_to(100_000)
    run_shards(build, [0], linking.settings)
    keep_raw_names_up_to(8191)
    again = ReplayParameters(run=build.generation, dry_run=False, es_url=linking.settings.es_url)
    told = replay_dead_letters(again, linking.settings)
    assert (told["indexed"], told["skipped"], told["dead"]) == (0, {NOT_PUBLISHED: 1}, 0)
    assert publish(build, linking.settings)["documents"] == 1
    assert replay_dead_letters(again, linking.settings)["indexed"] == 1
    assert len(linking.documents()) == 2
