from pathlib import Path

import pytest

from include.errors import InputError
from include.sources.files import Source, find_input
from include.sources.plan import InputPlan, plan_input, read_planned
from include.sources.rows import Row


def planned(tmp_path: Path, data: bytes, *, limit: int = 0, shard_rows: int = 2) -> tuple[InputPlan, list[list[Row]]]:
    path = tmp_path / "in.txt"
    path.write_bytes(data)
    plan = plan_input(
        Source(path, "text"), tmp_path / "input", fingerprint="f" * 64, limit=limit, shard_rows=shard_rows
    )
    return plan, [read_planned(tmp_path / "input" / f"{i:05d}.parquet") for i in range(plan.shards)]


def test_every_row_read_is_accounted_for(tmp_path: Path) -> None:
    plan, shards = planned(tmp_path, b"a\n\nb\na\nc\n" + b"good\n" * 200 + b"\xff\n")
    assert plan.counts.read == 206
    assert plan.counts.written == plan.rows == 4
    assert plan.counts.skipped == {"blank": 1, "duplicate": 200, "unusable": 1}
    assert plan.counts.dead == 0
    assert [dead.reason for dead in plan.unusable] == ["not_utf8"]
    assert shards == [[Row(0, "a"), Row(2, "b")], [Row(4, "c"), Row(5, "good")]]


def test_limit_takes_the_first_usable_texts(tmp_path: Path) -> None:
    plan, shards = planned(tmp_path, b"a\na\n\nb\nc\nd\n", limit=3)
    assert [row.text for shard in shards for row in shard] == ["a", "b", "c"]
    assert plan.counts.read == 5


def test_a_limit_that_leaves_rows_behind_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not planned(tmp_path, b"a\nb\nc\n", limit=3)[0].cut_by_limit
    assert not caplog.records
    assert planned(tmp_path, b"a\nb\nc\nd\n", limit=3)[0].cut_by_limit
    assert "limit 3 was reached" in caplog.text


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"\n \n", "no usable row: 2 read"), ("ファッション\nバッグ\n".encode("shift_jis"), "are not UTF-8, first row 0")],
)
def test_a_file_with_nothing_to_do_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        planned(tmp_path, data)


def test_a_plan_survives_json(tmp_path: Path) -> None:
    plan, _ = planned(tmp_path, b"a\nb\n")
    assert InputPlan.from_dict(plan.as_dict()) == plan


def test_a_missing_and_an_empty_file_are_two_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt does not exist.*embsearch generate"):
        find_input(tmp_path / "nowhere.txt")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match=r"empty\.txt is empty"):
        find_input(tmp_path / "empty.txt")


def test_what_is_named_as_parquet_and_is_none_is_refused_as_such(tmp_path: Path) -> None:
    """Not as text in another encoding, which sends its owner the wrong way."""
    path = tmp_path / "products.parquet"
    path.write_bytes(bytes(range(256)) * 100)
    with pytest.raises(InputError, match=r"products\.parquet is no Parquet file, though its name says so"):
        find_input(path)
