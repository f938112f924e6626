"""How many texts the server joins into one execution, which one instance computes alone."""

from __future__ import annotations

import time

from tritonclient import http

from include.triton.client import TritonClient
from include.triton.config_pbtxt import JOINED_SHARE
from include.triton.version_plan import MAX_BATCH_SIZE
from tests.integration.triton_server import TritonServer

MOST = MAX_BATCH_SIZE["text"] // JOINED_SHARE


def test_small_requests_are_joined_until_there_is_work_enough(served_minilm: TritonServer) -> None:
    sizes = executions(served_minilm, texts=400, together=4)

    assert max(sizes) > 4
    assert max(sizes) < MOST + 4


def test_requests_of_that_size_are_computed_each_by_the_instance_that_is_free(served_minilm: TritonServer) -> None:
    """One that held several would keep its instance busy at the end of the work, and leave the other idle."""
    assert executions(served_minilm, texts=12 * MOST, together=MOST) == {MOST: 12}


def executions(server: TritonServer, *, texts: int, together: int) -> dict[int, int]:
    """Texts of one execution → how many of these there were, while ``texts`` were embedded ``together`` at a time."""
    before = counted(server)
    with TritonClient(server.settings.kserve_url, batch_size=together, concurrency=16) as client:
        client.embed("minilm", ["tent"] * texts)
    # The server answers first and counts then.
    for _ in range(600):
        sizes = {size: more for size, count in counted(server).items() if (more := count - before.get(size, 0))}
        if sum(size * count for size, count in sizes.items()) == texts:
            return sizes
        time.sleep(0.1)
    msg = f"{texts} texts were embedded, and counted were {sizes}"
    raise AssertionError(msg)


def counted(server: TritonServer) -> dict[int, int]:
    """Texts of one execution → how many of these there were."""
    with http.InferenceServerClient(server.settings.kserve_url.removeprefix("http://")) as connection:
        found = connection.get_inference_statistics("minilm")["model_stats"]
    return {
        int(entry["batch_size"]): int(entry["compute_infer"]["count"])
        for version in found
        for entry in version["batch_stats"]
    }
