"""Each run has a log of its own and ends with a status that tells what to do."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from include.cli.session import command_session
from include.errors import GateFailed, ServiceUnavailable
from include.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    root = logging.getLogger("include")
    before = root.handlers[:], root.level, root.propagate
    yield Settings(log_dir=tmp_path)
    root.handlers[:], root.level, root.propagate = before


@pytest.mark.parametrize(
    ("failure", "status"),
    [(GateFailed("not good"), 1), (ServiceUnavailable("not there"), 75), (KeyboardInterrupt(), 130)],
)
def test_the_status_tells_whether_to_try_again(settings: Settings, failure: BaseException, status: int) -> None:
    with pytest.raises(typer.Exit) as ended, command_session("link", settings):
        raise failure
    assert ended.value.exit_code == status


def test_the_log_of_a_failure_tells_where_it_happened_even_of_one_that_nobody_foresaw(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), command_session("link", settings) as log_file:
        1 / 0  # noqa: B018
    assert log_file.parent == settings.log_dir / "link"
    text = log_file.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "ZeroDivisionError" in text


def test_what_the_library_says_is_in_the_log_with_its_time(settings: Settings) -> None:
    with command_session("link", settings) as log_file:
        logging.getLogger("include.linking").info("half done")
        logging.getLogger("include.linking").debug("only for the file")
    lines = log_file.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == [
        "INFO include.linking: half done",
        "DEBUG include.linking: only for the file",
    ]


def test_the_runs_of_a_job_share_a_log_a_day(settings: Settings) -> None:
    for _ in range(2):
        with command_session("playlist-cache", settings, job="cache_playlist") as log_file:
            logging.getLogger("include.playlists").info("written")
    assert log_file == next((settings.log_dir / "cache_playlist").iterdir())
    assert re.fullmatch(r"cache_playlist_\d{8}\.log", log_file.name)
    assert log_file.read_text(encoding="utf-8").count("INFO include.playlists: written") == 2


@pytest.fixture
def ending(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """The signal as a shell leaves it, though the tests themselves may run under ``nohup`` or in the background."""
    usual = signal.default_int_handler if request.param is signal.SIGINT else signal.SIG_DFL
    before = signal.signal(request.param, usual)
    yield request.param
    signal.signal(request.param, before)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], indirect=True)
def test_kill_a_closed_terminal_and_ctrl_c_end_alike(
    settings: Settings, capsys: pytest.CaptureFixture[str], ending: signal.Signals
) -> None:
    before, cleaned = signal.getsignal(ending), False
    with pytest.raises(typer.Exit) as ended, command_session("link", settings):
        try:
            os.kill(os.getpid(), ending)
            time.sleep(60)
        finally:
            if ending is not signal.SIGINT:  # make passes on what the terminal has sent already
                os.kill(os.getpid(), ending)
            cleaned = True
    assert (ended.value.exit_code, cleaned) == (130, True)
    assert "link: interrupted. The same command goes on where this one stopped." in capsys.readouterr().err
    assert signal.getsignal(ending) is before


def test_a_command_under_nohup_survives_its_terminal(settings: Settings) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with command_session("link", settings):
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_full_disk_is_one_sentence_that_names_it(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    full = Path("/dev/full")
    log = full.open("w")  # closing it fails, too: what it holds fits nowhere
    with pytest.raises(typer.Exit) as ended, command_session("link", settings):
        logging.getLogger("include").handlers[0].setStream(log)  # type: ignore[attr-defined]
        logging.getLogger("include.linking").info("half done")
        with full.open("wb", buffering=0) as output:
            output.write(b"x")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.splitlines() == [
        "half done",
        f"link: no room left on the disk of {settings.state_dir} or {settings.log_dir}. "
        "Free some space, then run the same command again.",
    ]


def test_a_disk_too_full_for_the_log_is_told_by_its_path(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mkdir(path: Path, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(typer.Exit), command_session("link", settings):
        pass
    assert f"link: no room left on the disk of {settings.log_dir / 'link'}." in capsys.readouterr().err


def test_a_path_that_this_user_may_not_use_is_one_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended, command_session("link", settings):
        raise PermissionError(errno.EACCES, "Permission denied", "/secret/products.txt")
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err == (
        "link: /secret/products.txt: Permission denied. Change the rights of it or of its folder, or give another "
        "path.\n"
    )


def test_other_failures_of_files_are_no_full_disk(settings: Settings) -> None:
    with pytest.raises(FileNotFoundError), command_session("link", settings):
        Path("/nowhere/file").read_bytes()
