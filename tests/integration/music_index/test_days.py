"""Day after day: the index has the table's good rows, each once, in whatever order the days are done."""

from __future__ import annotations

import json
import random
from datetime import UTC, timedelta

import numpy as np
import pytest

from include.catalog.index_types import IndexType
from include.faiss_index.manifest import IDS
from include.faiss_index.reader import IndexReader
from include.music_index.folders import BAD_ROWS
from include.mysql.connection import MysqlConnection, Session
from tests.integration.music_index.music import ARTIST, SONG, START, Music, end_of

DAYS = range(1, 11)
MOMENT = (START + timedelta(hours=5)).astimezone(UTC).replace(tzinfo=None)  # in the first day, as the columns have it
LONG_AGO = MOMENT - timedelta(days=90)


def blob(number: int, dimension: int = 512) -> bytes:
    return np.random.default_rng(number).standard_normal(dimension).astype("<f4").tobytes()


def insert(music: Music, number: int, *, updated: object = MOMENT, vector: bytes | None = None) -> None:
    music.tell(
        "REPLACE INTO {table} (idx, song_id, embedding, updated_at) VALUES (%s, %s, %s, %s)",
        number, f"S{number}", blob(number) if vector is None else vector, updated,
    )  # fmt: skip


def test_an_increment_adds_changes_and_removes_what_a_day_did_and_the_counts_add_up(music: Music) -> None:
    music.load(SONG)
    built = music.rebuild()
    (day,) = music.play(1)
    found = music.increment(1)
    assert found["outcome"] == "published"
    assert found["rows"] == built["rows"] + found["changes"]["new"] - found["changes"]["deleted"]
    assert found["counts"]["read"] == found["counts"]["written"] + sum(found["counts"]["skipped"].values())
    assert found["counts"]["written"] == found["rows"] == len(music.ids())
    assert found["bad"]["count"] == day.bad + built["bad"]["count"]
    assert music.served().manifest.origin.watermark == end_of(1)


def test_a_rerun_of_the_same_day_adds_nothing_and_serves_the_same_version(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    music.play(1)
    first, second = music.increment(1), music.increment(1)
    assert second["outcome"] == "unchanged"
    assert second["version"] == first["version"] == music.served().name
    assert second["changes"] == {"new": 0, "updated": 0, "deleted": 0, "unchanged": second["changes"]["unchanged"]}
    assert second["counts"] == first["counts"]


def test_a_run_that_was_killed_after_it_had_served_its_version_says_so_when_it_is_run_again(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    music.play(1)
    first = music.increment(1, name="cut off")
    again = music.increment(1, name="cut off")
    assert (again["outcome"], again["version"]) == ("published", first["version"])


@pytest.mark.parametrize(("kind", "rows"), [(SONG, 1200), (ARTIST, 400)], ids=["ivf", "flat"])
def test_ten_days_in_any_order_with_reruns_give_the_ids_of_one_build_byte_for_byte(
    music: Music, kind: IndexType, rows: int
) -> None:
    music.load(kind, rows=rows)
    music.rebuild(of=kind)
    order = [*DAYS, 3, 7, 7]
    random.Random(5).shuffle(order)
    music.play(*DAYS[:5], kind=kind, rows=rows)
    for day in order[:6]:
        music.increment(day, of=kind)
    music.play(*DAYS[5:], kind=kind, rows=rows)
    for day in [*order[6:], *set(order[:6])]:
        music.increment(day, of=kind)
    built = music.other("built at once")
    built.rebuild(DAYS[-1], of=kind)
    assert (music.served(kind).folder / IDS).read_bytes() == (built.served(kind).folder / IDS).read_bytes()


def test_days_that_were_missed_are_made_up_for_by_the_next(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    music.play(1, 2, 3, 4)
    music.increment(4)
    built = music.other("built at once")
    built.rebuild(4)
    assert music.ids().tolist() == built.ids().tolist()


def test_what_was_committed_late_is_found_though_no_window_of_time_holds_it(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    insert(music, 10_000, updated=LONG_AGO)
    found = music.increment(1)
    assert found["changes"]["new"] == 1
    assert 10_000 in music.ids()


def test_a_row_changed_in_a_transaction_that_stayed_open_for_days_is_found_by_a_long_overlap(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    number, vector = int(music.ids()[5]), blob(77)
    settings = music.settings
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell("SET autocommit = 0", of=SONG.table)
        statement = f"UPDATE {SONG.table} SET embedding = %s, updated_at = %s WHERE idx = %s"
        session.tell(statement, (vector, MOMENT, number), of=SONG.table)
        music.increment(1)
        music.increment(2)
        session.tell("COMMIT", of=SONG.table)
    assert music.increment(3)["changes"]["updated"] == 0  # the limit that docs/mysql.md tells
    found = music.increment(3, overlap_hours=8760)
    assert (found["outcome"], found["changes"]["updated"]) == ("published", 1)
    _, ids = IndexReader(music.index().root).search(np.frombuffer(vector, "<f4")[None, :], 1)
    assert ids[0, 0] == number


def test_a_row_changed_in_a_transaction_open_across_one_run_is_found_by_the_next(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    number, settings = int(music.ids()[5]), music.settings
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell("SET autocommit = 0", of=SONG.table)
        statement = f"UPDATE {SONG.table} SET embedding = %s, updated_at = %s WHERE idx = %s"
        session.tell(statement, (blob(77), MOMENT, number), of=SONG.table)
        assert music.increment(1)["changes"]["updated"] == 0
        session.tell("COMMIT", of=SONG.table)
    assert music.increment(2)["changes"]["updated"] == 1


def test_rows_deleted_in_either_way_leave_and_one_that_comes_back_enters(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    soft, silent, hard = music.ids()[:3].tolist()
    music.tell("UPDATE {table} SET deleted_at = %s, updated_at = %s WHERE idx = %s", MOMENT, MOMENT, soft)
    music.tell("UPDATE {table} SET deleted_at = %s WHERE idx = %s", MOMENT, silent)
    music.tell("DELETE FROM {table} WHERE idx = %s", hard)
    assert music.increment(1)["changes"]["deleted"] == 3
    assert not {soft, silent, hard} & set(music.ids().tolist())
    music.tell("UPDATE {table} SET deleted_at = NULL WHERE idx IN (%s, %s)", soft, silent)
    assert music.increment(2)["changes"]["new"] == 2
    assert {soft, silent} < set(music.ids().tolist())


def test_a_changed_vector_is_found_by_what_it_is_now(music: Music) -> None:
    music.load(SONG, rows=1200)
    music.rebuild()
    number = int(music.ids()[5])
    insert(music, number, vector=blob(77))
    assert music.increment(1)["changes"]["updated"] == 1
    scores, ids = IndexReader(music.index().root).search(np.frombuffer(blob(77), "<f4")[None, :], 1)
    assert ids[0, 0] == number
    assert scores[0, 0] > 0.9  # in codes of a byte, whose range it leaves


def test_every_bad_row_is_named_with_its_reason_each_day_until_it_is_mended(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    number = int(music.ids()[7])
    insert(music, number, vector=blob(1)[:-4])
    found = music.increment(1)
    assert number not in music.ids()
    for _ in range(2):
        lines = [json.loads(line) for line in (music.index().root / BAD_ROWS).read_text().splitlines()]
        assert len(lines) == found["bad"]["count"]
        assert {"id": number, "reason": "wrong length", "detail": "2044 bytes, 2048 are expected of float32"} in lines
        assert {line["reason"] for line in lines} == {"null", "wrong length", "not finite", "zero norm"}
        found = music.increment(2)
    insert(music, number, updated=MOMENT + timedelta(days=2))
    assert music.increment(3)["bad"]["count"] == found["bad"]["count"] - 1
    assert number in music.ids()


def test_rows_of_a_later_day_wait_for_their_own_run(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    insert(music, 10_000)
    insert(music, 10_001, updated=MOMENT + timedelta(days=1))
    found = music.increment(1)
    assert found["counts"]["skipped"]["not due"] == 1
    assert found["changes"]["new"] == 1
    assert music.increment(2)["changes"]["new"] == 1


def test_a_run_by_hand_takes_all_since_the_watermark(music: Music) -> None:
    from include.generations.run import Run
    from include.music_index.increment import increment
    from include.music_index.parameters import FaissIncrementParameters

    music.load(SONG)
    music.rebuild()
    music.play(1, 2)
    found = increment(SONG, FaissIncrementParameters(), Run("by hand", end_of(2)), music.settings)
    built = music.other("built at once")
    built.rebuild(2)
    assert found["outcome"] == "published"
    assert music.ids().tolist() == built.ids().tolist()


def test_readers_outside_find_the_days_file_the_served_one_and_a_backup(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    music.play(1)
    music.increment(1)
    music.increment(2)  # without a change: the day still gets its file
    published = music.settings.faiss_published_folder
    names = {str(path.relative_to(published)) for path in published.rglob("*.index")}
    assert names == {
        "muse_vibe.index", "muse_vibe_20260101.index", "muse_vibe_20260102.index", "muse_vibe_20260103.index",
        "backup/muse_vibe_20260101.index", "backup/muse_vibe_20260102.index",
    }  # fmt: skip
    served = (published / "muse_vibe.index").read_bytes()
    assert served == (published / "muse_vibe_20260103.index").read_bytes() == _index_bytes(music)


def _index_bytes(music: Music) -> bytes:
    return (music.served().folder / "index.faiss").read_bytes()
