"""One contract for every vector back end, on the real engines."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from include.bench.synthetic import clustered
from include.errors import Busy, ContractError, InputError
from include.vector_store.collection import keyword_table
from include.vector_store.open import open_store
from include.vector_store.oracle import ExactSearch
from include.vector_store.protocol import NO_ID, KeywordStore
from tests.integration.vector_store import processes

SERVER_VARIABLE = "EMBSEARCH_TEST_QDRANT_URL"
POINTS, DIMENSION = 400, 32
FACTS = {"model": "minilm", "model_fingerprint": "abc"}


@dataclass(frozen=True)
class Backend:
    """A store of its own for one test, with names that no other test uses."""

    kind: str
    url: str
    store: KeywordStore
    alias: str

    def generation(self, number: int) -> str:
        return f"{self.alias}__{number:04d}"

    def build(self, number: int, vectors: NDArray[np.float32] | None = None) -> str:
        """A sealed generation of ``vectors``, ids from 0."""
        generation, rows = self.begin(number, vectors)
        self.store.seal(generation, expected=len(rows))
        return generation

    def begin(self, number: int, vectors: NDArray[np.float32] | None = None) -> tuple[str, NDArray[np.float32]]:
        """A generation that is loaded but not sealed."""
        rows = clustered(POINTS, DIMENSION) if vectors is None else vectors
        generation = self.generation(number)
        self.store.begin(generation, dimension=rows.shape[1], **FACTS)
        self.store.upsert(generation, np.arange(len(rows)), rows, [f"keyword {i}" for i in range(len(rows))])
        return generation, rows


def backend_url(kind: str, folder: Path) -> str:
    if kind == "memory":
        return ":memory:"
    if kind != "server":
        return f"{kind}:{folder}"
    url = os.environ.get(SERVER_VARIABLE)
    if not url:
        pytest.skip(f"no Qdrant server given: set {SERVER_VARIABLE}=http://<host>:<port> to run this on one")
    return url


@pytest.fixture(params=["edge", "exact", "memory", "server"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    url = backend_url(request.param, tmp_path / "store")
    alias = f"test-{uuid.uuid4().hex[:12]}"
    store = open_store(url)
    yield Backend(request.param, url, store, alias)
    if request.param == "server":
        delete_collections(url, alias)
    store.close()


def delete_collections(url: str, alias: str) -> None:
    from qdrant_client import QdrantClient

    client = QdrantClient(url=url, check_compatibility=False)
    for collection in client.get_collections().collections:
        if collection.name.startswith(alias):
            client.delete_collection(collection.name)
    client.close()


def test_a_sealed_generation_tells_what_it_holds(backend: Backend) -> None:
    generation = backend.build(1)
    info = backend.store.info(generation)
    assert (info.generation, info.dimension, info.points) == (generation, DIMENSION, POINTS)
    assert (info.model, info.model_fingerprint) == ("minilm", "abc")


def test_search_finds_each_point_itself_best_first(backend: Backend) -> None:
    rows = clustered(POINTS, DIMENSION)
    generation = backend.build(1)
    found = backend.store.search(generation, rows[:50], 10)
    assert (found.ids.shape, found.ids.dtype, found.scores.dtype) == ((50, 10), np.int64, np.float32)
    assert found.ids[:, 0].tolist() == list(range(50))
    assert (np.diff(found.scores, axis=1) <= 0).all()
    truth = np.einsum("nkd,nd->nk", rows[found.ids], rows[:50])
    assert np.allclose(found.scores, truth, atol=1e-4)


def test_no_query_gives_no_row(backend: Backend) -> None:
    generation = backend.build(1)
    assert backend.store.search(generation, np.empty((0, DIMENSION), np.float32), 5).ids.shape == (0, 5)


def test_top_k_above_the_collection_is_filled_up(backend: Backend) -> None:
    generation = backend.build(1, clustered(3, DIMENSION))
    found = backend.store.search(generation, clustered(3, DIMENSION), 30)
    assert (np.sort(found.ids[:, :3], axis=1) == [0, 1, 2]).all()
    assert (found.ids[:, 3:] == NO_ID).all()
    assert np.isnan(found.scores[:, 3:]).all()


def test_top_k_of_zero_is_refused(backend: Backend) -> None:
    generation = backend.build(1)
    with pytest.raises(InputError, match="top_k is 0"):
        backend.store.search(generation, clustered(1, DIMENSION), 0)


def test_keywords_come_back_in_id_order_whatever_their_characters(backend: Backend) -> None:
    texts = ["贅沢 登山リュック", "키워드", "emoji 🏔️", 'quote " and \\', "tab\tand\nline", "nul \0 inside", ""]
    ids = np.array([70, 10, 60, 20, 50, 30, 40])
    generation = backend.generation(1)
    backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    backend.store.upsert(generation, ids, clustered(7, DIMENSION), texts)
    backend.store.seal(generation, expected=7)
    pages = list(backend.store.keywords(generation))
    found = {one: text for page_ids, page in pages for one, text in zip(page_ids.tolist(), page, strict=True)}
    assert list(found) == sorted(ids.tolist())
    assert found == dict(zip(ids.tolist(), texts, strict=True))


def test_many_keywords_come_back_in_pages_none_missing(backend: Backend) -> None:
    count = 12_000
    generation = backend.build(1, clustered(count, 4))
    pages = list(backend.store.keywords(generation))
    assert len(pages) > 1
    assert np.concatenate([ids for ids, _ in pages]).tolist() == list(range(count))
    assert [text for _, page in pages for text in page] == [f"keyword {i}" for i in range(count)]


def test_an_upsert_of_the_same_id_replaces_it(backend: Backend) -> None:
    generation, rows = backend.begin(1)
    backend.store.upsert(generation, np.array([5]), rows[:1], ["renamed"])
    backend.store.seal(generation, expected=POINTS)
    assert set(backend.store.search(generation, rows[:1], 2).ids[0]) == {0, 5}
    texts = keyword_table(backend.store, generation)
    assert (texts[5], texts[6]) == ("renamed", "keyword 6")


def test_an_empty_generation_can_be_sealed_and_searched(backend: Backend) -> None:
    generation = backend.generation(1)
    backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    backend.store.seal(generation, expected=0)
    assert (backend.store.search(generation, clustered(2, DIMENSION), 3).ids == NO_ID).all()
    assert list(backend.store.keywords(generation)) == []


def test_promote_serves_under_the_alias_and_tells_the_previous(backend: Backend) -> None:
    store, alias = backend.store, backend.alias
    first, second = backend.build(1), backend.build(2, clustered(9, DIMENSION))
    assert store.resolve(alias) is None
    assert store.promote(alias, first) is None
    assert (store.resolve(alias), store.info(alias).points) == (first, POINTS)
    assert store.promote(alias, second) == first
    assert (store.resolve(alias), store.info(alias).points) == (second, 9)
    found = store.search(alias, clustered(9, DIMENSION), 10)
    assert (found.ids[:, 9] == NO_ID).all()
    assert sum(len(ids) for ids, _ in store.keywords(alias)) == 9
    assert store.promote(alias, first) == second  # roll back


def test_promote_of_an_unsealed_generation_is_refused(backend: Backend) -> None:
    served = backend.build(1)
    backend.store.promote(backend.alias, served)
    unsealed, _ = backend.begin(2)
    for generation in (unsealed, backend.generation(3)):
        with pytest.raises(ContractError, match=f"{generation}.*not sealed"):
            backend.store.promote(backend.alias, generation)
    assert backend.store.resolve(backend.alias) == served


def test_a_count_other_than_expected_is_not_sealed(backend: Backend) -> None:
    generation, rows = backend.begin(1)
    with pytest.raises(ContractError, match=f"{POINTS} points, not the {POINTS + 1} expected"):
        backend.store.seal(generation, expected=POINTS + 1)
    assert backend.store.generations(backend.alias) == []
    assert backend.build(1, rows) == generation  # and can be built again


def test_beginning_again_drops_what_was_not_sealed(backend: Backend) -> None:
    backend.begin(1)
    generation = backend.build(1, clustered(5, DIMENSION))
    assert backend.store.info(generation).points == 5


def test_a_sealed_generation_cannot_be_begun_or_changed(backend: Backend) -> None:
    generation = backend.build(1)
    with pytest.raises(ContractError, match="sealed already"):
        backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    with pytest.raises(ContractError, match="not being built"):
        backend.store.upsert(generation, np.array([1]), clustered(1, DIMENSION), ["x"])
    assert backend.store.info(generation).points == POINTS


def test_points_that_cannot_be_searched_are_refused(backend: Backend) -> None:
    generation = backend.generation(1)
    backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    ids, rows = np.arange(2), clustered(2, DIMENSION)
    broken = rows.copy()
    broken[1, 3] = np.nan
    cases = {
        "32 dimensions": (ids, clustered(2, 8), ["a", "b"]),
        "keyword 1 has a vector with NaN": (ids, broken, ["a", "b"]),
        "as many": (ids, rows, ["a"]),
        "-1 is negative": (np.array([0, -1]), rows, ["a", "b"]),
        "lone surrogate": (ids, rows, ["a", "\ud800"]),
    }
    for words, (some_ids, vectors, keywords) in cases.items():
        with pytest.raises(ContractError, match=words):
            backend.store.upsert(generation, some_ids, vectors, keywords)
    backend.store.seal(generation, expected=0)


def test_queries_that_cannot_be_searched_are_refused(backend: Backend) -> None:
    generation = backend.build(1)
    with pytest.raises(ContractError):
        backend.store.search(generation, clustered(2, 8), 3)
    broken = clustered(2, DIMENSION)
    broken[1, 0] = np.inf
    with pytest.raises(ContractError, match="query 1 has a vector with NaN or infinity"):
        backend.store.search(generation, broken, 3)


def test_an_unknown_collection_is_named(backend: Backend) -> None:
    for name in (backend.alias, backend.generation(7)):
        for ask in (
            lambda name=name: backend.store.info(name),
            lambda name=name: backend.store.search(name, clustered(1, DIMENSION), 3),
            lambda name=name: list(backend.store.keywords(name)),
        ):
            with pytest.raises(InputError, match=name):
                ask()
    assert backend.store.resolve(backend.alias) is None
    assert backend.store.generations(backend.alias) == []


def test_prune_keeps_the_newest_and_the_served_one(backend: Backend) -> None:
    store, alias = backend.store, backend.alias
    built = [backend.build(number, clustered(4, DIMENSION)) for number in range(1, 6)]
    other = Backend(backend.kind, backend.url, store, alias + "x").build(1, clustered(4, DIMENSION))
    store.promote(alias, built[0])
    assert store.prune(alias, keep=2) == built[1:3]
    assert store.generations(alias) == [built[0], built[3], built[4]]
    assert store.search(alias, clustered(4, DIMENSION), 1).ids[:, 0].tolist() == [0, 1, 2, 3]
    store.promote(alias, built[4])
    assert store.prune(alias, keep=1) == [built[0], built[3]]
    assert store.generations(alias) == [built[4]]
    assert store.info(other).points == 4


def test_a_generation_can_be_dropped_and_built_again_but_never_the_served_one(backend: Backend) -> None:
    store, alias = backend.store, backend.alias
    served, refused = (backend.build(number, clustered(4, DIMENSION)) for number in (1, 2))
    store.promote(alias, served)
    store.search(refused, clustered(4, DIMENSION), 1)
    for name in (served, refused):
        store.drop(name)
    assert store.generations(alias) == [served]
    assert backend.build(2, clustered(3, DIMENSION)) == refused
    assert store.search(refused, clustered(4, DIMENSION), 4).ids[0].tolist().count(NO_ID) == 1


def test_several_threads_search_while_the_alias_moves(backend: Backend) -> None:
    rows = clustered(POINTS, DIMENSION)
    built = [backend.build(number) for number in (1, 2, 3)]
    backend.store.promote(backend.alias, built[0])
    stop = threading.Event()

    def search() -> int:
        searches = 0
        while not stop.is_set():
            assert backend.store.search(backend.alias, rows[:8], 3).ids[:, 0].tolist() == list(range(8))
            searches += 1
        return searches

    with ThreadPoolExecutor(4) as pool:
        threads = [pool.submit(search) for _ in range(4)]
        for turn in range(12):
            backend.store.promote(backend.alias, built[turn % 3])
            time.sleep(0.02)
        stop.set()
        assert all(thread.result() > 0 for thread in threads)


def test_scores_and_neighbours_are_those_of_exact_search(backend: Backend) -> None:
    points, dimension = 5000, 640  # above the threshold under which the engine searches exactly
    rows, queries = clustered(points, dimension), clustered(50, dimension, draw=1)
    generation = backend.build(1, rows)
    if backend.kind == "edge":
        assert backend.store.info(generation).indexed > 0
    truth = ExactSearch(queries, 30)
    truth.add(np.arange(points), rows)
    found = backend.store.search(generation, queries, 30)
    assert truth.recall(found) >= 0.99
    assert np.allclose(found.scores, np.einsum("nkd,nd->nk", rows[found.ids], queries), atol=1e-4)


@pytest.fixture(params=["edge", "exact"])
def folder_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return backend_url(request.param, tmp_path / "store")


def test_a_build_in_another_process_keeps_this_one_out(folder_url: str) -> None:
    generation = f"{processes.ALIAS}__0001"
    other = processes.start("build", folder_url, generation, "load")
    store = open_store(folder_url)
    try:
        with pytest.raises(Busy, match=f"build of {generation}, process {other.pid}"):
            store.begin(generation, dimension=4, **FACTS)
        store.begin(f"{processes.ALIAS}__0002", dimension=4, **FACTS)  # another generation is free
        assert store.prune(processes.ALIAS, keep=1) == []  # does not touch what is being built
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        store.close()


@pytest.mark.parametrize("stage", ["load", "seal"])
def test_a_killed_build_changes_nothing_and_can_be_begun_again(folder_url: str, stage: str) -> None:
    store = open_store(folder_url)
    served = Backend("", folder_url, store, processes.ALIAS).build(1, clustered(*processes.SMALL))
    store.promote(processes.ALIAS, served)
    generation = f"{processes.ALIAS}__0002"
    builder = processes.start("build", folder_url, generation, stage)
    children = graph_builders(builder.pid) if (stage, folder_url[:4]) == ("seal", "edge") else []
    builder.kill()
    builder.wait()

    assert psutil.wait_procs(children, timeout=10)[1] == []  # no orphan goes on building
    assert store.resolve(processes.ALIAS) == served
    if stage == "load" or children:  # an exact build may be done before it is killed
        assert store.generations(processes.ALIAS) == [served]
        with pytest.raises(ContractError, match="not sealed"):
            store.promote(processes.ALIAS, generation)
        begun = Backend("", folder_url, store, processes.ALIAS).build(2, clustered(*processes.SMALL))
        assert store.promote(processes.ALIAS, begun) == served
    store.close()


def graph_builders(pid: int) -> list[psutil.Process]:
    """The engine's child processes of a builder, once there are any."""
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return children


def test_prune_removes_what_a_dead_build_left(folder_url: str, tmp_path: Path) -> None:
    builder = processes.start("build", folder_url, f"{processes.ALIAS}__0001", "load")
    builder.kill()
    builder.wait()
    assert list((tmp_path / "store" / "shards").iterdir()) != []
    store = open_store(folder_url)
    assert store.prune(processes.ALIAS, keep=2) == []
    assert list((tmp_path / "store" / "shards").iterdir()) == []


def test_readers_in_three_processes_never_fail_through_twenty_promotes_and_prunes(
    folder_url: str, tmp_path: Path
) -> None:
    backend = Backend("", folder_url, open_store(folder_url), processes.ALIAS)
    rows = clustered(*processes.SMALL)
    backend.store.promote(processes.ALIAS, backend.build(0, rows))
    stop = tmp_path / "stop"
    readers = [processes.start("read", folder_url, str(stop)) for _ in range(3)]
    for number in range(1, 21):
        backend.store.promote(processes.ALIAS, backend.build(number, rows))
        backend.store.prune(processes.ALIAS, keep=2)
    stop.touch()
    for reader in readers:
        output, _ = reader.communicate(timeout=60)
        assert reader.returncode == 0
        searches, generations = map(int, output.split())
        assert searches >= 2
        assert generations >= 2  # the first and the last at least; in practice most of them
    assert len(backend.store.generations(processes.ALIAS)) == 2
    backend.store.close()


def test_a_forked_child_searches_and_leaves_the_parents_store_alone(folder_url: str) -> None:
    backend = Backend("", folder_url, open_store(folder_url), processes.ALIAS)
    rows = clustered(*processes.SMALL)
    backend.store.promote(processes.ALIAS, backend.build(1, rows))
    expected = backend.store.search(processes.ALIAS, rows[:5], 3).ids.tolist()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = int(backend.store.search(processes.ALIAS, rows[:5], 3).ids.tolist() != expected)
            backend.store.close()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert backend.store.search(processes.ALIAS, rows[:5], 3).ids.tolist() == expected
    backend.store.close()
