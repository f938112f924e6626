"""What the tests of the playlist cache share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
import pytest

from include.catalog.index_types import INDEX_TYPES, PROGRAMS
from include.playlists.cache import PlaylistCache, PlaylistSet, Writing
from include.playlists.connection import connected
from include.playlists.parameters import Encoding
from include.playlists.reader import PlaylistReader
from tests.integration.redis_server import RedisServer

DAY_1, DAY_2 = (datetime(2026, 11, day, 8, tzinfo=UTC) for day in (20, 21))
ALL_SETS = [(program, kind) for program in PROGRAMS for kind in INDEX_TYPES]


def one_set(program: str = "drp", kind: str = "song", ids: object = (1, 5, 9), version: str = "v1") -> PlaylistSet:
    return PlaylistSet(program, kind, np.asarray(ids, np.int64), version)


def stamped(stamp: int, size: int = 500) -> list[PlaylistSet]:
    """All 42 sets; that they were written together is seen by their first id."""
    ids = np.arange(stamp * 1000, stamp * 1000 + size)
    return [PlaylistSet(program, kind, ids, f"v{stamp}") for program, kind in ALL_SETS]


def writing(
    run_date: datetime = DAY_1,
    encoding: Encoding = "int32",
    *,
    min_share: float = 0.5,
    outdated: Callable[[str, str], bool] = lambda _program, _kind: False,
) -> Writing:
    return Writing(run_date, encoding, min_share, outdated)


@pytest.fixture
def cache(redis_server: RedisServer) -> Iterator[PlaylistCache]:
    """An empty cache."""
    with connected(redis_server.connection) as client:
        client.flushdb()
        yield PlaylistCache(client, redis_server.connection)


@pytest.fixture
def reader(cache: PlaylistCache) -> PlaylistReader:
    """A reader of the empty cache."""
    return PlaylistReader(cache)
