"""How many texts the server joins into one execution, which one instance computes alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tritonclient import http

from include.triton.client import TritonClient
from include.triton.config_pbtxt import JOINED_SHARE
from include.triton.version_plan import MAX_BATCH_SIZE
from tests.integration.triton_server import TritonServer

MOST = MAX_BATCH_SIZE["text"] // JOINED_SHARE


def test_small_requests_are_joined_until_there_is_work_enough(served_minilm: TritonServer) -> None:
    with executions(served_minilm) as sizes, TritonClient(url(served_minilm), batch_size=4, concurrency=16) as client:
        client.embed("minilm", ["tent"] * 400)

    assert max(sizes) > 4
    assert max(sizes) < MOST + 4
    assert sum(size * count for size, count in sizes.items()) == 400


def test_requests_of_that_size_are_computed_each_by_the_instance_that_is_free(served_minilm: TritonServer) -> None:
    """One that held several would keep its instance busy at the end of the work, and leave the other idle."""
    with (
        executions(served_minilm) as sizes,
        TritonClient(url(served_minilm), batch_size=MOST, concurrency=16) as client,
    ):
        client.embed("minilm", ["tent"] * 12 * MOST)

    assert sizes == {MOST: 12}


def url(server: TritonServer) -> str:
    return server.settings.kserve_url


@contextmanager
def executions(server: TritonServer) -> Iterator[dict[int, int]]:
    """Filled at the end: texts of one execution → how many of these there were meanwhile."""
    before, sizes = counted(server), dict[int, int]()
    yield sizes
    sizes.update({size: more for size, count in counted(server).items() if (more := count - before.get(size, 0))})


def counted(server: TritonServer) -> dict[int, int]:
    with http.InferenceServerClient(url(server).removeprefix("http://")) as connection:
        found = connection.get_inference_statistics("minilm")["model_stats"]
    return {
        int(entry["batch_size"]): int(entry["compute_infer"]["count"])
        for version in found
        for entry in version["batch_stats"]
    }
