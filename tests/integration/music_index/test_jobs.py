"""Train, build, rebuild, look at and roll back, one type of index or several."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.errors import InputError
from include.music_index.build import build
from include.music_index.increment import increment
from include.music_index.info import info
from include.music_index.parameters import (
    FaissBuildParameters,
    FaissIncrementParameters,
    FaissInfoParameters,
    FaissRollbackParameters,
    FaissTrainParameters,
)
from include.music_index.rollback import rollback
from include.music_index.several import for_each
from include.music_index.train import train
from include.mysql.embedding_table import EmbeddingTable
from tests.integration.music_index.music import ARTIST, SONG, START, Music


def test_a_training_is_filled_by_builds_of_its_own_time(music: Music, tmp_path: Path) -> None:
    music.load(SONG, rows=1500)
    folder = str(tmp_path / "trained")
    trained = train(SONG, FaissTrainParameters(output=folder, nlist=16), music.run(0), music.settings)
    assert (trained["kind"], trained["nlist"], trained["d"]) == ("ivf_sq8", 16, 512)
    assert Path(trained["file"]).is_file()
    assert music.index().current() is None
    published = tmp_path / "readers"
    parameters = FaissBuildParameters(input=folder, output=str(published))
    built = build(SONG, parameters, music.run(0), music.settings)
    assert built["rows"] == built["counts"]["written"] == len(music.ids()) > 1400
    assert built["recall_at_10"] > 0.9
    assert (published / "muse_vibe.index").is_file()


@pytest.mark.parametrize("kind", ["ivf_pq", "ivf_pq_refine"])
def test_other_kinds_are_built_and_brought_up_to_date_alike(music: Music, kind: str) -> None:
    rows = 1100
    music.load(SONG, rows=rows)
    settings = music.settings.model_copy(update={"faiss_recall_floors": "song=0.1"})
    music = Music(music.database, music.folder, settings)
    assert music.rebuild(kind=kind, nlist=8)["kind"] == kind
    music.play(1, rows=rows)
    first, again = music.increment(1), music.increment(1)
    assert (first["outcome"], again["outcome"]) == ("published", "unchanged")
    assert info(SONG, FaissInfoParameters(), music.run(1), music.settings)["key"].startswith("IVF8,PQ64x")


def test_an_index_is_rebuilt_from_nothing_and_from_ruins(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    ids = music.ids().tolist()
    for path in music.index().root.rglob("*.json"):
        path.write_text("torn")
    (music.index().root / "trained.npz").write_bytes(b"torn")
    assert music.rebuild()["outcome"] == "published"
    assert music.ids().tolist() == ids


def test_info_tells_the_shape_the_quality_and_the_versions_and_sees_changed_bytes(music: Music) -> None:
    music.load(SONG, rows=1200)
    nothing = info(SONG, FaissInfoParameters(), music.run(0), music.settings)
    assert (nothing["served"], nothing["versions"]) == (None, [])
    music.rebuild()
    told = info(SONG, FaissInfoParameters(), music.run(0), music.settings)
    assert told["is_trained"] is True
    assert told["damage"] is None
    assert (told["ntotal"], told["d"], told["kind"]) == (len(music.ids()), 512, "ivf_sq8")
    assert told["nlist"] > 1
    assert told["recall_at_10"] > 0.9
    assert told["versions"] == [told["served"]]
    assert told["watermark"].startswith("2026-01-01T16:58")
    path = music.served().folder / "index.faiss"
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 8)
    assert (
        "has changed since it was written" in info(SONG, FaissInfoParameters(), music.run(0), music.settings)["damage"]
    )
    unread = FaissInfoParameters(check=False)
    assert info(SONG, unread, music.run(0), music.settings)["damage"] is None


def test_a_roll_back_serves_the_version_before_and_the_next_increment_goes_on_from_there(music: Music) -> None:
    music.load(SONG)
    first = music.rebuild()["version"]
    music.play(1)
    second = music.increment(1)["version"]
    ids = music.ids().tolist()
    back = rollback(SONG, FaissRollbackParameters(), music.run(1), music.settings)
    assert (back["version"], back["instead_of"]) == (first, second)
    assert music.served().name == first
    forward = FaissRollbackParameters(version=second)
    assert rollback(SONG, forward, music.run(2), music.settings)["version"] == second
    rollback(SONG, FaissRollbackParameters(), music.run(2), music.settings)
    music.increment(2)
    assert music.ids().tolist() == ids
    with pytest.raises(InputError, match=r"song__gone is no generation of song. There are: "):
        rollback(SONG, FaissRollbackParameters(version="song__gone"), music.run(2), music.settings)


def test_the_same_run_rolls_back_once_however_often_it_is_tried_and_a_command_given_again_goes_on(music: Music) -> None:
    music.load(SONG)
    first = music.rebuild()["version"]
    music.play(1, 2)
    second, third = music.increment(1)["version"], music.increment(2)["version"]
    run = music.run(2)
    for _ in range(3):
        back = rollback(SONG, FaissRollbackParameters(type="song"), run, music.settings)
        assert (back["version"], back["instead_of"], back["outcome"]) == (second, third, "published")
    command = replace(run, key="command", repeats=False)
    assert rollback(SONG, FaissRollbackParameters(type="song"), command, music.settings)["version"] == first
    with pytest.raises(InputError, match="no generation before"):
        rollback(SONG, FaissRollbackParameters(type="song"), command, music.settings)


def test_rows_touched_while_a_build_reads_them_are_in_it(music: Music, monkeypatch: pytest.MonkeyPatch) -> None:
    music.load(SONG)
    music.rebuild()
    ids, after = music.ids().tolist(), (START + timedelta(days=1)).astimezone(UTC).replace(tzinfo=None)
    music.tell("UPDATE {table} SET updated_at = %s WHERE idx = %s", after, ids[0])  # served, and later than the run
    real = EmbeddingTable.pages

    def touched(table: EmbeddingTable, *arguments: Any) -> Any:
        music.tell("UPDATE {table} SET updated_at = %s WHERE idx IN (%s, %s)", after, ids[5], ids[6])
        music.tell("DELETE FROM {table} WHERE idx = %s", ids[7])
        return real(table, *arguments)

    monkeypatch.setattr(EmbeddingTable, "pages", touched)
    found = music.rebuild()
    assert music.ids().tolist() == [number for number in ids if number != ids[7]]
    assert found["counts"]["skipped"]["deleted meanwhile"] == 1
    assert "not due" not in found["counts"]["skipped"]


def test_a_day_by_its_date_is_the_daily_run_that_ended_then(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    music.play(1, 2)
    late = music.run(9)
    parameters = FaissIncrementParameters(date="2026-01-02")
    increment(SONG, parameters, late, music.settings)
    assert music.served().manifest.origin.watermark == (START + timedelta(days=1)).astimezone(UTC)
    with pytest.raises(InputError, match=r"still to come"):
        increment(SONG, FaissIncrementParameters(date="2026-02-01"), late, music.settings)


def test_what_fails_for_one_type_stops_no_other_and_is_named_at_the_end(music: Music) -> None:
    music.load(SONG, ARTIST)
    music.rebuild()
    music.rebuild(of=ARTIST)
    music.play(1)
    music.tell("RENAME TABLE {table} TO gone")
    done: list[str] = []
    with pytest.raises(InputError, match=SONG.table):
        for_each(increment, [SONG], FaissIncrementParameters(), music.run(1), music.settings)
    with pytest.raises(Exception, match=r"1 of 2 index types failed, the others are done. song: .*has no table"):
        for_each(
            increment, [SONG, ARTIST], FaissIncrementParameters(), music.run(1), music.settings,
            done=lambda found: done.append(found["type"]),
        )  # fmt: skip
    assert done == ["artist"]


def test_growth_far_beyond_the_training_raises_an_alert(music: Music, caplog: pytest.LogCaptureFixture) -> None:
    from include.mysql.clustered import Clusters

    music.load(SONG, rows=1100)
    music.rebuild(nlist=8)
    vectors = Clusters.of("song", 512, 1000, 3).draw(3500, 1)
    moment = START.astimezone(UTC).replace(tzinfo=None)
    rows = [(10_000 + at, f"S{at}", row.tobytes(), moment) for at, row in enumerate(vectors)]
    music.database.tell(
        f"INSERT INTO {SONG.table} (idx, song_id, embedding, updated_at) VALUES (%s, %s, %s, %s)", rows, many=True
    )
    with caplog.at_level("WARNING", "include"):
        found = music.increment(1)
    assert any("times the rows it was trained for" in alert for alert in found["drift"]["alerts"])
    assert "song has drifted" in caplog.text
    assert music.rebuild(1)["drift"]["alerts"] == []
