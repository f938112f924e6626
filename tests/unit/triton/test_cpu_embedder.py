"""The cutting of batches and the lexical weights inside the served model; it serves in tests/integration/triton."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.settings import PROJECT_ROOT
from include.triton.tensors import sparse_rows

SPECIAL = (0, 1, 2, 3)


@pytest.fixture(scope="module")
def texts() -> ModuleType:
    """The code that embeds texts."""
    return beside_the_model("texts")


@pytest.fixture(scope="module")
def graph() -> ModuleType:
    """The code that runs a graph."""
    return beside_the_model("graph")


def beside_the_model(name: str) -> ModuleType:
    """A module of the served model, which lies beside it and not in a package."""
    spec = importlib.util.spec_from_file_location(name, PROJECT_ROOT / "triton_models" / "cpu_embedder" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@given(
    lengths=st.lists(st.integers(min_value=2, max_value=700), max_size=80),
    budget=st.integers(min_value=1, max_value=2_000),
)
def test_every_text_is_run_once_and_no_batch_passes_the_budget(
    texts: ModuleType, lengths: list[int], budget: int
) -> None:
    array = np.array(lengths, np.int64)
    order = np.argsort(array, kind="stable")

    batches = list(texts.batches(order, array, budget))

    assert sorted(int(row) for rows in batches for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * array[rows].max() <= budget for rows in batches)


def test_short_texts_share_a_batch(texts: ModuleType) -> None:
    lengths = np.array([10, 10, 10, 200], np.int64)

    batches = [rows.tolist() for rows in texts.batches(np.arange(4), lengths, 256)]

    assert batches == [[0, 1, 2], [3]]


def as_flag_embedding_does(weights: list[float], ids: list[int]) -> dict[int, float]:
    """``_process_token_weights`` of BGE-M3's own library, FlagEmbedding."""
    result: dict[int, float] = {}
    for weight, token in zip(weights, ids, strict=True):
        if token not in SPECIAL and weight > 0 and weight > result.get(token, 0):
            result[token] = weight
    return result


tokens = st.tuples(st.integers(0, 12), st.floats(0, 1, width=32))


@given(rows=st.lists(st.lists(tokens, max_size=30), min_size=1, max_size=5))
def test_lexical_weights_are_those_of_the_models_own_library(
    texts: ModuleType, rows: list[list[tuple[int, float]]]
) -> None:
    ids = [np.array([token for token, _ in row], np.int64) for row in rows]
    weights = [np.array([weight for _, weight in row], np.float32) for row in rows]
    # The graph gives 0 for special tokens.
    of_graph = [np.where(np.isin(i, SPECIAL), 0, w).astype(np.float32) for i, w in zip(ids, weights, strict=True)]

    packed = texts.packed([texts.largest(i, w) for i, w in zip(ids, of_graph, strict=True)])

    expected = [as_flag_embedding_does(w.tolist(), i.tolist()) for w, i in zip(weights, ids, strict=True)]
    assert sparse_rows(packed["SPARSE_INDICES"], packed["SPARSE_WEIGHTS"]) == expected
    assert packed["SPARSE_INDICES"].shape == (len(rows), max(1, *map(len, expected), 0))


@pytest.mark.parametrize(
    ("most_tokens", "tiles", "fused"),
    [
        (256, True, False),
        (512, True, False),
        (513, True, True),
        (8192, True, True),
        (0, True, True),
        (256, False, True),
    ],
)
def test_attention_is_not_fused_for_models_of_short_texts_where_the_cpu_has_tiles(
    graph: ModuleType, most_tokens: int, tiles: bool, fused: bool
) -> None:
    options = graph.openvino_options("bf16", most_tokens, tiles=tiles)

    assert ("SNIPPETS_MODE" not in options) == fused
    assert options["INFERENCE_PRECISION_HINT"] == "bf16"


@pytest.mark.parametrize(("flags", "found"), [("sse amx_bf16 amx_tile", True), ("sse avx512_bf16", False)])
def test_tiles_are_told_by_the_cpu_itself(graph: ModuleType, tmp_path: Path, flags: str, found: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags: {flags}\n", encoding="utf-8")

    assert graph.has_tiles(tmp_path / "cpuinfo") is found
    assert graph.has_tiles(tmp_path / "none") is False
