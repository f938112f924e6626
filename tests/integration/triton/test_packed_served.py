"""The packed model of a GPU in a real server, where there is none on its CPU in float32: same name, same contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from include.bench.gpu import clients, gpu_figures
from include.errors import GateFailed, InputError
from include.local_stack.environments import ensure
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.deploy import deploy, rollback
from include.triton.repository import ModelRepository
from tests.integration.triton_server import TritonServer

HAS_GPU = Path("/dev/nvidia0").exists()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, exported_minilm: Path) -> Iterator[TritonServer]:
    """A server with the demo model served by ONNX Runtime as version 1, and packed as version 2."""
    server = TritonServer.at(tmp_path_factory.mktemp("packed"), ensure(Settings(), "triton"))
    try:
        server.start()
        deploy(exported_minilm, server.settings, runtime="onnxruntime")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("include.triton.version_plan.served_as", lambda *_: ("packed", "fp32"))
            deploy(exported_minilm, server.settings)
        yield server
    finally:
        server.stop()


@pytest.fixture
def client(server: TritonServer) -> Iterator[TritonClient]:
    with TritonClient(server.settings.kserve_url, deadline_seconds=60) as client:
        yield client


def test_a_client_sees_the_same_model_with_other_vectors_fingerprint(
    server: TritonServer, client: TritonClient, exported_minilm: Path
) -> None:
    served, manifest = client.served("minilm"), Manifest.read(exported_minilm)

    assert (served.version, served.runtime, served.dimension) == (2, "packed", 384)
    vectors = client.embed("minilm", manifest.reference.texts)
    assert (vectors * np.array(manifest.reference.vectors)).sum(1).min() >= 0.9999


def test_the_version_holds_packed_weights_and_no_graph(server: TritonServer) -> None:
    folder = ModelRepository(server.settings.model_repository).folder("minilm", 2)
    names = {path.name for path in folder.iterdir()}

    assert {"packed.safetensors", "packed.json", "tokenizer.json", "manifest.json", "packed_encoder.py"} <= names
    assert "model.onnx" not in names


def test_vectors_come_in_the_order_of_texts_of_any_length(client: TritonClient) -> None:
    texts = [f"{'waterproof hiking backpack ' * (row % 7)}{row}" for row in range(300)]
    texts[17], texts[100] = "", "word " * 5_000  # no words at all, and far more than the model takes

    together = client.embed("minilm", texts)

    alone = np.concatenate([client.embed("minilm", [text]) for text in texts[::20] + texts[15:20]])
    assert np.allclose(together[[*range(0, 300, 20), *range(15, 20)]], alone, atol=1e-5)
    assert np.allclose(client.embed("minilm", ["word " * 254]), together[100], atol=1e-5)  # cut at 256 tokens


def test_the_bench_of_a_gpu_measures_nothing_on_a_cpu(server: TritonServer, exported_minilm: Path) -> None:
    with pytest.raises(InputError, match="is served in fp32 by packed, which is on a CPU"):
        gpu_figures(server.settings, exported_minilm)


def test_the_clients_of_the_bench_count_what_they_are_answered(server: TritonServer) -> None:
    texts = [f"hiking backpack {number}" for number in range(100)]

    found = clients(server.settings.kserve_url, "minilm", texts, size=16, count=2, seconds=1.0)

    assert [each.texts for each in found] == [16 * len(each.latencies) for each in found]
    assert all(each.ended - each.began >= 1.0 for each in found)


def test_the_clients_of_the_bench_begin_when_all_are_ready_and_what_one_of_them_meets_is_told(
    server: TritonServer,
) -> None:
    texts = [f"hiking backpack {number}" for number in range(100)]
    found = clients(server.settings.kserve_url, "minilm", texts, size=16, count=3, seconds=0.2)
    assert max(each.ready for each in found) <= min(each.began for each in found)
    with pytest.raises(InputError, match="nowhere"):
        clients(server.settings.kserve_url, "nowhere", texts, size=16, count=2, seconds=0.2)


def test_going_back_to_the_cpu_version_is_one_roll_back(server: TritonServer, client: TritonClient) -> None:
    done = rollback("minilm", server.settings)
    try:
        assert (done.version, done.runtime) == (1, "onnxruntime")
    finally:
        assert rollback("minilm", server.settings, to_version=2).runtime == "packed"


def test_a_server_with_no_gpu_refuses_the_gpu_version_and_serves_on(
    server: TritonServer, client: TritonClient, exported_minilm: Path
) -> None:
    if HAS_GPU:
        done = deploy(exported_minilm, server.settings, runtime="packed")
        assert (done.runtime, done.precision) == ("packed", "fp16")
        return
    with pytest.raises(GateFailed, match="(?i)gpu"):
        deploy(exported_minilm, server.settings, runtime="packed")
    assert client.served("minilm").version == 2
    assert client.embed("minilm", ["still there"]).shape == (1, 384)
