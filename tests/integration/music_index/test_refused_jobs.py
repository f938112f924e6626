"""What a job refuses, with which words, and that the served index stays."""

from __future__ import annotations

from datetime import UTC, timedelta

import numpy as np
import pytest

from include.errors import Busy, ContractError, GateFailed, InputError
from include.music_index.build import build
from include.music_index.parameters import (
    FaissBuildParameters,
    FaissTrainParameters,
)
from include.music_index.table_rows import Balance
from include.music_index.train import train
from tests.integration.music_index.music import SONG, START, Music


def test_a_build_needs_a_training_of_its_dimension(music: Music) -> None:
    music.load(SONG)
    with pytest.raises(InputError, match=r"Run faiss_train first, or faiss_rebuild"):
        build(SONG, FaissBuildParameters(), music.run(0), music.settings)
    train(SONG, FaissTrainParameters(), music.run(0), music.settings)
    with pytest.raises(InputError, match=r"song has 512 dimensions, 256 are asked for"):
        build(SONG, FaissBuildParameters(dimension=256), music.run(0), music.settings)


def test_without_an_index_an_increment_says_what_to_run(music: Music) -> None:
    music.load(SONG)
    with pytest.raises(InputError, match=r"Run faiss_rebuild"):
        music.increment(1)


def test_an_old_run_that_is_started_again_does_not_put_the_index_back_unless_that_is_meant(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    music.play(1)
    served = music.increment(1)["version"]
    with pytest.raises(InputError, match=rf"{served} has all changes up to 2026-01-02 16:58 .* with force"):
        music.rebuild(0)
    train(SONG, FaissTrainParameters(), music.run(0), music.settings)
    with pytest.raises(InputError, match="with force"):
        build(SONG, FaissBuildParameters(), music.run(0), music.settings)
    assert music.served().name == served
    assert music.rebuild(0, force=True)["outcome"] == "published"


def test_rows_that_do_not_add_up_keep_a_version_from_being_served(
    music: Music, monkeypatch: pytest.MonkeyPatch
) -> None:
    music.load(SONG)
    served = music.rebuild()["version"]
    music.play(1)
    real = Balance.struck
    monkeypatch.setattr(Balance, "struck", lambda balance, written: real(balance, written + 1))
    for job in (music.increment, music.rebuild):
        with pytest.raises(ContractError, match="do not add up"):
            job(1)
        assert music.index().all() == [served] == [music.served().name]


def test_an_increment_that_changes_most_rows_asks_for_a_rebuild(music: Music) -> None:
    music.load(SONG, rows=1100)
    served = music.rebuild(nlist=8)["version"]
    moment = (START + timedelta(hours=1)).astimezone(UTC).replace(tzinfo=None)
    vectors = np.random.default_rng(7).standard_normal((len(music.ids()), 512)).astype("<f4")
    changed = [(row.tobytes(), moment, int(number)) for row, number in zip(vectors, music.ids(), strict=True)]
    music.database.tell(
        f"UPDATE {SONG.table} SET embedding = %s, updated_at = %s WHERE idx = %s", changed[:700], many=True
    )
    with pytest.raises(GateFailed, match=r"% of the rows have another vector than before.* Run faiss_rebuild"):
        music.increment(1)
    assert music.served().name == served
    assert music.increment(1, force=True)["changes"]["updated"] == 700


def test_an_empty_table_is_not_built_and_one_that_became_empty_replaces_nothing(music: Music) -> None:
    with pytest.raises(InputError, match=rf"{SONG.table} has no rows, so there is nothing to index"):
        music.rebuild()
    music.load(SONG)
    served = music.rebuild()["version"]
    music.tell("DELETE FROM {table}")
    for share in (0.5, 0.0):
        with pytest.raises(GateFailed, match=r"would be empty|min_share"):
            music.increment(1, min_share=share)
    assert music.served().name == served


def test_a_table_that_lost_most_of_its_rows_replaces_nothing_unless_that_is_meant(music: Music) -> None:
    music.load(SONG)
    served = music.rebuild()["version"]
    music.tell("DELETE FROM {table} WHERE idx > %s", int(music.ids()[50]))
    with pytest.raises(GateFailed, match=r"run again with min_share 0"):
        music.increment(1)
    assert music.served().name == served
    assert music.increment(1, min_share=0.0)["rows"] == 51


def test_a_table_whose_vectors_have_another_length_is_refused_with_an_example(music: Music) -> None:
    music.load(SONG)
    with pytest.raises(
        InputError, match=r"none of the .* holds a vector of 256 numbers; the first is id \d+: wrong length"
    ):
        music.rebuild(dimension=256)


def test_a_recall_below_the_floor_of_the_type_is_not_served(music: Music) -> None:
    music.load(SONG, rows=1200)
    strict = music.settings.model_copy(update={"faiss_recall_floors": "artist=0.2,song=1.0"})
    with pytest.raises(GateFailed, match=r"at least 1\.0 is asked for"):
        Music(music.database, music.folder, strict).rebuild(kind="ivf_pq")
    assert music.index().current() is None


def test_two_runs_over_one_index_do_not_meet(music: Music) -> None:
    music.load(SONG)
    music.rebuild()
    with music.index().alone("faiss_build"), pytest.raises(Busy, match=r"held by: faiss_build of song"):
        music.increment(1)
