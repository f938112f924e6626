"""Texts in, vectors out, on a real server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tritonclient import http
from tritonclient.utils import InferenceServerException

from include.catalog.models import get_model
from include.errors import ContractError, InputError, ServiceUnavailable
from include.local_stack.ports import free_ports
from include.model_export.manifest import Manifest
from include.triton.check import check_model, rows_of
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from tests.integration.triton_server import TritonServer

MINILM = get_model("minilm")


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def test_vectors_are_those_of_the_source_model(triton_client: TritonClient, exported_minilm: Path) -> None:
    reference = Manifest.read(exported_minilm).reference

    vectors = triton_client.embed("minilm", reference.texts)

    assert vectors.shape == (len(reference.texts), 384)
    assert vectors.dtype == np.float32
    assert cosines(vectors, np.array(reference.vectors)).min() >= 0.999
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-3


def test_many_texts_come_back_in_their_order(triton_client: TritonClient) -> None:
    texts = [f"product number {number} {'very ' * (number % 7)}long" for number in range(500)]

    vectors = triton_client.embed("minilm", texts)

    for row in (0, 63, 64, 255, 256, 499):
        alone = triton_client.embed("minilm", [texts[row]])
        assert cosines(vectors[row : row + 1], alone)[0] > 0.9999


def test_a_batch_larger_than_the_server_takes_is_split(served_minilm: TritonServer) -> None:
    with TritonClient(served_minilm.settings.kserve_url, batch_size=10_000) as client:
        assert client.embed("minilm", ["tent"] * 600).shape == (600, 384)


def test_no_texts_give_no_rows_of_the_right_width(triton_client: TritonClient) -> None:
    assert triton_client.embed("minilm", []).shape == (0, 384)


def test_strange_texts_embed_like_any_other(triton_client: TritonClient) -> None:
    texts = [
        "",
        " ",
        "🎒🏔️",
        "nul\x00inside",
        "nul at the end\x00",
        "\x01\x02",
        "\ud800 lone",
        "x" * 10_000,
        "word " * 50_000,
    ]

    vectors = triton_client.embed("minilm", texts)

    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-3


def test_a_text_past_the_limit_is_cut_at_the_limit(triton_client: TritonClient) -> None:
    at_limit, beyond = "word " * 254, "word " * 5_000

    vectors = triton_client.embed("minilm", [at_limit, beyond])

    assert cosines(vectors[:1], vectors[1:])[0] > 0.9999


def test_async_gives_the_same_vectors_without_blocking_the_loop(triton_client: TritonClient) -> None:
    texts = [f"text {number}" for number in range(200)]

    async def embed_while_ticking() -> tuple[np.ndarray, int]:
        task = asyncio.create_task(triton_client.aembed("minilm", texts))
        ticks = 0
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.001)
        return await task, ticks

    vectors, ticks = asyncio.run(embed_while_ticking())

    assert cosines(vectors, triton_client.embed("minilm", texts)).min() > 0.9999
    assert ticks > 3


def test_one_client_serves_many_threads(triton_client: TritonClient) -> None:
    texts = [[f"thread {thread} text {number}" for number in range(40)] for thread in range(16)]
    expected = [triton_client.embed("minilm", part) for part in texts]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda part: triton_client.embed("minilm", part), texts))

    assert all(cosines(a, b).min() > 0.9999 for a, b in zip(expected, found, strict=True))


def test_an_unknown_model_is_refused_at_once_with_the_ready_ones(triton_client: TritonClient) -> None:
    with pytest.raises(InputError, match=r"'nothing'.*Ready models: .*minilm.*embsearch deploy --model nothing"):
        triton_client.embed("nothing", ["a"])


def test_an_unreachable_server_is_named_when_the_deadline_has_passed() -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    with TritonClient(url, deadline_seconds=0.5) as client:
        assert not client.is_live()
        with pytest.raises(ServiceUnavailable, match=url):
            client.embed("minilm", ["a"])


def test_a_dead_server_of_the_list_is_passed_over(served_minilm: TritonServer) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    with TritonClient([dead, served_minilm.settings.kserve_url], deadline_seconds=10) as client:
        assert client.embed("minilm", ["tent"] * 300).shape == (300, 384)


def test_vectors_of_another_model_than_the_one_begun_with_are_refused(triton_client: TritonClient) -> None:
    with pytest.raises(
        ContractError, match=r"serves version 1 of minilm, of fingerprint .*none of 000000000000\..*rollback model"
    ):
        triton_client.embed("minilm", ["a"], fingerprint="0" * 64)


def test_a_check_tells_which_server_is_away(served_minilm: TritonServer) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    with TritonClient([dead, served_minilm.settings.kserve_url]) as client:
        check = check_model(client, MINILM, rounds=1)

    assert not check.live
    assert not check.ready
    assert dict(rows_of(check))[f"server {dead}"] == "does not answer"


def test_a_call_ends_at_its_deadline(triton_client: TritonClient) -> None:
    with pytest.raises(ServiceUnavailable, match=r"9000 items for minilm: not done within 0.2 s"):
        triton_client.embed("minilm", ["waterproof backpack"] * 9_000, deadline_seconds=0.2)

    assert triton_client.embed("minilm", ["tent"], deadline_seconds=60).shape == (1, 384)


def test_a_cancelled_call_sends_no_further_requests(served_minilm: TritonServer) -> None:
    async def cancel() -> None:
        with TritonClient(served_minilm.settings.kserve_url, batch_size=8, concurrency=2) as client:
            task = asyncio.create_task(client.aembed("minilm", ["waterproof backpack"] * 100_000))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(client.close)  # would wait for what is under way

    asyncio.run(asyncio.wait_for(cancel(), timeout=30))


def test_a_catalogue_of_another_dimension_is_refused(triton_client: TritonClient) -> None:
    embedder = Embedder(triton_client, MINILM.model_copy(update={"dimension": 768}))

    with pytest.raises(ContractError, match="dimension 384, the catalogue says 768"):
        embedder.embed(["a"], "query")


def test_a_request_of_the_wrong_type_is_refused_and_the_server_lives_on(served_minilm: TritonServer) -> None:
    connection = http.InferenceServerClient(served_minilm.settings.kserve_url.removeprefix("http://"))
    wrong_type = http.InferInput("TEXT", [1, 1], "FP32")
    wrong_type.set_data_from_numpy(np.zeros((1, 1), np.float32))
    not_text = http.InferInput("TEXT", [1, 1], "BYTES")
    not_text.set_data_from_numpy(np.array([[b"\xff\xfe"]], dtype=object))
    good = http.InferInput("TEXT", [1, 1], "BYTES")
    good.set_data_from_numpy(np.array([[b"tent"]], dtype=object))
    try:
        with pytest.raises(InferenceServerException, match="data-type"):
            connection.infer("minilm", [wrong_type])
        with pytest.raises(InferenceServerException, match="not UTF-8"):
            connection.infer("minilm", [not_text])
        assert connection.infer("minilm", [good]).as_numpy("EMBEDDING").shape == (1, 384)
    finally:
        connection.close()


def test_a_bad_request_spoils_none_that_is_joined_with_it(served_minilm: TritonServer) -> None:
    """Bad and good requests are sent at once, so that the server joins them into the same executions."""
    bad = http.InferInput("TEXT", [1, 1], "BYTES")
    bad.set_data_from_numpy(np.array([[b"\xff"]], dtype=object))
    connection = http.InferenceServerClient(served_minilm.settings.kserve_url.removeprefix("http://"), concurrency=8)
    try:
        with TritonClient(served_minilm.settings.kserve_url, batch_size=4, concurrency=8) as client:
            client.embed("minilm", ["warm"])
            refused = [connection.async_infer("minilm", [bad]) for _ in range(8)]
            vectors = client.embed("minilm", ["tent"] * 100)
            for request in refused:
                with pytest.raises(InferenceServerException, match="not UTF-8"):
                    request.get_result()
    finally:
        connection.close()

    assert np.isfinite(vectors).all()
    assert vectors.shape == (100, 384)


def test_check_tells_what_is_served_and_that_meanings_are_near(triton_client: TritonClient) -> None:
    check = check_model(triton_client, MINILM, rounds=3)

    rows = dict(rows_of(check))
    assert (rows["live"], rows["ready"], rows["version"], rows["dimension"]) == ("True", "True", "1", "384")
    assert rows["beside it"] == "none"
    assert rows[f"server {triton_client.urls[0]}"] == "version 1"
    assert rows["one text, p50"].endswith("ms")
    assert rows["throughput"].endswith("texts/s")
    assert (check.live, check.ready, check.version, check.dimension) == (True, True, 1, 384)
    assert check.p95_ms >= check.p50_ms > 0
    assert check.texts_per_second > 0
    assert check.meaningful


def test_of_a_long_list_the_caller_is_told_how_many_are_done(triton_client: TritonClient) -> None:
    told: list[int] = []
    triton_client.embed("minilm", [f"tent {number}" for number in range(300)], on_rows=told.append)
    assert len(told) > 1
    assert sum(told) == 300
