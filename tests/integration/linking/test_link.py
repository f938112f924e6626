"""Linking as its users run it, on real servers."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from include.catalog.models import get_model
from include.cli.rollback import What, put_back
from include.elastic.connection import EsConnection, connect
from include.elastic.document_id import document_id
from include.elastic.index_generations import IndexGenerations
from include.errors import ContractError, GateFailed, InputError
from include.linking.workflow import plan, publish, run_shards
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.collection import keyword_table
from include.vector_store.open import open_store
from tests.integration.linking.conftest import PRODUCTS, LinkingStack
from tests.integration.runs import new_run


def test_every_product_gets_its_nearest_keywords_best_first(linking: LinkingStack, product_names: list[str]) -> None:
    summary = linking.link(top_k=30)
    documents = linking.documents()
    assert set(documents) == set(product_names)
    assert summary["counts"] == {"read": PRODUCTS, "written": PRODUCTS, "skipped": {}, "dead": 0}
    assert summary["documents"] == PRODUCTS
    assert summary["gate"]["checked"] == 50
    for name in product_names[:20]:
        scores = [keyword["score"] for keyword in documents[name]["keywords"]]
        assert len(scores) == 30
        assert scores == sorted(scores, reverse=True)


def test_links_are_those_of_an_exact_search_in_double_precision(
    linking: LinkingStack, product_names: list[str]
) -> None:
    linking.link(top_k=10)
    documents = linking.documents()
    names = product_names[:64]
    store = open_store(linking.settings.qdrant_url)
    texts = keyword_table(store, store.resolve("keywords") or "")
    store.close()
    with TritonClient(linking.settings.kserve_url) as client:
        embedder = Embedder(client, get_model("minilm"))
        queries = embedder.embed(names, "query").astype(np.float64)
        vectors = embedder.embed(list(texts.values()), "semantic").astype(np.float64)
    best = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    ids = np.array(list(texts))
    overlap = [
        len({k["keyword_id"] for k in documents[name]["keywords"]} & set(ids[row].tolist())) / 10
        for name, row in zip(names, best, strict=True)
    ]
    assert np.mean(overlap) >= 0.99
    assert all(k["keyword"] == texts[k["keyword_id"]] for name in names for k in documents[name]["keywords"])


def test_every_documented_query_works(linking: LinkingStack, product_names: list[str]) -> None:
    linking.link()
    name = next(name for name in product_names if "hiking backpack" in name)
    with linking.client as client:

        def names(query: dict[str, object], **more: object) -> list[str]:
            found = client.search(index=linking.index, query=query, size=50, **more)
            return [hit["_source"]["product_name"] for hit in found["hits"]["hits"]]

        nested = {"path": "keywords", "query": {"match": {"keywords.keyword": "hiking"}}}
        assert name in names({"match": {"product_name": "hiking backpack"}})
        assert name in names({"term": {"product_name.raw": name}})
        assert names({"nested": nested})
        strong = {
            "bool": {"must": [{"match": {"keywords.keyword": "hiking"}}, {"range": {"keywords.score": {"gte": 0.6}}}]}
        }
        found = client.search(
            index=linking.index, query={"nested": {"path": "keywords", "query": strong, "inner_hits": {}}}, size=5
        )
        hits = found["hits"]["hits"]
        assert hits
        for hit in hits:
            inner = [h["_source"] for h in hit["inner_hits"]["keywords"]["hits"]["hits"]]
            assert inner
            assert all(k["score"] >= 0.6 and "hiking" in k["keyword"] for k in inner)
        raw = {
            "path": "keywords",
            "query": {"term": {"keywords.keyword.raw": hits[0]["_source"]["keywords"][0]["keyword"]}},
        }
        assert hits[0]["_source"]["product_name"] in names({"nested": raw})
        assert client.get(index=linking.index, id=name)["_source"]["product_name"] == name
        assert client.count(index=linking.index)["count"] == PRODUCTS


def test_names_that_break_others_are_linked_or_set_aside_and_counted(linking: LinkingStack) -> None:
    names = ["x" * 10_000, "長" * 171, "🎒 bag", "bell\x07 and nul \x00 inside", "tab\tinside", 'quote " and \\ slash']
    lines = [*names, "", "  ", names[2]]
    path = linking.folder / "odd.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n\xed\xa0\x80\r\n")
    summary = linking.link(products=path)
    assert summary["counts"] == {
        "read": 10,
        "written": 6,
        "skipped": {"blank": 2, "duplicate": 1, "unusable": 1},
        "dead": 0,
    }
    assert len(Path(summary["unusable"]).read_text().splitlines()) == 1
    documents = linking.documents()
    assert {document["product_name"] for document in documents.values()} == set(names)
    assert set(documents) == {document_id(name) for name in names}
    assert all(len(key.encode()) <= 512 for key in documents)


def test_more_keywords_than_there_are_gives_all_there_are(linking: LinkingStack) -> None:
    summary = linking.link(top_k=1000, limit=3)
    assert summary["documents"] == 3
    assert all(len(document["keywords"]) == 1000 for document in linking.documents().values())


def test_a_rerun_of_the_same_run_repeats_no_shard_and_gives_the_same_index(linking: LinkingStack) -> None:
    run = new_run("same")
    first = linking.link(run)
    before = linking.documents()
    assert linking.link(run) == first
    assert linking.documents() == before


def test_a_new_generation_takes_the_name_and_the_one_before_stays_for_a_roll_back(linking: LinkingStack) -> None:
    first = linking.link()
    second = linking.link(limit=100, min_share=0)
    assert second["previous"] == first["generation"]
    assert len(linking.documents()) == 100
    assert len(linking.documents(first["generation"])) == PRODUCTS


def test_a_roll_back_serves_the_generation_before_and_a_newer_build_is_served_again(linking: LinkingStack) -> None:
    settings = linking.settings.model_copy(update={"link_index": linking.index})
    first = linking.link(limit=60)
    linking.link(limit=100)
    assert put_back(What.LINKS, None, settings) == first["generation"]
    assert len(linking.documents()) == 60
    with pytest.raises(InputError, match="has no generation before"):
        put_back(What.LINKS, None, settings)
    linking.link(limit=30)
    assert len(linking.documents()) == 30


def test_the_served_index_is_never_half_built(linking: LinkingStack) -> None:
    linking.link(limit=100)
    build = plan(linking.parameters(), new_run(), linking.settings)
    run_shards(build, range(5), linking.settings)
    assert len(linking.documents()) == 100
    with pytest.raises(ContractError, match=r"Shard 5 of .* is not finished"):
        publish(build, linking.settings)
    assert len(linking.documents()) == 100
    run_shards(build, range(build.input.shards), linking.settings)
    publish(build, linking.settings)
    assert len(linking.documents()) == PRODUCTS


def test_a_late_run_does_not_replace_a_newer_one(linking: LinkingStack) -> None:
    late = plan(linking.parameters(limit=50), new_run(), linking.settings)
    run_shards(late, range(late.input.shards), linking.settings)
    linking.link(limit=100)
    with pytest.raises(ContractError, match="newer"):
        publish(late, linking.settings)
    assert len(linking.documents()) == 100


def test_a_small_limit_left_by_mistake_replaces_no_large_index_unless_it_is_meant(linking: LinkingStack) -> None:
    linking.link()
    words = rf"has 100 rows, served are {PRODUCTS}: .* min_share asks for.* \(limit 100 was given\).* min_share 0"
    with pytest.raises(GateFailed, match=words):
        linking.link(limit=100)
    with linking.client as client:
        assert len(client.indices.get(index=f"{linking.index}__*")) == 1  # it was seen before any work was done
    assert len(linking.documents()) == PRODUCTS
    assert linking.link(limit=100, min_share=0)["documents"] == 100


def test_a_build_that_became_small_beside_what_is_served_by_now_is_not_served(linking: LinkingStack) -> None:
    linking.link(limit=60)
    first = plan(linking.parameters(), new_run(), linking.settings)
    small = plan(linking.parameters(limit=100), new_run(), linking.settings)
    for build in (first, small):
        run_shards(build, range(build.input.shards), linking.settings)
    publish(first, linking.settings)
    with pytest.raises(GateFailed, match=f"{small.generation} has 100 rows, served are {PRODUCTS}"):
        publish(small, linking.settings)
    assert len(linking.documents()) == PRODUCTS


def test_a_full_run_again_after_a_newer_one_is_refused_before_any_work(linking: LinkingStack) -> None:
    old = new_run()
    linking.link(old, limit=10)
    linking.link(new_run(date=old.date + timedelta(days=1)), limit=10)
    with pytest.raises(ContractError, match="newer"):
        plan(linking.parameters(limit=10), old, linking.settings)


def test_a_roll_back_to_an_index_of_another_name_is_refused(linking: LinkingStack) -> None:
    linking.link(limit=10)
    served = linking.served()
    with connect(EsConnection.from_settings(linking.settings)) as client, pytest.raises(InputError, match="no gener"):
        IndexGenerations(client, linking.index).rollback("keywords__20000101t000000000-other000")
    assert linking.served() == served


def test_the_same_run_over_a_corrected_file_links_the_corrected_file(linking: LinkingStack) -> None:
    run = new_run("corrected")
    path = linking.write_products("day.txt", 20)
    linking.link(run, products=path, mode="realtime")
    path.write_text(path.read_text() + "a product that was forgotten\n")
    assert linking.link(run, products=path, mode="realtime")["counts"]["read"] == 21
    assert "a product that was forgotten" in linking.documents()


def test_unchanged_input_resumed_by_another_process_is_the_same_build(
    linking: LinkingStack, caplog: pytest.LogCaptureFixture
) -> None:
    run = new_run("resumed")
    first = plan(linking.parameters(), run, linking.settings)
    run_shards(first, range(4), linking.settings)
    stamps = [first.shard(i).manifest.stat().st_mtime_ns for i in range(4)]
    again = plan(linking.parameters(), run, linking.settings)
    assert again.uri == first.uri
    with caplog.at_level("INFO", "include.linking.progress"):
        run_shards(again, range(again.input.shards), linking.settings)
    assert caplog.messages[-1].startswith(f"{PRODUCTS}/{PRODUCTS} (100.0%)")  # with what was done before
    assert [again.shard(i).manifest.stat().st_mtime_ns for i in range(4)] == stamps


def test_a_collection_of_another_model_is_refused(linking: LinkingStack, tmp_path: Path) -> None:
    store = open_store(f"exact:{tmp_path / 'other'}")
    store.begin("keywords__20260101t000000-aaaaaaaa", dimension=384, model="other", model_fingerprint="f" * 64)
    store.upsert("keywords__20260101t000000-aaaaaaaa", np.array([1]), np.eye(1, 384, dtype=np.float32), ["one"])
    store.seal("keywords__20260101t000000-aaaaaaaa", expected=1)
    store.promote("keywords", "keywords__20260101t000000-aaaaaaaa")
    store.close()
    parameters = linking.parameters().model_copy(update={"qdrant_url": f"exact:{tmp_path / 'other'}"})
    with pytest.raises(ContractError, match=r"holds vectors of other \(ffff.*neither as minilm nor beside it"):
        plan(parameters, new_run(), linking.settings)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"collection": "nothing-here"}, "No collection 'nothing-here' is served. Index keywords first"),
        ({"products": "/nowhere/products.txt"}, "/nowhere/products.txt does not exist"),
    ],
)
def test_what_is_missing_is_named_with_the_remedy(linking: LinkingStack, values: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        plan(linking.parameters(**values), new_run(), linking.settings)


def test_a_model_that_is_not_served_is_named_with_those_that_are(linking: LinkingStack) -> None:
    parameters = linking.parameters().model_copy(update={"model": "ruri_v3"})
    with pytest.raises(InputError, match=r"does not serve model 'ruri_v3'. Ready models: minilm"):
        plan(parameters, new_run(), linking.settings)
