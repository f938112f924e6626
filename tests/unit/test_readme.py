"""Both READMEs say the same, and what they name is there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from include.cli.app import app
from include.settings import PREFIX, PROJECT_ROOT, Settings

ENGLISH, KOREAN = ((PROJECT_ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ko.md"))
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
LINES = 75  # one screen beside the diagram


def blocks(text: str) -> list[list[str]]:
    """Lines of every code block without their comments; of the diagram, its nodes and arrows without their labels."""
    labels = re.compile(r"\|[^|]*\||\[[^\](]+\]")
    return [
        [labels.sub("", line) if kind else line.split(" # ")[0].strip() for line in code.splitlines()]
        for kind, code in BLOCK.findall(text)
    ]


def outside(text: str) -> str:
    return BLOCK.sub("", text)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(blocks, id="commands and diagram"),
        pytest.param(lambda text: re.findall(r"^#+ ", text, re.MULTILINE), id="headings"),
        pytest.param(lambda text: sorted(re.findall(r"`[^`]+`", outside(text))), id="names"),
        pytest.param(lambda text: sorted(re.findall(r"\d+(?:\.\d+)*", outside(text))), id="figures"),
        pytest.param(lambda text: sorted(re.findall(r"\]\(((?!README)[^)]+)\)", text)), id="links"),
        pytest.param(lambda text: sorted(re.findall(r"\*\*[^*]+\*\*", text)), id="DAGs"),
        pytest.param(lambda text: len(re.findall(r"^\|", text, re.MULTILINE)), id="rows of tables"),
        pytest.param(lambda text: len(re.findall(r"\n\n", text)), id="paragraphs"),
    ],
)
def test_both_languages_have_the_same(part) -> None:  # type: ignore[no-untyped-def]
    assert part(ENGLISH)
    assert part(KOREAN) == part(ENGLISH)


def test_it_fits_one_screen() -> None:
    assert len(outside(ENGLISH).splitlines()) <= LINES


def test_every_make_target_that_it_names_exists() -> None:
    targets = re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"make ([a-z-]+)(?=[` ])", ENGLISH)
    assert {"demo", "test", "help", "down"} <= set(named) <= set(targets)


def test_every_command_that_it_names_takes_what_it_is_given() -> None:
    words = [part for line in ENGLISH.splitlines() for part in re.split(r"&&|`", line)]
    commands = [shlex.split(part, comments=True)[1:] for part in words if part.strip().startswith("embsearch ")]
    assert len(commands) >= 10
    for arguments in commands:
        read(typer.main.get_command(app), arguments)


def read(command: click.Command, arguments: list[str]) -> None:
    """Follow ``arguments`` to their command and read its options; an unknown one raises."""
    if isinstance(command, click.Group):
        assert arguments[0] in command.commands, arguments
        read(command.commands[arguments[0]], arguments[1:])
    else:
        command.make_context(str(command.name), list(arguments))


def test_every_setting_that_it_names_exists() -> None:
    named = {name.lower() for name in re.findall(rf"{PREFIX}([A-Z_]+)", ENGLISH)}
    assert named
    assert named <= set(Settings.model_fields)


def test_every_file_and_dag_that_it_names_exists() -> None:
    files = [link for link in re.findall(r"\]\(([^)]+)\)", ENGLISH) if "://" not in link]
    assert len(files) >= 8
    assert [file for file in files if not (PROJECT_ROOT / file).exists()] == []
    diagram = next(code for kind, code in BLOCK.findall(ENGLISH) if kind == "mermaid")
    dags = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", " ".join(re.findall(r"\|([^|]+)\|", diagram))))
    assert len(dags) >= 6
    dags |= {name.strip("*") for name in re.findall(r"\*\*[^*]+\*\*", ENGLISH)} | {"dead_letter_replay"}
    assert [dag for dag in dags if not Path(PROJECT_ROOT / "dags" / f"{dag}.py").exists()] == []
