"""The playlist cache as one piece of work: songs from MySQL, ids from the served indexes, one transaction in Redis."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from include.catalog.index_types import INDEX_TYPES, IndexType, index_types
from include.errors import GateFailed, InputError
from include.generations.counts import Counts
from include.generations.run import Run
from include.playlists.cache import PlaylistCache, PlaylistSet, Writing, Written
from include.playlists.collect import NO_ROW, NOT_INDEXED, CollectedSet, Inputs, ServedIds, collect
from include.playlists.connection import RedisConnection, connected
from include.playlists.inputs import open_inputs
from include.playlists.meta import set_name
from include.playlists.parameters import PlaylistCacheParameters, asked_programs, asks_all, known_programs
from include.settings import Settings

log = logging.getLogger(__name__)

SHOWN = 40  # characters of a song's id in the figures


def cache_playlists(parameters: PlaylistCacheParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Write the sets of the asked programmes and types anew; return the figures, small enough for an event.

    Raises:
        InputError: a name is unknown, or a type that was asked for by name has no index.
        ContractError: a set there is of a newer run.
        GateFailed: no song has an id, or a set is much smaller than the one it replaces; nothing is changed.
        ServiceUnavailable: Redis or MySQL does not answer.
        SetupError: Redis has no room for the sets; nothing is changed.
    """
    with open_inputs(settings) as inputs:
        return cache_from(inputs, parameters, run, settings)


def cache_from(inputs: Inputs, parameters: PlaylistCacheParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """As :func:`cache_playlists`, with songs, rows and indexes from ``inputs``."""
    began = time.monotonic()
    programs, kinds = asked_programs(parameters.programs, settings), index_types(parameters.types)
    connection = RedisConnection.from_settings(settings)
    with connected(connection) as client:
        cache = PlaylistCache(client, connection)
        names = [set_name(program, kind.name) for program in programs for kind in kinds]
        cache.refuse_older(cache.meta(), names, run.date)  # before the work begins
        served = _served(kinds, inputs, named=parameters.types)
        sets = _collected(programs, served, inputs)
        read = time.monotonic()
        done = cache.replace(
            [PlaylistSet(one.program, one.index_type, one.ids, one.index_version) for one in sets],
            Writing(run.date, parameters.encoding, parameters.min_share, _outdated(parameters, settings)),
        )
    seconds = {"read": read - began, "write": time.monotonic() - read, "wall": time.monotonic() - began}
    log.info("%d sets written, %s bytes; taken away: %s", len(sets), f"{done.bytes:,}", _shown(done.deleted))
    return _figures(parameters, sets, done, seconds) | {"without_index": [k.name for k in kinds if k not in served]}


def _served(kinds: Sequence[IndexType], inputs: Inputs, *, named: str) -> dict[IndexType, ServedIds]:
    """The served ids of each type; a type that nobody named and that has no index yet is left out, and told."""
    found = {kind: inputs.served_ids(kind) for kind in kinds}
    without = [kind.name for kind, served in found.items() if served is None]
    if without and (len(without) == len(kinds) or not asks_all(named)):
        msg = f"No index is served of {', '.join(without)}. Build it first: faiss_build."
        raise InputError(msg)
    if without:
        log.warning("no index is served of %s: its sets stay as they are", ", ".join(without))
    return {kind: served for kind, served in found.items() if served is not None}


def _collected(programs: Sequence[str], served: Mapping[IndexType, ServedIds], inputs: Inputs) -> list[CollectedSet]:
    songs = {program: inputs.songs_of(program) for program in programs}
    sets = [one for kind, ids in served.items() for one in collect(songs, kind, ids, inputs)]
    for one in sets:
        log.info(
            "%s: %s; without a row: %s; not in the index: %s",
            set_name(one.program, one.index_type), one.counts.as_dict(),
            _shown(one.songs_without_row), _shown(one.ids_not_indexed),
        )  # fmt: skip
    total = Counts.total(one.counts for one in sets)
    if total.read and not total.written:
        msg = (
            f"None of {sum(map(len, songs.values())):,} songs has an id in an index ({total.as_dict()}), so nothing is "
            "written. Check that the playlist tables and the embedding tables name songs in the same way."
        )
        raise GateFailed(msg)
    return sets


def _outdated(parameters: PlaylistCacheParameters, settings: Settings) -> Callable[[str, str], bool]:
    """Whether a key that is not written goes: it is in this run's scope, and of a programme or type that is no more."""
    known = set(known_programs(settings))
    asked = set(asked_programs(parameters.programs, settings))
    kinds = {kind.name for kind in index_types(parameters.types)}
    all_programs, all_types = asks_all(parameters.programs), asks_all(parameters.types)

    def outdated(program: str, index_type: str) -> bool:
        in_scope = (program in asked or all_programs) and (index_type in kinds or all_types)
        return in_scope and (program not in known or index_type not in INDEX_TYPES)

    return outdated


def _figures(
    parameters: PlaylistCacheParameters, sets: Sequence[CollectedSet], done: Written, seconds: Mapping[str, float]
) -> dict[str, Any]:
    by_program: dict[str, dict[str, int]] = {}
    for one in sets:
        by_program.setdefault(one.program, {})[one.index_type] = len(one.ids)
    missing = {kind: _missing([one for one in sets if one.index_type == kind]) for kind in _types(sets)}
    return {
        "encoding": parameters.encoding,
        "sets": by_program,
        "index_versions": {one.index_type: one.index_version for one in sets},
        "counts": Counts.total(one.counts for one in sets).as_dict(),
        "missing": {kind: found for kind, found in missing.items() if found},
        "deleted": len(done.deleted),
        "bytes": done.bytes,
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
    }


def _types(sets: Sequence[CollectedSet]) -> list[str]:
    return list(dict.fromkeys(one.index_type for one in sets))


def _missing(sets: Sequence[CollectedSet]) -> dict[str, Any]:
    """What of one type could not be written: how many by reason, and an example of each."""
    skipped: Counter[str] = sum((Counter(one.counts.skipped) for one in sets), Counter())
    songs = [song[:SHOWN] for one in sets for song in one.songs_without_row]
    ids = [number for one in sets for number in one.ids_not_indexed]
    examples: dict[str, list[Any]] = {NO_ROW: songs[:1], NOT_INDEXED: ids[:1]}
    return {
        reason: {"count": skipped[reason], "for_example": example[0]} for reason, example in examples.items() if example
    }


def _shown(examples: Sequence[object]) -> str:
    return ", ".join(map(str, examples)) or "none"
