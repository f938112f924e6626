"""A reader that could not read a new version at first reads it later."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from include.errors import ServiceUnavailable
from include.faiss_index import reader as module
from include.faiss_index.reader import IndexReader
from include.faiss_index.version import Version
from tests.integration.faiss_index.songs import built, incremented, index_folder, rows


@pytest.mark.parametrize("fault", [ServiceUnavailable("Too many open files."), MemoryError(), OSError(5, "I/O error")])
def test_after_a_fault_that_passes_the_new_version_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    folder = index_folder(tmp_path)
    first = built(folder, last=60)
    reader = IndexReader(folder.root)
    second = incremented(folder, rows(60, 70))
    real = Version.open

    def fail(*_: Any, **__: Any) -> Any:
        raise fault

    monkeypatch.setattr(Version, "open", fail)
    with caplog.at_level(logging.ERROR, module.__name__):
        for _ in range(3):
            assert reader.refresh() == first.name
    assert reader.error is fault
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    monkeypatch.setattr(Version, "open", real)
    assert reader.refresh() == second.name
    assert reader.error is None
