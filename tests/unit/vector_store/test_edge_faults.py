"""What the engine says in words becomes an error of the right class, with what to do."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from include.errors import AccessDenied, ContractError, ServiceUnavailable, SetupError
from include.vector_store.edge_faults import SPARE_BYTES, check_room, ended, translated

FOLDER = Path("/data/shards/keywords__1")


@pytest.mark.parametrize(
    ("words", "error", "advice"),
    [
        ("Failed to open mmap payload storage: Permission denied (os error 13)", AccessDenied, "right to write"),
        ("failed to create directory: Read-only file system (os error 30)", AccessDenied, "right to write"),
        ("failed to set length of file: No space left on device (os error 28)", SetupError, "Free some space"),
        ("failed to flush: Disk quota exceeded (os error 122)", SetupError, "Free some space"),
        ("failed to map: Cannot allocate memory (os error 12)", ServiceUnavailable, "run this again later"),
        ("failed to open: Too many open files (os error 24)", ServiceUnavailable, "run this again later"),
        ("Tracker file does not exist", ContractError, "Build it again"),
        ("No such file or directory (os error 2)", ContractError, "Build it again"),
    ],
)
def test_words_become_an_error_with_what_to_do(words: str, error: type[Exception], advice: str) -> None:
    with pytest.raises(error, match=rf"{FOLDER}: .*{advice}") as found, translated(FOLDER):
        raise Exception(words)  # noqa: TRY002 — as the engine does
    assert words in str(found.value)


def test_an_error_that_is_not_the_engines_passes() -> None:
    with pytest.raises(TypeError), translated(FOLDER):
        raise TypeError("a mistake in the call")


@pytest.mark.parametrize(
    ("status", "said", "error", "advice"),
    [
        (-signal.SIGBUS, "", SetupError, "Free some space"),
        (-signal.SIGKILL, "", ServiceUnavailable, "SIGKILL.*free memory"),
        (1, "Traceback …\nException: No space left on device (os error 28)", SetupError, "Free some space"),
        (1, "", ContractError, "status 1"),
    ],
)
def test_a_dead_process_tells_why_it_died(status: int, said: str, error: type[Exception], advice: str) -> None:
    found = ended(FOLDER, status, said)
    assert type(found) is error
    with pytest.raises(error, match=f"{FOLDER}.*{advice}"):
        raise found


def test_room_is_asked_for_with_some_to_spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = 1 << 30
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free}))
    check_room(tmp_path, free - SPARE_BYTES)
    with pytest.raises(SetupError, match=f"1024 MiB are free at {tmp_path}, 1025 MiB are needed"):
        check_room(tmp_path, free - SPARE_BYTES + (1 << 20))
