"""Dead letters are on the disk, once each, whatever is in them and whoever writes."""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from include.elastic.dead_letter import DeadLetter
from include.elastic.dead_letters import LetterBox, dead_ids, inventory, read_letters
from include.elastic.parameters import ReplayParameters
from include.elastic.replay import replay_dead_letters
from include.errors import ContractError
from include.settings import Settings


def letter(number: int, *, attempts: int = 1, **document: Any) -> DeadLetter:
    source: Mapping[str, Any] = document or {"keyword": f"赤い {number}"}
    error = {"type": "document_parsing_exception", "reason": "no"}
    operation = {"index": {"_id": str(number), "version": 7}}
    return DeadLetter(
        f"2026-11-21T07:00:{number:02d}+00:00", "run", "keywords__g1", operation, source, error, 400, attempts
    )


def test_a_letter_is_read_back_as_it_was(tmp_path: Path) -> None:
    letters = [
        letter(1),
        letter(2, keyword="lone \ud800"),
        letter(3, keyword="\x00\r\n\u2028"),
        letter(4, nested=[{"a": 1.5}]),
    ]
    LetterBox(tmp_path, "run").append(letters)
    assert list(read_letters([tmp_path / "run.jsonl"])) == letters
    assert "赤い" in (tmp_path / "run.jsonl").read_text(encoding="utf-8")  # people read it too


def leave_half(box: LetterBox, number: int) -> None:
    """As somebody does who is killed while he writes this letter."""
    with box.path.open("ab") as file:
        file.write(letter(number).line()[:-30])


def test_half_a_line_of_a_killed_writer_is_no_letter_and_no_damage(tmp_path: Path) -> None:
    box = LetterBox(tmp_path, "run")
    box.append([letter(1)])
    leave_half(box, 2)
    assert list(read_letters([box.path])) == [letter(1)]
    assert dead_ids(tmp_path, "run") == {"1"}
    (run,) = inventory(tmp_path)
    assert (run.letters, run.damaged, len(run.unfinished)) == (1, (), 1)
    assert run.unfinished[0].startswith(f"{box.path}, line 2 is unfinished")


def test_who_writes_after_a_killed_writer_leaves_whole_lines_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    box = LetterBox(tmp_path, "run")
    box.append([letter(1)])
    leave_half(box, 2)
    box.append([letter(2), letter(3)])  # the work is done again
    assert list(read_letters([box.path])) == [letter(1), letter(2), letter(3)]
    assert f"{box.path}: half a line at the end is cut off" in caplog.text
    (run,) = inventory(tmp_path)
    assert (run.letters, run.damaged, run.unfinished) == (3, (), ())


@pytest.mark.parametrize("before", [0, 1], ids=["the-first-line", "a-later-line"])
def test_a_whole_last_line_without_its_end_is_a_letter(tmp_path: Path, before: int) -> None:
    box = LetterBox(tmp_path, "run")
    box.append([letter(number) for number in range(before)])
    with box.path.open("ab") as file:
        file.write(letter(7).line().rstrip())  # an editor's doing
    wanted = [*(letter(number) for number in range(before)), letter(7)]
    assert list(read_letters([box.path])) == wanted
    box.append([letter(8)])
    assert list(read_letters([box.path])) == [*wanted, letter(8)]


def test_half_a_line_as_the_only_line_is_replaced(tmp_path: Path) -> None:
    box = LetterBox(tmp_path, "run")
    leave_half(box, 1)
    assert inventory(tmp_path)[0].letters == 0
    box.append([letter(1)])
    assert list(read_letters([box.path])) == [letter(1)]


def test_on_a_full_disk_all_of_the_letters_are_kept_or_none(tmp_path: Path) -> None:
    box = LetterBox(tmp_path, "run")
    box.append([letter(1)])
    before = box.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            box.append([letter(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert box.path.read_bytes() == before


def test_a_document_that_died_twice_is_there_once_as_it_died_last(tmp_path: Path) -> None:
    box = LetterBox(tmp_path, "run")
    box.append([letter(1), letter(2)])
    box.append([letter(1, attempts=2), letter(1, keyword="another with the same id")])
    assert list(read_letters([box.path])) == [
        letter(2),
        letter(1, attempts=2),
        letter(1, keyword="another with the same id"),
    ]


def test_the_standing_list_counts_by_run_and_reason(tmp_path: Path) -> None:
    assert inventory(tmp_path) == []
    LetterBox(tmp_path, "one").append([letter(n) for n in range(10)])
    LetterBox(tmp_path, "two").append([letter(1)])
    LetterBox(tmp_path, "two").take()  # a replay that was interrupted
    LetterBox(tmp_path, "two").append([letter(2)])
    one, two = inventory(tmp_path)
    assert (one.run, one.letters, one.reasons) == ("one", 10, {"document_parsing_exception": 10})
    assert (one.oldest, one.newest) == (letter(0).time, letter(9).time)
    assert one.indexes == ("keywords__g1",)
    assert len(one.samples) == 3
    assert (two.run, two.letters) == ("two", 2)


def test_a_run_may_have_any_name(tmp_path: Path) -> None:
    LetterBox(tmp_path, "manual__2026-11-21T07:00:00+00:00/../x").append([letter(1)])
    (found,) = inventory(tmp_path)
    assert found.letters == 1
    assert LetterBox(tmp_path, found.run).take()


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    box = LetterBox(tmp_path, "run")
    box.append([letter(1)])
    with box.path.open("a") as file:
        file.write('{"time": "2026"\n')
    leave_half(box, 2)
    with pytest.raises(ContractError, match=r"run\.jsonl, line 2 is damaged"):
        list(read_letters([box.path]))


def test_the_standing_list_names_damaged_lines_and_counts_the_rest(tmp_path: Path) -> None:
    box = LetterBox(tmp_path, "run")
    box.append([letter(1)])
    with box.path.open("ab") as file:
        file.write(b'{"time": "2026"\n\xff\xfe\n[1]\n')
        file.write(letter(1).line().replace(b'"_id"', b'"id"'))
    box.append([letter(2)])
    LetterBox(tmp_path, "whole").append([letter(3)])
    (tmp_path / "worse.jsonl").write_text("not JSON\n")
    run, whole, worse = inventory(tmp_path)
    assert (run.letters, whole.letters, worse.letters) == (2, 1, 0)
    assert [line.split(" is damaged")[0] for line in run.damaged] == [f"{box.path}, line {row}" for row in (2, 3, 4, 5)]
    assert (len(whole.damaged), len(worse.damaged)) == (0, 1)


def test_a_dry_run_tells_of_damaged_lines_and_of_the_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "dead_letters"
    LetterBox(folder, "run").append([letter(1)])
    (folder / "broken.jsonl").write_text("not JSON\n")
    leave_half(LetterBox(folder, "killed"), 1)
    told = replay_dead_letters(ReplayParameters(), Settings(state_dir=tmp_path))
    assert (told["letters"], told["damaged"], told["unfinished"]) == (1, 1, 1)
    assert [run["run"] for run in told["runs"]] == ["run"]
    assert "1 dead letters are only half written, by processes that were killed" in caplog.text
    assert f"1 lines of dead letters cannot be read, the first: {folder}/broken.jsonl, line 1 is damaged" in caplog.text


def append_many(folder: Path, first: int) -> None:
    for number in range(first, first + 50):
        LetterBox(folder, "run").append([letter(number, keyword="long " * 2000), letter(number)])


def test_several_processes_append_whole_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append_many, args=(tmp_path, first)) for first in (0, 100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    lines = (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) == 300
    assert inventory(tmp_path)[0].letters == 300
