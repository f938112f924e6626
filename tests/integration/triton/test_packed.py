"""Packed encoders for a GPU, on a CPU: they give what the padded source model gives. No GPU is needed for that."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.local_stack.environments import ensure
from include.settings import PROJECT_ROOT, Settings


@pytest.fixture(scope="module")
def cases() -> dict[str, Any]:
    """Random small encoders of each family, packed and padded, computed in the environment that has torch."""
    served = [PROJECT_ROOT / "triton_models" / name for name in ("gpu_packed", "cpu_embedder")]
    path = ":".join(map(str, [PROJECT_ROOT, *served]))
    answer = subprocess.run(
        [ensure(Settings(), "export"), Path(__file__).with_name("packed_cases.py")],
        env={**os.environ, "PYTHONPATH": path, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("family", ["modernbert", "modernbert, narrow window", "xlm_roberta", "bert"])
def test_texts_of_1_to_300_tokens_packed_equal_the_padded_source_model(
    cases: dict[str, Any], family: str, pooling: str
) -> None:
    found = cases["equality"][f"{family}, {pooling}"]

    assert found["together"] >= 0.9999
    assert found["alone"] >= 0.9999
    assert found["norm_error"] <= 1e-5
    assert found["nearest_other"] < 0.99  # the texts differ: equality says something


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padding_at_the_end_of_a_run_of_fixed_size_counts_for_nothing(cases: dict[str, Any], pooling: str) -> None:
    assert cases["fixed_size"][pooling]["one_by_one"] >= 0.9999
    assert cases["fixed_size"][pooling]["short_kernel"] >= 0.9999


def test_runs_that_share_their_memory_give_each_text_its_own_vector(cases: dict[str, Any]) -> None:
    assert cases["repeated"]["cosine"] >= 0.9999


def test_lexical_weights_are_the_source_models(cases: dict[str, Any]) -> None:
    assert cases["lexical"]["cosine"] >= 0.999
    assert cases["lexical"]["weight_error"] <= 0.02


def test_the_kernel_for_short_texts_is_plain_attention(cases: dict[str, Any]) -> None:
    assert len(cases["kernel"]) == 4
    assert max(cases["kernel"].values()) <= 1e-5
