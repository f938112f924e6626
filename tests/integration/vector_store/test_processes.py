"""Several processes over one folder: builds that are killed, readers that never fail, children that are forked."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from include.bench.synthetic import clustered
from include.errors import Busy, ContractError
from include.vector_store.open import open_store
from tests.integration.vector_store import processes
from tests.integration.vector_store.backends import FACTS, Backend


def test_a_build_in_another_process_keeps_this_one_out(folder_url: str) -> None:
    generation = f"{processes.ALIAS}__0001"
    other = processes.start("build", folder_url, generation, "load")
    store = open_store(folder_url)
    try:
        with pytest.raises(Busy, match=f"build of {generation}, process {other.pid}"):
            store.begin(generation, dimension=4, **FACTS)
        store.begin(f"{processes.ALIAS}__0002", dimension=4, **FACTS)  # another generation is free
        assert store.prune(processes.ALIAS, keep=1) == []  # does not touch what is being built
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        store.close()


@pytest.mark.parametrize("stage", ["load", "seal"])
def test_a_killed_build_changes_nothing_and_can_be_begun_again(folder_url: str, stage: str) -> None:
    store = open_store(folder_url)
    served = Backend("", folder_url, store, processes.ALIAS).build(1, clustered(*processes.SMALL))
    store.promote(processes.ALIAS, served)
    generation = f"{processes.ALIAS}__0002"
    builder = processes.start("build", folder_url, generation, stage)
    children = graph_builders(builder.pid) if (stage, folder_url[:4]) == ("seal", "edge") else []
    builder.kill()
    builder.wait()

    assert psutil.wait_procs(children, timeout=10)[1] == []  # no orphan goes on building
    assert store.resolve(processes.ALIAS) == served
    if stage == "load" or children:  # an exact build may be done before it is killed
        assert store.generations(processes.ALIAS) == [served]
        with pytest.raises(ContractError, match="not sealed"):
            store.promote(processes.ALIAS, generation)
        begun = Backend("", folder_url, store, processes.ALIAS).build(2, clustered(*processes.SMALL))
        assert store.promote(processes.ALIAS, begun) == served
    store.close()


def graph_builders(pid: int) -> list[psutil.Process]:
    """The engine's child processes of a builder, once there are any."""
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return children


def test_prune_removes_what_a_dead_build_left(folder_url: str, tmp_path: Path) -> None:
    builder = processes.start("build", folder_url, f"{processes.ALIAS}__0001", "load")
    builder.kill()
    builder.wait()
    assert list((tmp_path / "store" / "shards").iterdir()) != []
    store = open_store(folder_url)
    assert store.prune(processes.ALIAS, keep=2) == []
    assert list((tmp_path / "store" / "shards").iterdir()) == []


def test_readers_in_three_processes_never_fail_through_ten_promotes_and_prunes(folder_url: str, tmp_path: Path) -> None:
    backend = Backend("", folder_url, open_store(folder_url), processes.ALIAS)
    rows = clustered(*processes.SMALL)
    backend.store.promote(processes.ALIAS, backend.build(0, rows))
    stop = tmp_path / "stop"
    readers = [processes.start("read", folder_url, str(stop)) for _ in range(3)]
    for number in range(1, 11):
        backend.store.promote(processes.ALIAS, backend.build(number, rows))
        backend.store.prune(processes.ALIAS, keep=2)
    stop.touch()
    for reader in readers:
        output, _ = reader.communicate(timeout=60)
        assert reader.returncode == 0
        searches, generations = map(int, output.split())
        assert searches >= 2
        assert generations >= 2  # the first and the last at least; in practice most of them
    assert len(backend.store.generations(processes.ALIAS)) == 2
    backend.store.close()


def test_a_forked_child_searches_and_leaves_the_parents_store_alone(folder_url: str) -> None:
    backend = Backend("", folder_url, open_store(folder_url), processes.ALIAS)
    rows = clustered(*processes.SMALL)
    backend.store.promote(processes.ALIAS, backend.build(1, rows))
    expected = backend.store.search(processes.ALIAS, rows[:5], 3).ids.tolist()

    def child() -> None:
        assert backend.store.search(processes.ALIAS, rows[:5], 3).ids.tolist() == expected
        backend.store.close()

    assert status_of_forked(child) == 0
    assert backend.store.search(processes.ALIAS, rows[:5], 3).ids.tolist() == expected
    backend.store.close()


def test_a_forked_child_leaves_the_parents_build_alone(folder_url: str) -> None:
    backend = Backend("", folder_url, open_store(folder_url), processes.ALIAS)
    rows = clustered(*processes.SMALL)
    backend.store.promote(processes.ALIAS, backend.build(1, rows))
    generation, _ = backend.begin(2, rows)

    def child() -> None:
        backend.store.search(processes.ALIAS, rows[:5], 3)
        with pytest.raises(ContractError, match="not being built by this process"):
            backend.store.seal(generation, expected=len(rows))
        backend.store.close()

    assert status_of_forked(child) == 0
    assert backend.store.seal(generation, expected=len(rows)).points == len(rows)
    assert backend.store.search(generation, rows[:5], 3).ids[:, 0].tolist() == list(range(5))
    backend.store.close()


def status_of_forked(work: Callable[[], None]) -> int:
    """0 when a forked child does ``work`` within a minute; it may hang for threads that the fork lost."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]
