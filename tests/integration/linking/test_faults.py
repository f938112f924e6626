"""What must not change the result: killed tasks, servers that stop, refuse or restart, two builds at once.

All the while a reader sees the index that was served before or the new one, each of them whole.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from pydantic import SecretStr

from include.errors import EmbsearchError
from include.linking.workflow import plan, publish, run_shards
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds
from tests.integration import runs
from tests.integration.elasticsearch_server import ElasticsearchServer, SecuredElasticsearch
from tests.integration.linking.conftest import PRODUCTS, SHARD_ROWS, LinkingStack
from tests.integration.reader import sees_only_whole_index
from tests.integration.runs import WorkflowProcess, new_run, stamps
from tests.integration.triton_server import TritonServer

SHARDS = -(-PRODUCTS // SHARD_ROWS)
BEFORE = 20  # products that are served before


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


TIE = 1e-3  # what another order of a batch's sums can change in a score, in bfloat16 too


def same_links(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    """Same products, same keywords with their texts, best first; only ties may differ in order, or at the end."""
    texts = {k["keyword_id"]: k["keyword"] for document in expected.values() for k in document["keywords"]}
    assert found.keys() == expected.keys()
    for name, document in expected.items():
        wanted, got = document["keywords"], found[name]["keywords"]
        scores = [k["score"] for k in got]
        assert scores == sorted(scores, reverse=True), name
        assert scores == pytest.approx([k["score"] for k in wanted], abs=TIE), name  # as many, rank by rank
        assert all(texts.get(k["keyword_id"], k["keyword"]) == k["keyword"] for k in got), name
        ours, theirs = ({k["keyword_id"]: k["score"] for k in links} for links in (wanted, got))
        assert len(theirs) == len(got), name
        assert all((ours | theirs)[i] < scores[-1] + 2 * TIE for i in ours.keys() ^ theirs.keys()), name


def test_the_comparison_sees_a_missing_keyword_a_wrong_text_and_a_wrong_order() -> None:
    links = [{"keyword_id": i, "keyword": f"k{i}", "score": 0.9 - i / 10} for i in range(4)]
    right = {"p": {"keywords": links}}
    same_links(right, right)
    for wrong in (links[:-1], [{**links[0], "keyword": "x"}, *links[1:]], links[::-1], [links[0], *links]):
        with pytest.raises(AssertionError):
            same_links({"p": {"keywords": wrong}}, right)


def repeats_nothing(build: Build, finished: dict[int, int]) -> None:
    """All shards are finished, and those in ``finished`` were not done again."""
    after = stamps(build)
    assert len(after) == SHARDS
    assert {shard: after[shard] for shard in finished} == finished


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_killed_linking_goes_on_and_repeats_no_finished_shard(
    linking: LinkingStack, undisturbed: dict[str, dict[str, Any]], share: float
) -> None:
    linking.link(limit=BEFORE)
    date = datetime.now(UTC)
    with sees_only_whole_index(linking.settings, linking.index, before=BEFORE, after=PRODUCTS):
        first = start_linking(linking, "killed", date)
        build = wait_for_shards(linking, int(SHARDS * share), first)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        finished = stamps(build)
        assert len(finished) < SHARDS
        assert start_linking(linking, "killed", date).wait(180) == 0, linking.log()
    repeats_nothing(build, finished)
    same_links(linking.documents(), undisturbed)


def ride_out(
    stack: LinkingStack, expected: dict[str, dict[str, Any]], *,
    stop: Callable[[], None], away_seconds: float, start: Callable[[], None],
) -> None:  # fmt: skip
    """Link while a server goes away in the middle and comes back."""
    stack.link(limit=BEFORE)
    with sees_only_whole_index(stack.settings, stack.index, before=BEFORE, after=PRODUCTS):
        process = start_linking(stack, "ridden out", datetime.now(UTC))
        build = wait_for_shards(stack, 3, process)
        finished = stamps(build)
        stop()
        time.sleep(away_seconds)
        assert process.poll() is None, "the linking was over before, so this test shows nothing"
        start()
        assert process.wait(300) == 0, stack.log()
    repeats_nothing(build, finished)
    same_links(stack.documents(), expected)


def test_triton_restarted_in_the_middle_is_ridden_out(
    linking: LinkingStack, served_minilm: TritonServer, undisturbed: dict[str, dict[str, Any]]
) -> None:
    ride_out(linking, undisturbed, stop=served_minilm.kill, away_seconds=1, start=served_minilm.start)


def test_elasticsearch_stopped_for_half_a_minute_is_ridden_out_and_told_in_two_lines(
    linking: LinkingStack, elasticsearch: ElasticsearchServer, undisturbed: dict[str, dict[str, Any]]
) -> None:
    ride_out(linking, undisturbed, stop=elasticsearch.stop, away_seconds=30, start=elasticsearch.start)
    told = [line for line in linking.log().splitlines() if line.startswith("WARNING:include.elastic")]
    assert len(told) == 2, told
    assert "cannot be reached" in told[0]
    assert "Elasticsearch is well again after " in told[1]


def rejections(client: Elasticsearch) -> int:
    """Requests that the server has answered with 429, by its own count."""
    (node,) = client.nodes.stats(metric="indexing_pressure")["nodes"].values()
    return int(node["indexing_pressure"]["memory"]["total"]["coordinating_rejections"])


def test_an_elasticsearch_that_answers_429_gets_everything_in_the_end(
    linking: LinkingStack, secured_elasticsearch: SecuredElasticsearch, undisturbed: dict[str, dict[str, Any]]
) -> None:
    count = 4 * SHARD_ROWS  # of 3.5 kB each; the server takes 200 kB at a time
    connection = secured_elasticsearch.connection
    server = {
        "es_url": connection.hosts[0], "es_user": connection.user, "es_password": SecretStr(connection.password or ""),
        "es_ca_certs": connection.ca_certs,
    }  # fmt: skip
    stack = LinkingStack(
        Settings(**{**linking.settings.model_dump(), **server, "link_shard_rows": count}), linking.index, linking.folder
    )
    stack.link(limit=BEFORE)
    with stack.client as client:
        before = rejections(client)
        with sees_only_whole_index(stack.settings, stack.index, before=BEFORE, after=count):
            summary = stack.link(limit=count, batch_size=count, workers=4)
        assert rejections(client) > before
    assert summary["counts"] == {"read": count, "written": count, "skipped": {}, "dead": 0}
    names = (stack.folder / "products.txt").read_text(encoding="utf-8").splitlines()[:count]
    same_links(stack.documents(), {name: undisturbed[name] for name in names})


def test_of_two_builds_at_once_the_newer_is_served_and_whole(
    linking: LinkingStack, undisturbed: dict[str, dict[str, Any]]
) -> None:
    linking.link(limit=BEFORE)
    gate = threading.Barrier(2)

    def build_one(name: str) -> tuple[Build, str]:
        gate.wait()
        build = plan(linking.parameters(), new_run(name), linking.settings)
        run_shards(build, range(build.input.shards), linking.settings)
        try:
            publish(build, linking.settings)
        except EmbsearchError as error:
            return build, str(error)
        return build, "served"

    with (
        sees_only_whole_index(linking.settings, linking.index, before=BEFORE, after=PRODUCTS),
        ThreadPoolExecutor(2) as pool,
    ):
        ends = list(pool.map(build_one, ["one", "two"]))
    (older, of_older), (newer, of_newer) = sorted(ends, key=lambda end: end[0].generation)
    assert linking.served() == newer.generation
    assert of_newer == "served"
    assert of_older == "served" or "newer" in of_older
    same_links(linking.documents(), undisturbed)
    for build in (older, newer):
        finished = stamps(build)
        run_shards(build, range(SHARDS), linking.settings)
        repeats_nothing(build, finished)


def test_the_same_run_twice_at_once_is_one_build(linking: LinkingStack, undisturbed: dict[str, dict[str, Any]]) -> None:
    date = datetime.now(UTC)
    both = [start_linking(linking, "twice", date) for _ in range(2)]
    assert [process.wait(180) for process in both] == [0, 0], linking.log()
    assert len(list(all_builds(linking.settings, "links", linking.index))) == 1
    same_links(linking.documents(), undisturbed)
