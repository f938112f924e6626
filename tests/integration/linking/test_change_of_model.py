"""A change of model, from the deploy to the links made anew, while people search all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from include.errors import ContractError
from include.keywords import vectors
from include.keywords.parameters import VectorIndexParameters
from include.linking.workflow import plan, publish, run_shards
from include.needed_models import needed_models
from include.settings import Settings
from include.sources.generators import generate
from include.triton.beside import needed_fingerprints
from include.triton.deploy import deploy
from include.workflow import run_workflow
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.linking.conftest import LinkingStack
from tests.integration.linking.shop import LONG, QUERY, Shop, mixed, scores, searching
from tests.integration.runs import new_run
from tests.integration.triton_server import TritonServer, changed, own_triton, serve_only


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    with own_triton(tmp_path_factory.mktemp("change")) as made:
        yield made


@pytest.fixture
def shop(
    own_server: TritonServer, exported_minilm: Path, elasticsearch: ElasticsearchServer, tmp_path: Path
) -> Iterator[Shop]:
    """Keywords indexed and products linked by the demo model."""
    serve_only(exported_minilm, own_server.settings)
    settings = Settings(
        **{
            **own_server.settings.model_dump(),
            "state_dir": tmp_path / "state",
            "qdrant_url": f"edge:{tmp_path / 'qdrant'}",
            "es_url": elasticsearch.service.url,
            "model": "minilm",
            "link_shard_rows": 32,
        }
    )
    names = [*generate("keywords", 200, language="en", seed=0), *LONG]
    (tmp_path / "keywords.txt").write_text("\n".join(names), encoding="utf-8")
    links = LinkingStack(settings, f"links-{uuid4().hex[:8]}", tmp_path)
    links.write_products("products.txt", 94)
    with (tmp_path / "products.txt").open("a", encoding="utf-8") as products:
        products.write("\n".join(["", QUERY, LONG[3]]))
    made = Shop(
        links,
        VectorIndexParameters(
            input=str(tmp_path / "keywords.txt"), model="minilm", qdrant_url=settings.qdrant_url,
            kserve_url=settings.kserve_url,
        ),
    )  # fmt: skip
    made.index()
    links.link()
    yield made
    with links.client as client:
        for index in client.indices.get(index=f"{links.index}__*"):
            client.indices.delete(index=index)


@pytest.fixture
def deploy_another(shop: Shop, exported_minilm: Path, tmp_path: Path) -> Callable[..., str]:
    """Serve the model with another token limit, so with another fingerprint, which it returns."""
    export = changed(exported_minilm, tmp_path / "shorter", max_length=128)
    return lambda needed=(), **chosen: (
        deploy(export, shop.settings.model_copy(update=chosen), needed=needed).fingerprint
    )


def test_a_change_of_model_under_load_fails_no_search_and_no_answer_mixes_two_models(
    shop: Shop, deploy_another: Callable[..., str]
) -> None:
    old, generation = shop.search(), shop.index()["generation"]
    with searching(shop) as searches:
        fingerprint = deploy_another()
        searches.wait_for_more()
        assert set(searches.answered) == {old}  # until the keywords are made anew, the old pair serves
        keywords = shop.index()
        searches.wait_for_more()
        links = shop.links.link()

    new = shop.search()
    assert keywords["model_fingerprint"] == fingerprint
    assert links["keyword_generation"] == keywords["generation"]
    assert searches.answered.keys() == {old, new}
    assert len({old, new, mixed(shop, generation)}) == 3  # so what was searched for tells the pair that answered
    assert scores(shop)[QUERY][:5] == pytest.approx([score for _, score in new], abs=0.002)


def test_deploys_that_follow_each_other_before_keywords_are_indexed_anew_fail_no_search(
    shop: Shop, deploy_another: Callable[..., str], exported_minilm: Path, tmp_path: Path
) -> None:
    old = shop.search()
    with searching(shop) as searches:
        deploy_another(needed_fingerprints(shop.settings), triton_beside=0)
        for length in (100, 101):
            export = changed(exported_minilm, tmp_path / str(length), max_length=length)
            done = deploy(export, shop.settings, needed=needed_fingerprints(shop.settings))
        searches.wait_for_more()
        assert set(searches.answered) == {old}
        keywords = shop.index()

    assert keywords["model_fingerprint"] == done.fingerprint
    assert needed_fingerprints(shop.settings) == {done.fingerprint}
    assert shop.search() != old


def test_days_are_linked_until_all_products_are_linked_anew_whatever_is_deployed_and_indexed_meanwhile(
    shop: Shop, deploy_another: Callable[..., str], exported_minilm: Path, tmp_path: Path
) -> None:
    first, alone = shop.links.link(), {"triton_beside": 0}
    (made_by,) = needed_models(shop.settings) or ()
    deploy_another(needed_models(shop.settings), **alone)
    shop.index()
    for length in (100, 101):
        export = changed(exported_minilm, tmp_path / str(length), max_length=length)
        done = deploy(export, shop.settings.model_copy(update=alone), needed=needed_models(shop.settings))
        shop.index()

    assert needed_models(shop.settings) == {made_by, done.fingerprint}
    shop.links.write_products("day.txt", 20, seed=7)
    day = shop.links.link(products=shop.links.folder / "day.txt", mode="realtime")
    assert day["keyword_generation"] == first["keyword_generation"]

    shop.links.link(keep_others=True)
    assert needed_models(shop.settings) == {done.fingerprint}


def test_what_builds_under_way_were_begun_with_is_needed_and_a_store_that_is_away_needs_all(
    shop: Shop, deploy_another: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    (first,) = needed_fingerprints(shop.settings) or ()
    fingerprint = deploy_another()
    vectors.plan(shop.parameters.model_copy(update={"limit": 219}), new_run(), shop.settings)

    assert needed_fingerprints(shop.settings) == {first, fingerprint}
    assert needed_fingerprints(shop.settings.model_copy(update={"qdrant_url": "http://127.0.0.1:9"})) is None
    assert "all that are loaded stay" in caplog.text


def test_a_linking_that_meets_a_deploy_ends_with_the_model_that_it_began_with(
    shop: Shop, deploy_another: Callable[..., str]
) -> None:
    before = scores(shop)
    build = plan(shop.links.parameters(), new_run(), shop.settings)
    run_shards(build, [0], shop.settings)
    deploy_another()
    run_shards(build, range(build.input.shards), shop.settings)
    publish(build, shop.settings)

    after = scores(shop)
    assert after.keys() == before.keys()
    assert all(after[name] == pytest.approx(before[name], abs=1e-4) for name in before)


def test_an_indexing_that_meets_a_deploy_ends_with_the_model_that_it_began_with(
    shop: Shop, deploy_another: Callable[..., str]
) -> None:
    before = shop.search()
    other = shop.parameters.model_copy(update={"limit": 219})  # so that it is another build
    build = vectors.plan(other, new_run(), shop.settings)
    fingerprint = deploy_another()
    vectors.run_shards(build, range(build.input.shards), shop.settings)
    summary = vectors.publish(build, shop.settings)

    assert summary["model_fingerprint"] != fingerprint
    assert shop.search() == before


def test_where_the_model_of_a_collection_is_served_no_more_everything_that_needs_it_says_so(
    shop: Shop, deploy_another: Callable[..., str]
) -> None:
    fewer, run = shop.parameters.model_copy(update={"limit": 100, "min_share": 0.0}), new_run()
    begun = vectors.plan(fewer, run, shop.settings)
    assert vectors.plan(fewer, run, shop.settings).uri == begun.uri
    links_run = new_run()
    linking = plan(shop.links.parameters(), links_run, shop.settings)
    deploy_another(triton_beside=0)

    refused = r"keywords__.* holds vectors of minilm .*neither as minilm nor beside it.*index-vectors.*rollback model"
    with pytest.raises(ContractError, match=refused):
        shop.search()
    with pytest.raises(ContractError, match=refused):
        shop.links.link()
    with pytest.raises(ContractError, match=refused):
        shop.links.link(mode="realtime")
    with pytest.raises(ContractError, match="begun with another version of minilm than Triton serves now"):
        run_shards(linking, range(linking.input.shards), shop.settings)
    with pytest.raises(ContractError, match="begun with another version of minilm than Triton serves now"):
        vectors.run_shards(begun, range(begun.input.shards), shop.settings)

    cleared = run_workflow("include.keywords.vectors", fewer, run, shop.settings)[1]  # a run that begins anew
    assert cleared["generation"] != begun.generation
    assert shop.links.link(links_run)["keyword_generation"] == cleared["generation"]
