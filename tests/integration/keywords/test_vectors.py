"""Keywords as vectors: what lands, what is embedded again, what is served when something goes wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.catalog.models import get_model
from include.cli.rollback import What, put_back
from include.errors import ContractError, EmbsearchError, GateFailed, InputError
from include.generations.counts import Counts
from include.generations.vectors import from_column, to_column
from include.keywords import vectors
from include.keywords.parameters import SearchParameters
from include.keywords.search import search_keywords
from include.settings import Settings
from include.sources.build import Build
from include.triton.client import TritonClient
from include.triton.deploy import deploy
from include.triton.embedder import Embedder
from include.vector_store.edge import EdgeStore
from include.vector_store.gate import VectorFigures
from include.vector_store.open import open_store
from include.vector_store.protocol import KeywordStore
from tests.integration.keywords.conftest import KEYWORDS, SHARD_ROWS, VECTORS, KeywordStack
from tests.integration.reader import sees_only_whole
from tests.integration.runs import LOG, WorkflowProcess, new_run, stamps, wait_for_shards
from tests.integration.triton_server import TritonServer, changed, serve_only

SHARDS = -(-KEYWORDS // SHARD_ROWS)


def begun(stack: KeywordStack, shards: int = SHARDS, name: str = "") -> Build:
    """A build of the stack's keywords with its first ``shards`` finished."""
    build = vectors.plan(stack.vector_parameters(), new_run(name), stack.settings)
    vectors.run_shards(build, range(shards), stack.settings)
    return build


def rewritten(build: Build, shard: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Other vectors in a finished shard whose manifest agrees with them."""
    table = pq.read_table(build.shard(shard).part)
    column = table.column_names.index("vector")
    table = table.set_column(column, "vector", to_column(change(from_column(table["vector"]))))
    build.finish_shard(shard, table, Counts(len(table), len(table)), {"embed": 0.0})


def test_each_keyword_lands_under_its_line_number_and_every_line_is_accounted_for(
    stack: KeywordStack, keywords: list[str]
) -> None:
    lines = [text.encode() for text in keywords]
    lines[5:5] = [b"", b"  \t", b"\xff\xfe broken", keywords[0].encode(), b"x" * 100_001, ("長" * 10_000).encode()]
    path = stack.folder / "odd.txt"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    summary = stack.index_vectors(path)
    expected = {n: line.decode() for n, line in enumerate(lines) if n not in {5, 6, 7, 8, 9}}
    assert stack.points() == expected
    assert summary["counts"] == {
        "read": KEYWORDS + 6, "written": KEYWORDS + 1, "dead": 0,
        "skipped": {"blank": 2, "duplicate": 1, "unusable": 2},
    }  # fmt: skip
    assert summary["gate"]["points"] == KEYWORDS + 1
    unusable = [json.loads(line) for line in Path(summary["unusable"]).read_text(encoding="utf-8").splitlines()]
    assert unusable == [
        {"number": 7, "reason": "not_utf8", "raw": r"\xff\xfe broken"},
        {"number": 9, "reason": "too_long", "raw": "x" * 200},
    ]


def test_the_nearest_keyword_of_a_keyword_is_itself(stack: KeywordStack, keywords: list[str]) -> None:
    stack.index_vectors()
    with TritonClient(stack.settings.kserve_url) as client:
        queries = Embedder(client, get_model("minilm")).embed(keywords[:64], "semantic")
    store = open_store(stack.settings.qdrant_url)
    found = store.search(stack.alias, queries, 1)
    store.close()
    assert found.ids[:, 0].tolist() == list(range(64))
    assert np.allclose(found.scores[:, 0], 1.0, atol=1e-3)


def test_parquet_keeps_its_own_ids(stack: KeywordStack) -> None:
    path = stack.folder / "in.parquet"
    columns = {"id": pa.array([70, 3, 9, 11]), "name": pa.array(["bag", "tent", "bag", None]), "x": pa.array([1.0] * 4)}
    pq.write_table(pa.table(columns), path)
    summary = stack.index_vectors(path, text_column="name", id_column="id")
    assert stack.points() == {70: "bag", 3: "tent"}
    assert summary["counts"] == {"read": 4, "written": 2, "skipped": {"blank": 1, "duplicate": 1}, "dead": 0}


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("name", r"no column 'name'. It has: keyword \(int64\)"),
        ("keyword", "'keyword' holds int64, but text is needed"),
    ],
)
def test_parquet_with_a_missing_or_wrong_column_is_refused_before_anything_begins(
    stack: KeywordStack, column: str, words: str
) -> None:
    path = stack.folder / "in.parquet"
    pq.write_table(pa.table({"keyword": pa.array([1, 2])}), path)
    with pytest.raises(InputError, match=words):
        stack.index_vectors(path, text_column=column)
    assert stack.builds(vectors.KIND) == []
    assert stack.served() is None


def test_a_rebuild_of_unchanged_keywords_embeds_nothing(stack: KeywordStack, keywords: list[str]) -> None:
    first = stack.index_vectors()
    assert first["reused"] == 0
    before = stack.embedded()
    second = stack.index_vectors()
    assert stack.embedded() == before
    assert second["reused"] == KEYWORDS
    assert second["generation"] != first["generation"]
    assert stack.points() == dict(enumerate(keywords))


def test_a_roll_back_serves_the_generation_before(stack: KeywordStack, keywords: list[str]) -> None:
    settings = stack.settings.model_copy(update={"collection": stack.alias})
    first = stack.index_vectors()
    stack.index_vectors(stack.write(keywords[:50], "fewer.txt"), min_share=0)
    assert len(stack.points()) == 50
    assert put_back(What.KEYWORD_VECTORS, None, settings) == first["generation"]
    assert stack.points() == dict(enumerate(keywords))
    with pytest.raises(InputError, match="has no generation before"):
        put_back(What.KEYWORD_VECTORS, None, settings)


def test_only_changed_keywords_are_embedded_whatever_their_new_place(stack: KeywordStack, keywords: list[str]) -> None:
    stack.index_vectors()
    others = [*keywords[50:], "brand new keyword", "another new one", *keywords[:47]]
    random.Random(0).shuffle(others)
    before = stack.embedded()
    summary = stack.index_vectors(stack.write(others, "others.txt"))
    assert stack.embedded() - before == 2
    assert summary["reused"] == len(others) - 2
    assert stack.points() == dict(enumerate(others))
    fresh = stack.builds(vectors.KIND)[-1]
    with TritonClient(stack.settings.kserve_url) as client:
        expected = Embedder(client, get_model("minilm")).embed(others, "semantic")
    found = np.concatenate([block[1] for block in vectors.blocks(fresh)])
    assert np.allclose(found, expected, atol=1e-3)


@pytest.fixture
def deploy_another(exported_minilm: Path, served_minilm: TritonServer, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Serve the model with another token limit, so with another fingerprint, alone; at the end the first one again."""
    alone = served_minilm.settings.model_copy(update={"triton_beside": 0})
    yield lambda: void(deploy(changed(exported_minilm, tmp_path / "shorter", max_length=128), alone))
    serve_only(exported_minilm, alone)


def void(_: object) -> None:
    """Drop a value."""


def test_vectors_of_another_model_are_never_taken_over_nor_mixed(
    stack: KeywordStack, deploy_another: Callable[[], None]
) -> None:
    first = stack.index_vectors()
    interrupted = begun(stack, 2)
    deploy_another()
    with pytest.raises(ContractError, match="begun with another version of minilm than Triton serves now"):
        vectors.run_shards(interrupted, range(SHARDS), stack.settings)
    before = stack.embedded()
    second = stack.index_vectors()
    assert second["model_fingerprint"] != first["model_fingerprint"]
    assert second["reused"] == 0
    assert stack.embedded() - before == KEYWORDS


def test_a_failed_gate_leaves_what_is_served_and_says_why(stack: KeywordStack, keywords: list[str]) -> None:
    served = stack.index_vectors(limit=100)
    build = begun(stack)
    rewritten(build, 3, lambda rows: rows * 2)
    with pytest.raises(GateFailed, match=rf"{build.generation} is not served: unit norm: {SHARD_ROWS} vectors are off"):
        vectors.publish(build, stack.settings)
    assert stack.served() == served["generation"]
    assert stack.points() == dict(enumerate(keywords[:100]))
    assert build.published() is None
    last = stack.index_vectors()
    assert stack.generations() == [served["generation"], last["generation"]]  # a failed one pushes no good one out


def test_a_shard_done_again_after_a_failed_gate_is_what_gets_served(stack: KeywordStack) -> None:
    build = begun(stack)
    good = pq.read_table(build.shard(0).part)
    rewritten(build, 0, lambda rows: np.roll(rows, 1, axis=0) * 2)
    with pytest.raises(GateFailed):
        vectors.publish(build, stack.settings)
    build.shard(0).manifest.unlink()
    vectors.run_shards(build, [0], stack.settings)
    vectors.publish(build, stack.settings)
    store = open_store(stack.settings.qdrant_url)
    found = store.search(stack.alias, from_column(good["vector"]), 1)
    store.close()
    assert found.ids[:, 0].tolist() == good["keyword_id"].to_pylist()


def test_a_missing_shard_blocks_publishing(stack: KeywordStack) -> None:
    served = stack.index_vectors(limit=50)
    build = begun(stack, SHARDS - 1)
    with pytest.raises(ContractError, match=rf"Shard {SHARDS - 1} of .*{build.generation} is not finished"):
        vectors.publish(build, stack.settings)
    assert stack.served() == served["generation"]


def test_a_damaged_part_is_an_error_that_names_its_folder(stack: KeywordStack) -> None:
    build = begun(stack)
    part = build.shard(4).part
    whole = part.read_bytes()
    part.write_bytes(whole[:-100] + bytes(100))
    words = f"{part} is missing or has changed.*Remove {part.parent}"
    with pytest.raises(ContractError, match=words):
        vectors.run_shards(build, [4], stack.settings)
    with pytest.raises(ContractError, match=words):
        vectors.publish(build, stack.settings)
    part.write_bytes(whole)
    vectors.publish(build, stack.settings)
    part.write_bytes(whole[:-100] + bytes(100))
    with pytest.raises(ContractError, match=words):  # and is not taken over by the next build
        stack.index_vectors()


def test_of_two_builds_at_once_the_newer_is_served_and_whole(stack: KeywordStack, keywords: list[str]) -> None:
    stack.index_vectors(limit=40)
    gate = threading.Barrier(2)

    def build_one(_: int) -> str:
        gate.wait()
        try:
            return str(stack.index_vectors()["generation"])
        except EmbsearchError as error:
            return str(error)

    with (
        closing(open_store(stack.settings.qdrant_url)) as store,
        sees_only_whole(lambda: store.info(stack.alias).points, before=40, after=KEYWORDS),
        ThreadPoolExecutor(2) as pool,
    ):
        ends = list(pool.map(build_one, range(2)))
    *_, older, newer = stack.builds(vectors.KIND)
    assert stack.served() == newer.generation
    assert newer.generation in ends
    assert all(end in {older.generation, newer.generation} or "newer" in end for end in ends)
    assert stack.points() == dict(enumerate(keywords))


def test_a_build_killed_while_embedding_goes_on_and_repeats_no_finished_shard(
    stack: KeywordStack, keywords: list[str]
) -> None:
    served = stack.index_vectors(limit=20)
    small = Settings(**{**stack.settings.model_dump(), "vector_shard_rows": 4})
    parameters = stack.vector_parameters(batch_size=4, workers=1)
    again = WorkflowProcess(stack.folder, VECTORS, small, parameters, "killed", datetime.now(UTC))
    first = again.start()
    build = wait_for_shards(first, 20, lambda: stack.builds(vectors.KIND)[1:], stack.folder / LOG)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    finished = stamps(build)
    assert len(finished) < build.input.shards
    assert stack.served() == served["generation"]
    before = stack.embedded()
    assert again.start().wait(120) == 0, stack.log()
    assert stack.embedded() - before <= KEYWORDS - 4 * len(finished) + 4  # one request was under way at the kill
    after = stamps(build)
    assert {shard: after[shard] for shard in finished} == finished
    assert len(after) == build.input.shards
    assert stack.points() == dict(enumerate(keywords))


@pytest.mark.parametrize(
    "where",
    [
        "include.vector_store.folders.GenerationFolders.seal",
        "include.vector_store.folders.GenerationFolders.promote",
        "include.sources.build.Build.mark_published",
    ],
)
def test_a_publish_killed_at_any_step_is_finished_by_a_rerun(
    stack: KeywordStack, keywords: list[str], where: str
) -> None:
    served = stack.index_vectors(limit=20)
    build = begun(stack, name="killed")
    module, name, method = where.rsplit(".", 2)
    kill = f"from {module} import {name}\nimport os\n{name}.{method} = lambda *_: os.kill(os.getpid(), 9)"
    parameters = stack.vector_parameters()
    run = WorkflowProcess(stack.folder, VECTORS, stack.settings, parameters, "killed", build.date, kill)
    assert run.start().wait(120) == -signal.SIGKILL, stack.log()
    assert stack.served() in ([build.generation] if "mark" in where else [served["generation"]])
    before = stack.embedded()
    vectors.run_shards(build, range(SHARDS), stack.settings)
    summary = vectors.publish(build, stack.settings)
    assert stack.embedded() == before
    assert summary["generation"] == stack.served() == build.generation
    assert summary["previous"] == served["generation"]
    assert stack.points() == dict(enumerate(keywords))


def test_prune_keeps_as_many_generations_as_the_setting_says(stack: KeywordStack) -> None:
    three = replace(stack, settings=Settings(**{**stack.settings.model_dump(), "keep_generations": 3}))
    made = [three.index_vectors(limit=20 + number)["generation"] for number in range(4)]
    assert stack.generations() == made[1:]
    assert [build.generation for build in stack.builds(vectors.KIND)] == made[1:]
    last = stack.index_vectors(limit=50)["generation"]
    assert stack.generations() == [made[3], last]
    assert [build.generation for build in stack.builds(vectors.KIND)] == [made[3], last]


def test_a_small_limit_left_by_mistake_replaces_no_large_collection_unless_it_is_meant(stack: KeywordStack) -> None:
    stack.index_vectors()
    before = stack.embedded()
    words = rf"has 100 rows, served are {KEYWORDS}: .* min_share asks for.* \(limit 100 was given\).* min_share 0"
    with pytest.raises(GateFailed, match=words):
        stack.index_vectors(limit=100)
    assert stack.embedded() == before  # it was seen before any work was done
    assert len(stack.points()) == KEYWORDS
    stack.index_vectors(limit=100, min_share=0)
    assert len(stack.points()) == 100


def test_a_build_that_is_small_beside_what_is_served_by_now_is_not_served_and_dropped(stack: KeywordStack) -> None:
    stack.index_vectors(limit=40)
    large = begun(stack)
    small = vectors.plan(stack.vector_parameters(limit=50), new_run(), stack.settings)
    vectors.run_shards(small, range(small.input.shards), stack.settings)
    vectors.publish(large, stack.settings)
    with pytest.raises(GateFailed, match=f"{small.generation} has 50 rows, served are {KEYWORDS}"):
        vectors.publish(small, stack.settings)
    assert stack.served() == large.generation
    assert small.generation not in stack.generations()


def test_a_build_killed_just_before_it_was_served_pushes_no_good_one_out(
    stack: KeywordStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stack.index_vectors(limit=40)
    killed = begun(stack)

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("include.keywords.vectors.check_vectors", kill)
        vectors.publish(killed, stack.settings)
    assert killed.generation in stack.generations()
    second = stack.index_vectors()
    assert stack.generations() == [first["generation"], second["generation"]]
    with pytest.raises(ContractError, match=f"serves {second['generation']}, which is newer than {killed.generation}"):
        vectors.publish(killed, stack.settings)


def test_a_generation_that_a_newer_one_dropped_during_its_gate_says_that_it_is_late(
    stack: KeywordStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = begun(stack)
    newer = begun(stack)
    check = vectors.check_vectors

    def overtaken(store: KeywordStore, generation: str, *arguments: Any, **named: Any) -> VectorFigures:
        if generation == late.generation:
            vectors.publish(newer, stack.settings)
        return check(store, generation, *arguments, **named)

    monkeypatch.setattr("include.keywords.vectors.check_vectors", overtaken)
    with pytest.raises(ContractError, match=f"serves {newer.generation}, which is newer than {late.generation}"):
        vectors.publish(late, stack.settings)
    assert stack.generations() == [newer.generation]


def test_a_search_reads_the_texts_of_its_hits_and_not_of_the_whole_collection(
    stack: KeywordStack, keywords: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.index_vectors()
    monkeypatch.delattr(EdgeStore, "keywords")
    parameters = SearchParameters(
        top_k=3, model="minilm", collection=stack.alias, qdrant_url=stack.settings.qdrant_url,
        kserve_url=stack.settings.kserve_url,
    )  # fmt: skip
    one, other = search_keywords(parameters, [keywords[5], keywords[9]], stack.settings)
    assert (one[0].keyword_id, one[0].keyword, len(one)) == (5, keywords[5], 3)
    assert (other[0].keyword_id, other[0].keyword) == (9, keywords[9])
    assert all(keywords[hit.keyword_id] == hit.keyword for hit in one + other)


def test_publishing_again_gives_the_same_figures_and_touches_nothing(stack: KeywordStack) -> None:
    run = new_run()
    first = stack.index_vectors(run=run)
    newer = stack.index_vectors(limit=30, min_share=0)
    assert stack.index_vectors(run=run) == first
    assert stack.served() == newer["generation"]


def test_a_late_run_does_not_replace_a_newer_one(stack: KeywordStack) -> None:
    late = begun(stack)
    newer = stack.index_vectors(limit=30)
    with pytest.raises(ContractError, match=rf"serves {newer['generation']}, which is newer than {late.generation}"):
        vectors.publish(late, stack.settings)
    assert stack.served() == newer["generation"]
