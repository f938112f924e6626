"""Keywords as vectors: what lands, what is embedded again, what a search finds."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.catalog.models import get_model
from include.errors import ContractError, InputError
from include.keywords import vectors
from include.keywords.parameters import SearchParameters
from include.keywords.search import search_keywords
from include.keywords.vector_shards import blocks
from include.triton.client import TritonClient
from include.triton.deploy import deploy
from include.triton.embedder import Embedder
from include.vector_store.edge import EdgeStore
from include.vector_store.open import open_store
from tests.integration.keywords.conftest import KEYWORDS, KeywordStack
from tests.integration.keywords.vector_builds import SHARDS, begun
from tests.integration.triton_server import TritonServer, changed, serve_only


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
    found = np.concatenate([block[1] for block in blocks(fresh)])
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
