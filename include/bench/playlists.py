"""The playlist cache beside one SET for every key: round trips, and what both ways take on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np
from redis import Redis

from include.bench.figures import REPEATS, Figure, median_pairs
from include.catalog.index_types import INDEX_TYPES, PROGRAMS
from include.playlists.cache import PlaylistCache, PlaylistSet, Writing
from include.playlists.connection import RedisConnection, connected
from include.playlists.encoding import encoded
from include.playlists.meta import KEY_PREFIX
from include.settings import Settings

IDS = 20_000  # in each of the sets
TABLE_ROWS = 500_000  # that the ids are drawn from


class RoundTrips:
    """Counts how often a client sends something and then waits for the answer; it must be used by one thread."""

    def __init__(self, client: Redis) -> None:
        self.count = 0
        connection: Any = client.connection_pool.get_connection()
        self._send = connection.send_packed_command
        connection.send_packed_command = self._counted
        client.connection_pool.release(connection)

    def of(self, work: Callable[[], object]) -> int:
        """How many ``work`` takes."""
        before = self.count
        work()
        return self.count - before

    def _counted(self, *command: Any, **options: Any) -> None:
        self.count += 1
        self._send(*command, **options)


def playlist_figures(settings: Settings, *, ids: int = IDS, repeats: int = REPEATS) -> list[Figure]:
    """One transaction for all sets against a SET for each, of equal values, encoding included; keys of its own."""
    sets = _sets(ids)
    with _cache(settings) as cache:
        writing = Writing(datetime.now(UTC), "int32", 0.0, lambda _program, _type: False)

        def ours() -> float:
            return _milliseconds(lambda: cache.replace(sets, writing))

        def theirs() -> float:
            return _milliseconds(lambda: _one_by_one(cache, sets))

        ours(), theirs()  # connects, and makes the keys: afterwards both ways replace
        trips = RoundTrips(cache.client)
        our_trips, their_trips = trips.of(ours), trips.of(theirs)
        our_ms, their_ms, pairs = median_pairs(ours, theirs, repeats)
    details = {
        "sets": len(sets), "ids": ids, "ms": our_ms, "ms_one_by_one": their_ms, "pairs_ms": pairs,
    }  # fmt: skip
    name = f"playlist cache, {len(sets)} sets of {ids:,} ids"
    return [
        Figure(f"{name}, round trips", our_trips, their_trips, "round trips", 0.2, at_most=True, details=details),
        Figure(f"{name}, time", our_ms, their_ms, "ms", 1.5, at_most=True),
    ]


def _sets(ids: int) -> list[PlaylistSet]:
    draw = np.random.default_rng(0)
    return [
        PlaylistSet(program, kind, np.sort(draw.choice(TABLE_ROWS, ids, replace=False)).astype(np.int64), "bench")
        for program in PROGRAMS
        for kind in INDEX_TYPES
    ]


@contextmanager
def _cache(settings: Settings) -> Iterator[PlaylistCache]:
    """A cache below a prefix of its own, which is taken away afterwards."""
    connection = RedisConnection.from_settings(settings)
    with connected(connection) as client:
        cache = PlaylistCache(client, connection, f"bench-{uuid4().hex[:12]}:{KEY_PREFIX}")
        try:
            yield cache
        finally:
            client.delete(cache.meta_key, *(cache.key(one.name) for one in _sets(0)))


def _one_by_one(cache: PlaylistCache, sets: Sequence[PlaylistSet]) -> None:
    for one in sets:
        key = cache.key(one.name)
        cache.client.set(key, encoded(key, one.ids, "int32"))


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
