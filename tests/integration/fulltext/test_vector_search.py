"""Documents found by meaning, and by both: real vectors by Triton, a store of vectors, a real Elasticsearch."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.catalog.models import get_model
from include.errors import ContractError, InputError, ServiceUnavailable
from include.fulltext.parameters import DocumentSearchParameters
from include.fulltext.places import vectors_of
from include.fulltext.results import DocumentWithScore, Runner
from include.fulltext.runners import open_runner
from include.local_stack.ports import free_ports
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.open import open_store
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.six_documents import ids, seed
from tests.integration.fulltext.test_search_faults import hanging
from tests.integration.triton_server import TritonServer

READERS = 8
DOCUMENTS = {
    "tent": ("Tents", "A shelter for camping in the mountains.", "a"),
    "kettle": ("Kettles", "An appliance that boils water for tea.", "a"),
    "shoes": ("Shoes", "Footwear for walking long trails.", "b"),
    "copy": ("Shoes again", "Footwear for walking long trails.", "a"),
}


def index_vectors(library: Library, triton: TritonServer, url: str, number: int = 1) -> None:
    """The vectors of all chunks that are live, as a new generation."""
    texts = sorted({chunk["content"] for source in library.documents().values() for chunk in source["chunks"]})
    store, alias = open_store(url), vectors_of(library.collection)
    generation = f"{alias}__g{number}"
    with TritonClient(triton.settings.kserve_url, deadline_seconds=30) as client:
        embedder = Embedder(client, get_model("minilm"))
        store.begin(generation, dimension=384, model="minilm", model_fingerprint=embedder.fingerprint)
        store.upsert(generation, np.arange(len(texts)), embedder.embed(texts, "semantic"), texts)
    store.seal(generation, expected=len(texts))
    store.promote(alias, generation)
    store.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"exact:{tmp_path / 'vectors'}"


@pytest.fixture
def seeded(library: Library, served_minilm: TritonServer, url: str) -> Library:
    seed(library, DOCUMENTS, chunk_size=200)
    index_vectors(library, served_minilm, url)
    return library


@contextmanager
def runner(
    library: Library, triton: TritonServer, url: str, mode: str = "vector", *, seconds: float = 60.0, **values: Any
) -> Iterator[Runner]:
    given = {
        "mode": mode, "collection": library.collection, "faults": "strict", "model": "minilm", "qdrant_url": url,
        "kserve_url": triton.settings.kserve_url, "es_url": library.settings.es_url,
    }  # fmt: skip
    settings = library.settings.model_copy(update={"fulltext_timeout_seconds": seconds})
    with open_runner(DocumentSearchParameters(**{**given, **values}), settings) as found:
        yield found


def scores(found: list[DocumentWithScore]) -> list[float]:
    return [one.score for one in found]


def test_what_means_the_same_is_found_without_a_common_word(
    seeded: Library, served_minilm: TritonServer, url: str
) -> None:
    with runner(seeded, served_minilm, url) as vector:
        found = vector.search("somewhere to sleep outdoors", 2)
        assert ids(found)[0] == "tent"
        assert found[0].metadata["recall_type"] == "vector_search"
        assert found[0].metadata["chunk_id"] == "tent:0"
        assert 0 < found[0].score <= 1
        assert scores(found) == sorted(scores(found), reverse=True)


def test_a_text_that_stands_in_two_documents_is_found_in_both(
    seeded: Library, served_minilm: TritonServer, url: str
) -> None:
    with runner(seeded, served_minilm, url) as vector:
        found = vector.search("hiking boots", 2)
        assert ids(found) == ["copy", "shoes"]
        assert found[0].score == found[1].score
        assert ids(vector.search("hiking boots", 2, {"chat_id": "b"})) == ["shoes"]


def test_texts_that_were_deleted_or_changed_since_the_vectors_were_made_drop_out(
    seeded: Library, served_minilm: TritonServer, url: str
) -> None:
    seeded.delete("copy")
    with runner(seeded, served_minilm, url) as vector:
        assert sorted(ids(vector.search("hiking boots", 10))) == ["kettle", "shoes", "tent"]
        seeded.delete("shoes")
        assert sorted(ids(vector.search("hiking boots", 10))) == ["kettle", "tent"]


def test_enough_results_are_found_however_many_texts_are_of_others(
    library: Library, served_minilm: TritonServer, url: str
) -> None:
    many = {f"d{number}": ("t", f"Hiking boots of model number {number}.", "a") for number in range(60)}
    many |= {f"e{number}": ("t", f"A cookbook with {number} soups.", "b") for number in range(3)}
    seed(library, many, chunk_size=200)
    index_vectors(library, served_minilm, url)
    with runner(library, served_minilm, url) as vector:
        assert sorted(ids(vector.search("hiking boots", 3, {"chat_id": "b"}))) == ["e0", "e1", "e2"]
        assert sorted(ids(vector.search("hiking boots", 5, {"chat_id": "b"}))) == ["e0", "e1", "e2"]
        everything = vector.search("hiking boots", 63)
        assert len(everything) == len(set(ids(everything))) == 63
        assert vector.search("hiking boots", 7) == everything[:7]


def test_both_together_rank_first_what_both_find(seeded: Library, served_minilm: TritonServer, url: str) -> None:
    with runner(seeded, served_minilm, url, "hybrid") as hybrid:
        found = hybrid.search("a shelter in the mountains", 3)
    assert ids(found)[0] == "tent"
    assert found[0].metadata["ranks"] == {"vector": 1, "fulltext": 1}
    assert found[0].score == pytest.approx(2 / 61)
    assert len(found) == 3


def test_eight_readers_at_once_find_what_each_would_find_alone(
    seeded: Library, served_minilm: TritonServer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    queries = ["a shelter in the mountains", "hiking boots", "boiling water", "walking long trails"] * 2
    together = threading.Barrier(READERS)

    def reads(hybrid: Runner, first: int) -> dict[str, list[DocumentWithScore]]:
        together.wait(60)
        return {query: hybrid.search(query, 3) for query in queries[first:] + queries[:first]}

    with runner(seeded, served_minilm, url, "hybrid") as hybrid, ThreadPoolExecutor(READERS) as readers:
        alone = {query: hybrid.search(query, 3) for query in queries}
        found = list(readers.map(lambda number: reads(hybrid, number), range(READERS)))
    assert all(one.metadata["ranks"] for each in alone.values() for one in each)
    assert found == [alone] * READERS
    assert "waits for its turn" not in caplog.text


def test_without_triton_both_together_still_find_by_words_unless_strict(
    seeded: Library, served_minilm: TritonServer, url: str
) -> None:
    away = {"kserve_url": f"http://127.0.0.1:{free_ports(1)[0]}", "seconds": 2.0}
    with runner(seeded, served_minilm, url, "hybrid", faults="soft", **away) as hybrid:
        assert ids(hybrid.search("camping", 3)) == ["tent"]
    with runner(seeded, served_minilm, url, "hybrid", **away) as hybrid, pytest.raises(ServiceUnavailable):
        hybrid.search("camping", 3)


@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_a_cluster_that_hangs_is_waited_for_no_longer_than_the_time_of_one_search(
    seeded: Library, served_minilm: TritonServer, url: str, elasticsearch: ElasticsearchServer, mode: str
) -> None:
    with runner(seeded, served_minilm, url, mode, seconds=1.5) as search:
        with hanging(elasticsearch):
            began = time.monotonic()
            with pytest.raises(ServiceUnavailable, match="in time"):
                search.search("camping", 3)
            assert time.monotonic() - began < 4
        assert "tent" in ids(search.search("camping", 3))


def test_vectors_whose_server_says_nothing_are_given_up_in_time_and_words_are_still_found(
    seeded: Library, served_minilm: TritonServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = {"qdrant_url": f"http://127.0.0.1:{silent.getsockname()[1]}", "seconds": 1.5}
        with runner(seeded, served_minilm, "", "hybrid", faults="soft", **away) as hybrid:
            began = time.monotonic()
            assert ids(hybrid.search("camping", 3)) == ["tent"]
            assert time.monotonic() - began < 4
        with (
            runner(seeded, served_minilm, "", **away) as vector,
            pytest.raises(ServiceUnavailable, match="vector search has no answer in time"),
        ):
            vector.search("camping", 3)


def test_a_model_that_is_not_loaded_is_a_fault_of_the_servers_and_words_are_still_found(
    seeded: Library, served_minilm: TritonServer, url: str
) -> None:
    with runner(seeded, served_minilm, url, "hybrid", faults="soft", model="ruri_v3") as hybrid:
        assert ids(hybrid.search("camping", 3)) == ["tent"]
    with runner(seeded, served_minilm, url, model="ruri_v3") as vector, pytest.raises(ContractError, match="ruri_v3"):
        vector.search("camping", 3)


def test_a_collection_without_vectors_is_told_how_to_get_some(
    library: Library, served_minilm: TritonServer, url: str
) -> None:
    seed(library, DOCUMENTS)
    expected = f"{library.collection} has no vectors.*`embsearch fulltext vectors --collection {library.collection}`"
    with runner(library, served_minilm, url, faults="soft") as vector, pytest.raises(InputError, match=expected):
        vector.search("boots", 3)


@pytest.mark.parametrize("mode", ["vector", "hybrid"])
def test_a_collection_that_does_not_exist_is_said_not_to(
    library: Library, served_minilm: TritonServer, url: str, mode: str
) -> None:
    with (
        runner(library, served_minilm, url, mode, collection="nope") as search,
        pytest.raises(InputError, match="No collection 'nope' of documents is served"),
    ):
        search.search("boots", 3)


def test_vectors_of_an_older_cut_are_an_error_that_says_what_to_run(
    seeded: Library, served_minilm: TritonServer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    seeded.index(rebuild=True, chunk_size=20)
    expected = (
        f"The vectors of {seeded.collection} are of an older cut .* fulltext vectors --collection {seeded.collection}`"
    )
    for filters in (None, {"chat_id": "a"}):
        with runner(seeded, served_minilm, url) as vector, pytest.raises(ContractError, match=expected):
            vector.search("boots", 3, filters)
    with runner(seeded, served_minilm, url, faults="soft") as vector:
        assert vector.search("boots", 3) == []
    assert "vector search finds nothing, because it failed: None of the nearest 3 texts" in caplog.text
    index_vectors(seeded, served_minilm, url, 2)
    with runner(seeded, served_minilm, url) as vector:
        assert vector.search("boots", 3)


def test_when_few_texts_are_left_the_log_says_what_to_run_and_filters_are_no_reason(
    seeded: Library, served_minilm: TritonServer, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    seeded.delete("copy", "shoes", "kettle")
    with runner(seeded, served_minilm, url) as vector:
        assert vector.search("boots", 3, {"chat_id": "nobody"}) == []
        assert "older cut" not in caplog.text
        assert ids(vector.search("boots", 3)) == ["tent"]
    assert "Of the nearest 3 texts only 1 are found in documents" in caplog.text
    assert "run `embsearch fulltext vectors --collection" in caplog.text
