"""From songs to sets: what goes in, what is left out and told, what stays."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from include.catalog.index_types import INDEX_TYPES, PROGRAMS, IndexType
from include.errors import ContractError, GateFailed, InputError
from include.generations.run import Run
from include.playlists.cache import PlaylistCache
from include.playlists.collect import Inputs, ServedIds
from include.playlists.parameters import PlaylistCacheParameters
from include.playlists.reader import PlaylistReader
from include.playlists.workflow import cache_from
from include.settings import Settings
from tests.integration.playlists.conftest import DAY_1, DAY_2, one_set, writing
from tests.integration.redis_server import RedisServer


@dataclass
class Tables:
    """Songs, rows and indexes as a test wants them; the real ones stand in test_whole_chain."""

    songs: dict[str, list[str]] = field(default_factory=dict)  # programme → songs
    rows: dict[str, list[int]] = field(default_factory=dict)  # song → rows, the same in every table
    indexed: dict[str, Sequence[int]] = field(default_factory=dict)  # type → ids; else all rows
    without: tuple[str, ...] = ()  # types that no index is served of
    asked: list[tuple[str, int]] = field(default_factory=list)

    @property
    def inputs(self) -> Inputs:
        return Inputs(lambda program: self.songs.get(program, []), self._rows, self._served)

    def _rows(self, kind: IndexType, songs: Sequence[str]) -> Mapping[str, Sequence[int]]:
        self.asked.append((kind.name, len(songs)))
        return {song: self.rows[song] for song in songs if song in self.rows}

    def _served(self, kind: IndexType) -> ServedIds | None:
        every = sorted(row for rows in self.rows.values() for row in rows)
        ids = np.asarray(self.indexed.get(kind.name, every), np.int64)
        return None if kind.name in self.without else ServedIds(f"{kind.name}__v1", ids)


@dataclass
class Caching:
    settings: Settings
    reader: PlaylistReader

    def run(self, tables: Tables, day: datetime = DAY_1, **values: Any) -> dict[str, Any]:
        return cache_from(tables.inputs, PlaylistCacheParameters(**values), Run("key", day), self.settings)

    def ids(self, program: str, kind: str = "song") -> list[int]:
        return [int(number) for number in self.reader.read(program, kind)]


@pytest.fixture
def caching(redis_server: RedisServer, reader: PlaylistReader) -> Caching:
    return Caching(redis_server.settings, reader)


@pytest.fixture
def tables() -> Tables:
    """A song with several rows, one without any, one of two programmes."""
    songs = {"drp": ["a", "b", "c"], "fgy": ["c", "nobody's"]}
    return Tables(songs, {"a": [7, 3], "b": [5], "c": [9]})


def test_every_programme_and_type_has_a_set_of_ascending_ids(caching: Caching, tables: Tables) -> None:
    summary = caching.run(tables)
    assert [caching.ids("drp", kind) for kind in INDEX_TYPES] == [[3, 5, 7, 9]] * 7
    assert [caching.ids(program) for program in PROGRAMS] == [[3, 5, 7, 9], [9], [], [], [], []]
    assert summary["sets"]["drp"] == dict.fromkeys(INDEX_TYPES, 4)
    assert summary["index_versions"] == {kind: f"{kind}__v1" for kind in INDEX_TYPES}
    assert tables.asked == [(kind, 4) for kind in INDEX_TYPES]  # once a type, each song once


def test_what_is_left_out_is_counted_by_reason_and_told_with_examples(
    caching: Caching, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    tables.indexed = {"song": [1, 3, 9]}
    with caplog.at_level(logging.INFO):
        summary = caching.run(tables, programs="drp,fgy", types="song")
    assert caching.ids("drp") == [3, 9]
    counts = summary["counts"]
    assert counts == {"read": 6, "written": 3, "skipped": {"not in the index": 2, "no row": 1}, "dead": 0}
    assert summary["missing"]["song"] == {
        "no row": {"count": 1, "for_example": "nobody's"},
        "not in the index": {"count": 2, "for_example": 5},
    }
    assert "drp_song: " in caplog.text
    assert "not in the index: 5, 7" in caplog.text
    assert "without a row: nobody's" in caplog.text


def test_sets_that_were_not_asked_for_stay_as_they_are(caching: Caching, tables: Tables) -> None:
    caching.run(tables)
    tables.rows["b"] = [6]
    caching.run(tables, DAY_2, programs="drp", types="song,artist", encoding="json")
    assert caching.ids("drp", "song") == caching.ids("drp", "artist") == [3, 6, 7, 9]
    assert caching.ids("drp", "song_name") == [3, 5, 7, 9]
    assert caching.ids("fgy") == [9]


def test_a_programme_that_is_no_more_goes_with_a_run_over_all_of_its_kind_alone(
    caching: Caching, tables: Tables
) -> None:
    tables.songs["old"] = ["a"]
    former = Caching(caching.settings.model_copy(update={"playlist_programs": "drp,old"}), caching.reader)
    former.run(tables)
    caching.run(tables, programs="drp")
    assert caching.ids("old") == [3, 7]
    summary = caching.run(tables, types="song")
    with pytest.raises(InputError, match="old_song is not in the cache"):
        caching.ids("old")
    assert caching.ids("old", "artist") == [3, 7]
    assert summary["deleted"] == 1
    assert caching.run(tables)["deleted"] == 6


def test_types_without_an_index_are_left_out_of_all_and_refused_by_name(
    caching: Caching, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    caching.run(tables)
    tables.without, tables.rows["b"] = ("artist", "song_name"), [6]
    assert caching.run(tables)["without_index"] == ["artist", "song_name"]
    assert "no index is served of artist, song_name: its sets stay as they are" in caplog.text
    assert (caching.ids("drp", "artist"), caching.ids("drp")) == ([3, 5, 7, 9], [3, 6, 7, 9])
    with pytest.raises(InputError, match="No index is served of artist. Build it first"):
        caching.run(tables, types="song,artist")
    tables.without = tuple(INDEX_TYPES)
    with pytest.raises(InputError, match="No index is served of song, "):
        caching.run(tables)


def test_a_late_run_is_refused_before_any_table_is_read(caching: Caching, cache: PlaylistCache, tables: Tables) -> None:
    cache.replace([one_set("fgy", "artist")], writing(DAY_2))
    with pytest.raises(ContractError, match="playlist_idx:fgy_artist was written by the run of 2026-11-21"):
        caching.run(tables, DAY_1)
    assert tables.asked == []


def test_songs_that_no_table_knows_at_all_are_no_reason_to_empty_the_sets(caching: Caching, tables: Tables) -> None:
    caching.run(tables)
    tables.songs = {"drp": ["A", "B"]}
    with pytest.raises(GateFailed, match="None of 2 songs has an id in an index .*name songs in the same way"):
        caching.run(tables, DAY_2, min_share=0)
    assert caching.ids("drp") == [3, 5, 7, 9]


def test_a_programme_that_lost_most_of_its_songs_is_refused_until_somebody_means_it(
    caching: Caching, tables: Tables
) -> None:
    caching.run(tables)
    tables.songs["drp"] = ["b"]
    with pytest.raises(GateFailed, match="playlist_idx:drp_song has 1 rows, served are 4"):
        caching.run(tables, DAY_2)
    caching.run(tables, DAY_2, min_share=0)
    assert caching.ids("drp") == [5]


def test_an_unknown_programme_or_type_is_told_with_those_there_are(caching: Caching, tables: Tables) -> None:
    with pytest.raises(InputError, match="There is no programme xyz. There are: drp, fgy, .*EMBSEARCH_PLAYLIST_PROGR"):
        caching.run(tables, programs="drp, xyz")
    with pytest.raises(InputError, match="There is no index type 'songs'"):
        caching.run(tables, types="songs")


def test_the_figures_are_small_enough_to_travel_with_an_event(caching: Caching) -> None:
    songs = {program: [f"{program}{number:030d}" for number in range(300)] for program in PROGRAMS}
    names = [song for each in songs.values() for song in each]
    rows = {song: [10**9 + number] for number, song in enumerate(names) if number % 3}
    indexed = [row for (row,) in rows.values() if row % 2]
    tables = Tables(songs, rows, dict.fromkeys(INDEX_TYPES, indexed))
    assert len(json.dumps(caching.run(tables))) < 4096
