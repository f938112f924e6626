"""The supervisor's configuration, as it reads it itself."""

from __future__ import annotations

import configparser
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import SetupError
from include.local_stack.service import Service
from include.local_stack.supervisor import configuration_path, socket_path, write_configuration


def service(folder: Path) -> Service:
    return Service(
        name="first",
        command=("/bin/server", "it's; a #word", "%d\n"),
        ready=lambda: True,
        ports=(),
        log=folder / "logs" / "first.log",
        env={"PASSWORD": "a\"b'c %s ; #"},
        folder=folder,
        stop_seconds=7,
    )


def program(folder: Path) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"))
    parser.read(configuration_path(folder))
    return parser["program:first"]


def test_command_and_environment_arrive_unchanged_in_a_folder_with_spaces(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    write_configuration(folder, [service(folder)])
    written = json.loads(Path(shlex.split(program(folder)["command"])[-1]).read_text())
    assert tuple(written["command"]) == service(folder).command
    assert written["env"] == service(folder).env
    assert program(folder)["directory"] == str(folder)


def test_everything_written_is_private(tmp_path: Path) -> None:
    write_configuration(tmp_path, [service(tmp_path)])
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(files) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_a_changed_secret_changes_the_configuration_without_showing_in_it(tmp_path: Path) -> None:
    texts = []
    for password in ("first-password", "second-password"):
        write_configuration(tmp_path, [replace(service(tmp_path), env={"PASSWORD": password})])
        texts.append(configuration_path(tmp_path).read_text())
    assert texts[0] != texts[1]
    assert "password" not in "".join(texts).lower()


def test_the_supervisor_waits_longer_than_the_guard(tmp_path: Path) -> None:
    write_configuration(tmp_path, [service(tmp_path)])
    assert int(program(tmp_path)["stopwaitsecs"]) > service(tmp_path).stop_seconds


@pytest.mark.parametrize("name", ["100%", "a ;b", "a #b"])
def test_a_folder_that_the_configuration_cannot_name_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with pytest.raises(SetupError, match="Move the project"):
        write_configuration(folder, [service(folder)])


def test_a_long_path_gets_a_short_private_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    path = socket_path(folder)
    assert len(str(path)) <= 100
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path == socket_path(folder)
    path.parent.rmdir()
