"""The cutting of batches inside the served model; its work in the server is in tests/integration/triton."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.settings import PROJECT_ROOT


@pytest.fixture(scope="module")
def model() -> ModuleType:
    """The model's code, which finds Triton's own module only inside the server."""
    name = "triton_python_backend_utils"
    spec = importlib.util.spec_from_file_location("model", PROJECT_ROOT / "triton_models" / "cpu_embedder" / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, ModuleType(name))
        spec.loader.exec_module(module)
    return module


@given(
    lengths=st.lists(st.integers(min_value=2, max_value=700), max_size=80),
    budget=st.integers(min_value=1, max_value=2_000),
)
def test_every_text_is_run_once_and_no_batch_passes_the_budget(
    model: ModuleType, lengths: list[int], budget: int
) -> None:
    array = np.array(lengths, np.int64)
    order = np.argsort(array, kind="stable")

    batches = list(model.batches(order, array, budget))

    assert sorted(int(row) for rows in batches for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * array[rows].max() <= budget for rows in batches)


def test_short_texts_share_a_batch(model: ModuleType) -> None:
    lengths = np.array([10, 10, 10, 200], np.int64)

    batches = [rows.tolist() for rows in model.batches(np.arange(4), lengths, 256)]

    assert batches == [[0, 1, 2], [3]]
