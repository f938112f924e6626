"""Each run has a log of its own and ends with a status that tells what to do."""

from __future__ import annotations

import logging
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
