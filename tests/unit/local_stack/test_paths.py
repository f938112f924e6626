"""Paths for programs that cannot do with every name."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from include.errors import SetupError
from include.local_stack.paths import plain, private_folder


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_plain_path_stays_as_it_is() -> None:
    assert plain(Path("/srv/embsearch-1.0/my_models")) == Path("/srv/embsearch-1.0/my_models")


@pytest.mark.parametrize("name", ["with space", "it's", "$HOME", "a;b", "모델"])
def test_a_path_that_a_shell_would_change_is_reached_by_a_plain_one(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    link = plain(folder)
    assert link.parent != folder.parent
    folder.mkdir()
    (folder / "file").write_text("found")
    assert (link / "file").read_text() == "found"
    assert plain(folder) == link
    assert plain(link) == link


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    private_folder(tmp_path).chmod(0o755)
    with pytest.raises(SetupError, match="Remove it"):
        private_folder(tmp_path)
