"""What must not change the result: killed tasks, servers that stop, refuse or restart, two builds at once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.errors import EmbsearchError
from include.linking.workflow import plan, publish, run_shards
from include.settings import Settings
from include.sources.build import Build, all_builds
from tests.integration import runs
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.linking.conftest import PRODUCTS, SHARD_ROWS, LinkingStack
from tests.integration.runs import WorkflowProcess, new_run, stamps
from tests.integration.triton_server import TritonServer

SHARDS = -(-PRODUCTS // SHARD_ROWS)


def start_linking(stack: LinkingStack, name: str, date: datetime) -> subprocess.Popen[bytes]:
    parameters = stack.parameters(batch_size=16, workers=2)
    return WorkflowProcess(stack.folder, "include.linking.workflow", stack.settings, parameters, name, date).start()


def wait_for_shards(stack: LinkingStack, count: int, process: subprocess.Popen[bytes]) -> Build:
    return runs.wait_for_shards(
        process, count, lambda: all_builds(stack.settings, "links", stack.index), stack.folder / runs.LOG
    )


@pytest.fixture(scope="session")
def undisturbed(keyword_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The documents of a linking that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    settings = Settings(**{**keyword_settings.model_dump(), "state_dir": folder / "state"})
    stack = LinkingStack(settings, "links-undisturbed", folder)
    stack.write_products("products.txt", PRODUCTS)
    stack.link()
    return stack.documents()


def same_links(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    """Same products, same keywords; scores within what another order of a batch's sums can change."""
    assert found.keys() == expected.keys()
    for name, document in expected.items():
        wanted = {k["keyword_id"]: k["score"] for k in document["keywords"]}
        got = {k["keyword_id"]: k["score"] for k in found[name]["keywords"]}
        shared = wanted.keys() & got.keys()
        assert len(shared) >= len(wanted) - 2, name  # ties at the end of the list
        assert all(abs(wanted[i] - got[i]) < 1e-3 for i in shared), name


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_killed_linking_goes_on_and_repeats_no_finished_shard(
    linking: LinkingStack, undisturbed: dict[str, dict[str, Any]], share: float
) -> None:
    linking.link(limit=5)
    served = linking.documents()
    date = datetime.now(UTC)
    first = start_linking(linking, "killed", date)
    build = wait_for_shards(linking, int(SHARDS * share), first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    finished = stamps(build)
    assert len(finished) < SHARDS
    assert linking.documents() == served
    assert start_linking(linking, "killed", date).wait(180) == 0, linking.log()
    after = stamps(build)
    assert {i: after[i] for i in finished} == finished
    assert len(after) == SHARDS
    same_links(linking.documents(), undisturbed)


def test_triton_restarted_in_the_middle_is_ridden_out(
    linking: LinkingStack, served_minilm: TritonServer, undisturbed: dict[str, dict[str, Any]]
) -> None:
    process = start_linking(linking, "triton", datetime.now(UTC))
    wait_for_shards(linking, 3, process)
    served_minilm.kill()
    time.sleep(1)
    served_minilm.start()
    assert process.wait(180) == 0, linking.log()
    same_links(linking.documents(), undisturbed)


def test_elasticsearch_stopped_for_half_a_minute_is_ridden_out(
    linking: LinkingStack, elasticsearch: ElasticsearchServer, undisturbed: dict[str, dict[str, Any]]
) -> None:
    process = start_linking(linking, "elasticsearch", datetime.now(UTC))
    wait_for_shards(linking, 3, process)
    elasticsearch.stop()
    time.sleep(30)
    elasticsearch.start()
    assert process.wait(300) == 0, linking.log()
    same_links(linking.documents(), undisturbed)


def test_an_elasticsearch_that_answers_429_gets_everything_in_the_end(
    linking: LinkingStack, throttled_elasticsearch: ElasticsearchServer, undisturbed: dict[str, dict[str, Any]]
) -> None:
    settings = Settings(**{**linking.settings.model_dump(), "es_url": throttled_elasticsearch.service.url})
    stack = LinkingStack(settings, linking.index, linking.folder)
    summary = stack.link(batch_size=256, workers=4)
    assert summary["counts"]["written"] == PRODUCTS
    same_links(stack.documents(), undisturbed)


def test_two_builds_of_one_index_at_once_end_in_one_whole_index(
    linking: LinkingStack, undisturbed: dict[str, dict[str, Any]]
) -> None:
    gate = threading.Barrier(2)

    def build_one(name: str) -> str:
        gate.wait()
        try:
            build = plan(linking.parameters(), new_run(name), linking.settings)
            run_shards(build, range(build.input.shards), linking.settings)
            publish(build, linking.settings)
        except EmbsearchError as error:
            return str(error)
        return "served"

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(build_one, ["one", "two"]))
    assert "served" in ends
    assert all(end == "served" or "newer" in end for end in ends)
    same_links(linking.documents(), undisturbed)


def test_the_same_run_twice_at_once_is_one_build(
    linking: LinkingStack, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    date = datetime.now(UTC)
    both = [start_linking(linking, "twice", date) for _ in range(2)]
    assert [process.wait(180) for process in both] == [0, 0], linking.log()
    assert len(list(all_builds(linking.settings, "links", linking.index))) == 1
    same_links(linking.documents(), undisturbed)
