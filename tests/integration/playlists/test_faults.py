"""Whatever ends a write before its time, what was served stays served, and the same write goes through later."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from include.errors import ServiceUnavailable, SetupError
from include.playlists.cache import PlaylistCache
from include.playlists.connection import connected
from include.playlists.reader import PlaylistReader
from include.settings import PROJECT_ROOT
from tests.integration.playlists.conftest import ALL_SETS, DAY_2, one_set, stamped, writing
from tests.integration.redis_server import PASSWORD, RedisServer

FULL = 5_000_000  # ids: 20 MB
# A disk that is full after so many bytes; what runs under it lives on, as on a disk.
SMALL_DISK = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def open_cache(server: RedisServer) -> Iterator[PlaylistCache]:
    with connected(server.connection) as client:
        yield PlaylistCache(client, server.connection)


def serves(cache: PlaylistCache, stamp: int) -> bool:
    found = PlaylistReader(cache).read_with_info(ALL_SETS)
    return {int(ids[0]) // 1000 for ids, _ in found} == {stamp}


@pytest.mark.parametrize("share", ["0.5", "1"])
def test_a_writer_killed_before_exec_leaves_the_old_sets(
    cache: PlaylistCache, redis_server: RedisServer, tmp_path: Path, share: str
) -> None:
    cache.replace(stamped(1), writing())
    told = redis_server.settings.model_dump(mode="json") | {"redis_password": PASSWORD}
    (tmp_path / "settings.json").write_text(json.dumps(told))
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.playlists.writer_process", tmp_path / "settings.json", share],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert serves(cache, 1)
    cache.replace(stamped(2), writing(DAY_2))
    assert serves(cache, 2)


def test_full_memory_is_told_with_what_to_raise_and_leaves_the_old_sets(tmp_path: Path) -> None:
    with RedisServer.at(tmp_path, maxmemory_mb=16).running() as server, open_cache(server) as cache:
        cache.replace(stamped(1), writing())
        with pytest.raises(SetupError, match="memory is full, so nothing was changed.*EMBSEARCH_REDIS_MAXMEMORY_MB"):
            cache.replace([*stamped(2)[1:], one_set(ids=np.arange(FULL))], writing(DAY_2))
        assert serves(cache, 1)
        assert set(cache.meta().sets) == {f"{program}_{kind}" for program, kind in ALL_SETS}
        cache.replace(stamped(2), writing(DAY_2))
        assert serves(cache, 2)


def test_a_full_disk_under_redis_is_told_and_leaves_the_old_sets(tmp_path: Path) -> None:
    server = RedisServer.at(tmp_path)
    command = (sys.executable, "-c", SMALL_DISK, *server.service.command)
    server.service = replace(server.service, command=command)
    with server.running(), open_cache(server) as cache:
        cache.replace(stamped(1), writing())
        last = 1
        with pytest.raises(SetupError, match=r"cannot write to its disk, so nothing was changed \(MISCONF.*Free some"):
            for last in range(2, 10):
                cache.replace(stamped(last), writing())
        assert serves(cache, last - 1)


def test_redis_stopped_and_back_has_all_sets_and_takes_new_ones(tmp_path: Path) -> None:
    server = RedisServer.at(tmp_path)
    with server.running(), open_cache(server) as cache:
        reader = PlaylistReader(cache)
        cache.replace(stamped(1), writing())
        for end in (server.stop, server.kill):
            end()
            for work in (lambda: reader.read("drp", "song"), lambda: cache.replace(stamped(2), writing())):
                with pytest.raises(ServiceUnavailable, match=f"{server.service.url}: cannot .* does not answer"):
                    work()
            server.start()
            assert serves(cache, 1)  # by the same client
        cache.replace(stamped(2), writing())
        assert serves(cache, 2)


def test_a_server_that_is_a_replica_for_now_is_a_passing_fault(cache: PlaylistCache) -> None:
    cache.replace(stamped(1), writing())
    cache.client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ServiceUnavailable, match="it is a replica now"):
            cache.replace(stamped(2), writing())
    finally:
        cache.client.replicaof("no", "one")
    cache.replace(stamped(2), writing())
    assert serves(cache, 2)
