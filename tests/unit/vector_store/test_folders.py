"""What the folder-based back ends share: which generations go, and which names are allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import InputError
from include.vector_store.folders import GenerationFolders, outdated


def test_the_newest_and_the_served_one_are_kept() -> None:
    assert outdated(["a", "b", "c", "d"], served="a", keep=2) == ["b"]
    assert outdated(["a", "b", "c", "d"], served="d", keep=2) == ["a", "b"]
    assert outdated(["a", "b"], served=None, keep=2) == []


def test_keeping_none_is_refused() -> None:
    with pytest.raises(InputError, match="keep is 0"):
        outdated(["a"], served="a", keep=0)


@pytest.mark.parametrize("name", ["../keywords__1", "keywords__1/..", "", ".keywords__1", "Keywords__1", "k" * 201])
def test_a_name_that_could_leave_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a generation"):
        GenerationFolders(tmp_path).folder(name)
