"""Which ids a set gets, and that every row and song is accounted for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from include.catalog.index_types import INDEX_TYPES
from include.playlists.collect import NO_ROW, NOT_INDEXED, Inputs, ServedIds, collect

KIND = INDEX_TYPES["song"]
SONGS = st.lists(st.integers(0, 20).map(str), unique=True)


@given(
    songs=st.dictionaries(st.sampled_from(["drp", "fgy"]), SONGS, min_size=1),
    owners=st.dictionaries(st.integers(0, 50), st.integers(0, 20).map(str)),
    indexed=st.sets(st.integers(0, 60)),
)
def test_a_set_is_the_songs_rows_that_the_index_has_and_the_counts_add_up(
    songs: dict[str, list[str]], owners: dict[int, str], indexed: set[int]
) -> None:
    rows: dict[str, list[int]] = {}
    for row, song in owners.items():
        rows.setdefault(song, []).append(row)
    served = ServedIds("v1", np.asarray(sorted(indexed), np.int64))
    inputs = Inputs(
        lambda program: songs[program], lambda _kind, asked: {s: rows[s] for s in asked if s in rows}, lambda _: served
    )
    for one in collect(songs, KIND, served, inputs):
        mine = {row for row, song in owners.items() if song in songs[one.program]}
        assert one.ids.tolist() == sorted(mine & indexed)
        without = [song for song in songs[one.program] if song not in rows]
        assert one.counts.skipped.get(NO_ROW, 0) == len(without)
        assert one.counts.skipped.get(NOT_INDEXED, 0) == len(mine - indexed)
        assert one.counts.read == len(mine) + len(without)
        assert set(one.songs_without_row) <= set(without)
        assert set(one.ids_not_indexed) <= mine - indexed
