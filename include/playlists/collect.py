"""Which ids each set gets: the programme's songs, their rows in a type's table, and of these what is in the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.catalog.index_types import IndexType
from include.faiss_index.ids import places
from include.generations.counts import Counts
from include.playlists.encoding import Ids

EXAMPLES = 3
NO_ROW, NOT_INDEXED = "no row", "not in the index"


@dataclass(frozen=True)
class ServedIds:
    """The ids that a served index holds."""

    version: str
    ids: NDArray[np.int64]  # [N], ascending


@dataclass(frozen=True)
class Inputs:
    """Where songs, rows and indexes are looked up."""

    songs_of: Callable[[str], Sequence[str]]  # programme → its songs, each once
    ids_of_songs: Callable[[IndexType, Sequence[str]], Mapping[str, Sequence[int]]]  # song → ids of its rows
    served_ids: Callable[[IndexType], ServedIds | None]  # None: no index is served


@dataclass(frozen=True)
class CollectedSet:
    """One set with what became of the programme's songs.

    Counted is what was looked up: every row of a song, or the song itself where it has none.
    """

    program: str
    index_type: str
    ids: Ids  # [N], ascending, each once
    index_version: str
    counts: Counts
    songs_without_row: tuple[str, ...]  # examples
    ids_not_indexed: tuple[int, ...]  # examples


def collect(
    songs: Mapping[str, Sequence[str]], kind: IndexType, served: ServedIds, inputs: Inputs
) -> list[CollectedSet]:
    """The sets of all programmes for one index type; ``songs`` are those of each programme.

    The rows are asked for once, whatever the number of programmes that play a song.
    """
    wanted = list(dict.fromkeys(song for each in songs.values() for song in each))
    rows = inputs.ids_of_songs(kind, wanted)
    return [_collected(program, each, kind, served, rows) for program, each in songs.items()]


def _collected(
    program: str, songs: Sequence[str], kind: IndexType, served: ServedIds, rows: Mapping[str, Sequence[int]]
) -> CollectedSet:
    missing = [song for song in songs if not rows.get(song)]
    found = np.unique(np.fromiter((row for song in songs for row in rows.get(song, ())), np.int64))
    there, _ = places(found, served.ids)
    skipped = {NO_ROW: len(missing), NOT_INDEXED: len(found) - int(there.sum())}
    counts = Counts(
        read=len(found) + len(missing),
        written=int(there.sum()),
        skipped={reason: count for reason, count in skipped.items() if count},
    )
    return CollectedSet(
        program,
        kind.name,
        found[there],
        served.version,
        counts.check(f"set {program}_{kind.name}"),
        tuple(missing[:EXAMPLES]),
        tuple(found[~there][:EXAMPLES].tolist()),
    )
