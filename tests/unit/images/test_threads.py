"""The API's own threads."""

from __future__ import annotations

import asyncio
import threading

from starlette.concurrency import run_in_threadpool

from include.images.api.threads import RECORDS, SEARCHES, STORES


def test_callers_who_wait_hold_up_no_other_part_of_the_server() -> None:
    done = threading.Event()

    async def asked() -> int:
        waiting = [asyncio.create_task(STORES.run(done.wait)) for _ in range(STORES.at_once + 20)]
        await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(run_in_threadpool(lambda: 1), 5)
        finally:
            done.set()
            await asyncio.gather(*waiting)

    assert asyncio.run(asked()) == 1


def test_callers_who_wait_for_the_database_or_a_store_hold_up_no_search() -> None:
    done = threading.Event()

    async def asked() -> int:
        waiting = [asyncio.create_task(pool.run(done.wait)) for pool in (RECORDS, STORES) for _ in range(100)]
        await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(SEARCHES.run(lambda: 1), 5)
        finally:
            done.set()
            await asyncio.gather(*waiting)

    assert asyncio.run(asked()) == 1


def test_so_many_work_at_once_and_no_more() -> None:
    now, most, lock = 0, 0, threading.Lock()

    all_there = threading.Barrier(SEARCHES.at_once, timeout=60)

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        all_there.wait()  # fewer at once would wait in vain
        with lock:
            now -= 1

    async def asked() -> None:
        await asyncio.gather(*(SEARCHES.run(work) for _ in range(3 * SEARCHES.at_once)))

    asyncio.run(asked())
    assert most == SEARCHES.at_once
