"""Linking into the served index: at once, with the keywords that its links lead to already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from include.elastic.locks import writing_index
from include.errors import ContractError
from include.generations.names import alias_of
from include.keywords.parameters import VectorIndexParameters
from include.linking.workflow import plan, publish, run_shards
from include.sources.builds import all_builds
from include.vector_store.open import open_store
from include.workflow import run_workflow
from tests.integration.linking.conftest import SHARD_ROWS, LinkingStack
from tests.integration.runs import new_run, stamps

OLD, NEW, NEWER = (
    [f"{word} {number}" for number in range(20)] for word in ("hiking backpack", "rain jacket", "camping tent")
)


@pytest.fixture
def late(linking: LinkingStack) -> Path:
    """Products of a day, for two shards."""
    return linking.write_products("late.txt", 2 * SHARD_ROWS, seed=7)


def test_realtime_adds_to_the_served_index_and_each_batch_is_searchable_at_once(linking: LinkingStack) -> None:
    linking.link(limit=100)
    more = linking.write_products("more.txt", 70, seed=9)
    seen: list[int] = []
    build = plan(linking.parameters(products=more, mode="realtime"), new_run(), linking.settings)
    with linking.client as client:
        for shard in range(build.input.shards):
            run_shards(build, [shard], linking.settings)
            seen.append(client.count(index=linking.index)["count"])  # no refresh here
    assert seen == [100 + SHARD_ROWS, 100 + 2 * SHARD_ROWS, 170]
    assert publish(build, linking.settings)["counts"]["written"] == 70


def test_realtime_creates_the_index_when_there_is_none(linking: LinkingStack) -> None:
    summary = linking.link(mode="realtime", limit=40)
    assert summary["documents"] == 40
    assert summary["generation"].startswith(f"{linking.index}__")


def test_an_older_day_never_replaces_what_a_newer_run_wrote(linking: LinkingStack) -> None:
    today = datetime.now(UTC)
    linking.link(new_run(date=today), limit=100)
    before = linking.documents()
    late = linking.link(new_run(date=today - timedelta(days=2)), mode="realtime", limit=100, top_k=3)
    assert late["counts"]["written"] == 0
    assert sum(late["counts"]["skipped"].values()) == 100
    assert linking.documents() == before


def test_a_day_that_is_run_again_after_a_full_build_without_it_is_linked_again(linking: LinkingStack) -> None:
    linking.link(limit=10, min_share=0)
    day = new_run()
    late = linking.write_products("late.txt", 40, seed=7)
    names = set(late.read_text().split("\n")) - {""}
    linking.link(day, products=late, mode="realtime")
    linking.link(new_run(date=day.date + timedelta(days=1)), limit=200, min_share=0)
    assert not names & set(linking.documents())
    assert linking.link(day, products=late, mode="realtime")["counts"]["written"] == 40
    assert names <= set(linking.documents())
    assert linking.link(day, products=late, mode="realtime")["counts"]["written"] == 40
    assert len(list(all_builds(linking.settings, "links-realtime", linking.index))) == 2


@pytest.fixture
def collection(linking: LinkingStack) -> str:
    return f"keywords-{uuid4().hex[:8]}"


@pytest.fixture
def index_keywords(linking: LinkingStack, collection: str) -> Callable[[Sequence[str]], str]:
    """Serve these keywords, and no others, in a collection of the test's own; return the generation."""

    def index(keywords: Sequence[str]) -> str:
        path = linking.folder / "keywords.txt"
        path.write_text("\n".join(keywords))
        parameters = VectorIndexParameters(
            input=str(path), model="minilm", collection=collection, qdrant_url=linking.settings.qdrant_url,
            kserve_url=linking.settings.kserve_url,
        )  # fmt: skip
        done: str = run_workflow("include.keywords.vectors", parameters, new_run(), linking.settings)[1]["generation"]
        return done

    return index


Index = Callable[[Sequence[str]], str]


def linked_to(linking: LinkingStack) -> set[str]:
    return {keyword["keyword"] for document in linking.documents().values() for keyword in document["keywords"]}


def test_links_of_a_day_are_to_the_keywords_of_the_index_that_is_served_when_each_shard_is_linked(
    linking: LinkingStack, late: Path, collection: str, index_keywords: Index
) -> None:
    index_keywords(OLD)
    linking.link(limit=10, collection=collection)
    day: dict[str, Any] = {"products": late, "mode": "realtime", "collection": collection}
    build = plan(linking.parameters(**day), new_run(), linking.settings)
    run_shards(build, [0], linking.settings)
    assert linked_to(linking) <= set(OLD)
    new = index_keywords(NEW)
    linking.link(limit=10, collection=collection, keep_others=True)
    run_shards(build, [1], linking.settings)
    assert linked_to(linking) <= set(NEW)
    summary = publish(build, linking.settings)
    assert (summary["keyword_generation"], summary["documents"]) == (new, 10 + 2 * SHARD_ROWS)


def test_until_all_products_are_linked_to_new_keywords_a_day_is_linked_to_those_of_the_index(
    linking: LinkingStack, late: Path, collection: str, index_keywords: Index
) -> None:
    old = index_keywords(OLD)
    linking.link(limit=10, collection=collection)
    index_keywords(NEW)
    assert linking.link(products=late, mode="realtime", collection=collection)["keyword_generation"] == old
    assert linked_to(linking) <= set(OLD)


def test_keywords_that_the_index_links_to_stay_until_all_products_are_linked_anew(
    linking: LinkingStack, late: Path, collection: str, index_keywords: Index
) -> None:
    old = index_keywords(OLD)
    linking.link(limit=10, collection=collection)
    index_keywords(NEW)
    newer = index_keywords(NEWER)  # two generations are kept
    day = linking.link(products=late, mode="realtime", collection=collection)
    assert day["keyword_generation"] == old
    assert linked_to(linking) <= set(OLD)

    assert linking.link(limit=10, collection=collection, keep_others=True)["keyword_generation"] == newer
    newest = index_keywords(OLD)
    with closing(open_store(linking.settings.qdrant_url)) as store:
        assert store.generations(collection) == [newer, newest]


def drop_old_keywords(linking: LinkingStack, index_keywords: Index) -> str:
    """Serve newer keywords, and let somebody take away those before; return the newest generation."""
    old = index_keywords(NEW)
    newest = index_keywords(NEWER)
    with closing(open_store(linking.settings.qdrant_url)) as store:
        for generation in store.generations(alias_of(old)):
            store.drop(generation)  # spares the served one
    return newest


def test_where_the_keywords_of_the_index_are_gone_a_day_is_refused_with_the_remedy(
    linking: LinkingStack, late: Path, collection: str, index_keywords: Index
) -> None:
    index_keywords(OLD)
    linking.link(limit=10, collection=collection)
    day: dict[str, Any] = {"products": late, "mode": "realtime", "collection": collection}
    build = plan(linking.parameters(**day), new_run(), linking.settings)
    drop_old_keywords(linking, index_keywords)
    gone = f"links to {collection}__.*, which is not at .* any more. Link all products anew: DAG product_linking"
    with pytest.raises(ContractError, match=gone):
        run_shards(build, [0], linking.settings)
    with pytest.raises(ContractError, match=gone):
        linking.link(**day)
    linking.link(limit=10, collection=collection)
    run_shards(build, range(build.input.shards), linking.settings)
    publish(build, linking.settings)
    assert linked_to(linking) <= set(NEWER)


def test_a_day_with_another_collection_than_the_index_links_to_is_refused(
    linking: LinkingStack, late: Path, collection: str, index_keywords: Index
) -> None:
    linking.link(limit=10)
    index_keywords(OLD)
    with pytest.raises(ContractError, match=f"links to keywords of 'keywords', not of '{collection}'"):
        linking.link(products=late, mode="realtime", collection=collection)


def test_a_run_begun_with_keywords_that_are_gone_begins_anew_when_it_is_cleared(
    linking: LinkingStack, collection: str, index_keywords: Index
) -> None:
    run = new_run("cleared")
    index_keywords(OLD)
    begun = plan(linking.parameters(limit=40, collection=collection), run, linking.settings)
    run_shards(begun, [0], linking.settings)
    index_keywords(NEW)
    assert plan(linking.parameters(limit=40, collection=collection), run, linking.settings).uri == begun.uri
    newest = index_keywords(NEWER)
    summary = linking.link(run, limit=40, collection=collection)
    assert alias_of(summary["generation"]) == linking.index
    assert summary["generation"] != begun.generation
    assert (summary["keyword_generation"], summary["documents"]) == (newest, 40)
    assert linking.link(run, limit=40, collection=collection) == summary


def test_a_day_is_planned_while_others_write_and_its_index_may_be_replaced_between_two_shards(
    linking: LinkingStack,
) -> None:
    linking.link(limit=10)
    many = linking.write_products("many.txt", 20 * SHARD_ROWS, seed=7)
    with writing_index(linking.settings, linking.index, purpose="a writer", alone=False):
        build = plan(linking.parameters(products=many, mode="realtime"), new_run(), linking.settings)
    began = threading.Event()
    finish = build.finish_shard

    def told(*arguments: Any, **named: Any) -> Any:
        done = finish(*arguments, **named)
        began.set()
        return done

    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(build), "finish_shard", lambda _, *arguments, **named: told(*arguments, **named))
        linking_all = pool.submit(run_shards, build, range(build.input.shards), linking.settings)
        assert began.wait(60)
        with writing_index(linking.settings, linking.index, purpose="publish", alone=True):
            assert len(stamps(build)) < build.input.shards
        assert linking_all.result().written == 20 * SHARD_ROWS
    publish(build, linking.settings)
