"""Faults of the real engine in process are what users see, and are tried again only when that can help."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from include.bench.synthetic import clustered
from include.errors import ContractError, SetupError
from include.vector_store import edge_faults
from include.vector_store.open import open_store
from tests.integration.vector_store import processes
from tests.integration.vector_store.backends import FACTS, Backend

GENERATION = f"{processes.ALIAS}__0001"


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    url = f"edge:{tmp_path / 'store'}"
    return Backend("edge", url, open_store(url), processes.ALIAS)


def test_a_folder_without_the_right_to_write_is_named(backend: Backend) -> None:
    backend.build(1, clustered(*processes.SMALL))
    words = processes.outcome("search_without_right", backend.url, GENERATION)
    assert re.search(f"^AccessDenied: .*{GENERATION}.*Permission denied.*Give this user the right to write", words)


def test_files_that_may_not_grow_fail_for_good(backend: Backend) -> None:
    words = processes.outcome("build_with_small_files", backend.url, GENERATION)
    assert re.search(f"^SetupError: .*{GENERATION}.*File too large.*Free some space", words)


def test_a_damaged_generation_is_named_and_not_tried_again(backend: Backend) -> None:
    generation = backend.build(1, clustered(*processes.SMALL))
    (state,) = Path(backend.url.removeprefix("edge:")).rglob("segment.json")
    state.write_text("{")
    with pytest.raises(ContractError, match=f"{generation}.*damaged.*Build it again, or roll back"):
        backend.store.search(generation, clustered(1, processes.SMALL[1]), 3)


def test_a_disk_too_full_for_what_comes_is_told_before_the_kernel_ends_the_process(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    points, dimension = processes.LARGE
    backend.store.begin(GENERATION, dimension=dimension, **FACTS)
    backend.store.upsert(
        GENERATION, np.arange(points), clustered(points, dimension), [str(number) for number in range(points)]
    )
    monkeypatch.setattr(edge_faults, "SPARE_BYTES", 1 << 60)  # no disk has that much
    with pytest.raises(SetupError, match="MiB are free at .*Free some space"):
        backend.store.upsert(GENERATION, np.arange(1), clustered(1, dimension), ["more"])
    with pytest.raises(SetupError, match="MiB are free at .*Free some space"):
        backend.store.seal(GENERATION, expected=points)
    assert backend.store.generations(processes.ALIAS) == []
    monkeypatch.undo()
    backend.build(1)  # and can be built when there is room
