"""What the folder-based back ends share: which names are allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import InputError
from include.vector_store.folders import GenerationFolders


@pytest.mark.parametrize("name", ["../keywords__1", "keywords__1/..", "", ".keywords__1", "Keywords__1", "k" * 201])
def test_a_name_that_could_leave_the_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a generation"):
        GenerationFolders(tmp_path).folder(name)
