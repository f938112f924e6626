"""Deploys and roll backs on a real server: the good model stays in service whatever happens to the new one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from include.errors import ContractError, GateFailed, InputError, ServiceUnavailable
from include.generations.files import sha256_of
from include.local_stack.environments import ensure
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.config_pbtxt import Runtime
from include.triton.control import ServerControl
from include.triton.deploy import DeployResult, deploy, rollback
from include.triton.repository import ModelRepository
from tests.integration.triton_server import TritonServer, changed


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    server = TritonServer.at(tmp_path_factory.mktemp("deploys"), ensure(Settings(), "triton"))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(own_server: TritonServer, exported_minilm: Path) -> TritonServer:
    """A server that only these tests deploy to, with version 1 of the demo model and no other."""
    if not own_server.running():
        own_server.start()
    repository = ModelRepository(own_server.settings.model_repository)
    if not repository.versions("minilm"):
        deploy(exported_minilm, own_server.settings, runtime="onnxruntime")
    elif repository.config_of("minilm", 1) != repository.served("minilm"):
        rollback("minilm", own_server.settings, to_version=1)
    for version in repository.versions("minilm")[1:]:
        repository.remove("minilm", version)
    return own_server


@pytest.fixture
def shorter(tmp_path: Path, exported_minilm: Path) -> Path:
    """Another model to deploy: the same graph with a limit of 128 tokens, so with another fingerprint."""
    return changed(exported_minilm, tmp_path / "shorter", max_length=128)


@contextmanager
def load_of_four_threads(server: TritonServer) -> Iterator[Callable[[], int]]:
    """Embed without pause from four threads; the value counts what was answered. No request may be tried twice."""
    stop, answered = threading.Event(), []
    expected = None

    def embed_all_the_time() -> None:
        with TritonClient(server.settings.kserve_url, concurrency=1, deadline_seconds=0) as client:
            while not stop.is_set():
                answered.append(client.embed("minilm", ["waterproof hiking backpack"] * 8))

    with ThreadPoolExecutor(4) as threads:
        running: list[Future[None]] = [threads.submit(embed_all_the_time) for _ in range(4)]
        try:
            yield lambda: len(answered)
        finally:
            stop.set()
        for future in running:
            future.result()
    expected = answered[0]
    assert all(np.allclose(vectors, expected, atol=1e-4) for vectors in answered)


def test_the_same_build_again_changes_nothing(server: TritonServer, exported_minilm: Path) -> None:
    again = deploy(exported_minilm, server.settings, runtime="onnxruntime")

    assert (again.version, again.changed) == (1, False)
    assert ModelRepository(server.settings.model_repository).versions("minilm") == [1]


def test_deploy_and_roll_back_under_load_fail_no_request(server: TritonServer, shorter: Path) -> None:
    with load_of_four_threads(server) as answered:
        deployed = deploy(shorter, server.settings, runtime="onnxruntime")
        after_deploy = answered()
        back = rollback("minilm", server.settings)
        before_end = answered()
        while answered() < before_end + 8:
            time.sleep(0.01)

    assert (deployed.version, deployed.previous) == (2, 1)
    assert (back.version, back.previous) == (1, 2)
    assert 0 < after_deploy < before_end
    with TritonClient(server.settings.kserve_url) as client:
        served = client.served("minilm")
    assert (served.version, served.fingerprint, served.max_length) == (1, back.fingerprint, 256)


def test_bfloat16_is_another_fingerprint_and_passes_its_own_floor(server: TritonServer, exported_minilm: Path) -> None:
    before = deploy(exported_minilm, server.settings, runtime="onnxruntime").fingerprint

    outcome = deploy_or_refusal(exported_minilm, server, "openvino")

    if isinstance(outcome, GateFailed):  # right on a CPU without bfloat16 alone: it must not serve another precision
        assert "deploy it with runtime=onnxruntime" in str(outcome)
    else:
        assert (outcome.precision, outcome.version) == ("bf16", 2)
        assert outcome.fingerprint != before
        assert 0.999 <= outcome.figures.min_cosine < 0.9999999


def deploy_or_refusal(folder: Path, server: TritonServer, runtime: Runtime) -> DeployResult | GateFailed:
    try:
        return deploy(folder, server.settings, runtime=runtime)
    except GateFailed as error:
        return error


@pytest.mark.parametrize("damage", ["graph", "vectors", "tokenizer"])
def test_a_bad_model_never_serves(server: TritonServer, exported_minilm: Path, tmp_path: Path, damage: str) -> None:
    bad = changed(exported_minilm, tmp_path / "bad")
    manifest = Manifest.read(bad)
    if damage == "graph":
        (bad / "model.onnx").write_bytes(b"this is no graph")
    elif damage == "tokenizer":
        (bad / "tokenizer.json").write_text("{}")
    else:
        turned = tuple(tuple(reversed(vector)) for vector in manifest.reference.vectors)
        manifest = manifest.model_copy(
            update={"reference": manifest.reference.model_copy(update={"vectors": turned}), "max_length": 255}
        )
    files = {name: sha256_of(bad / name) for name in manifest.files}
    manifest.model_copy(update={"files": files}).write(bad)

    with (
        load_of_four_threads(server) as answered,
        pytest.raises(
            GateFailed, match=r"(?s)Version 2 of minilm is not served\. .*What was served before still is"
        ) as caught,
    ):
        deploy(bad, server.settings, runtime="onnxruntime")
    assert answered() > 0

    assert ("cosine to the reference vectors" in str(caught.value)) == (damage == "vectors")
    repository = ModelRepository(server.settings.model_repository)
    assert repository.versions("minilm") == [1]
    assert [path.name for path in repository.root.iterdir() if path.is_dir()] == ["minilm"]
    with TritonClient(server.settings.kserve_url) as client:
        assert client.served("minilm").version == 1
        assert client.ready_models() == ["minilm"]


def test_a_failure_after_the_candidate_puts_the_old_version_back(
    server: TritonServer, shorter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, failed = ServerControl.load, []

    def fail_once(control: ServerControl, model: str) -> None:
        load(control, model)
        if model == "minilm" and not failed:
            failed.append(model)
            raise GateFailed("out of memory")

    monkeypatch.setattr(ServerControl, "load", fail_once)
    with pytest.raises(GateFailed, match="out of memory"):
        deploy(shorter, server.settings, runtime="onnxruntime")

    assert ModelRepository(server.settings.model_repository).versions("minilm") == [1]
    with TritonClient(server.settings.kserve_url) as client:
        assert client.served("minilm").version == 1


def test_a_changed_export_is_refused_before_the_server_hears_of_it(
    server: TritonServer, exported_minilm: Path, tmp_path: Path
) -> None:
    bad = changed(exported_minilm, tmp_path / "bad")
    (bad / "model.onnx").write_bytes(b"something else")

    with pytest.raises(ContractError, match=r"model\.onnx is missing or has changed"):
        deploy(bad, server.settings)


def test_roll_back_with_nothing_before_says_so(server: TritonServer) -> None:
    with pytest.raises(InputError, match="no other to go back to"):
        rollback("minilm", server.settings)
    with pytest.raises(InputError, match="never deployed"):
        rollback("nothing", server.settings)
    with pytest.raises(InputError, match="no version 7"):
        rollback("minilm", server.settings, to_version=7)


def test_a_server_killed_in_the_middle_is_ridden_out(server: TritonServer) -> None:
    texts = [f"waterproof hiking backpack number {number}" for number in range(3_000)]
    with (
        TritonClient(server.settings.kserve_url, batch_size=16, deadline_seconds=60) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        sample = client.embed("minilm", texts[::100])
        running = thread.submit(client.embed, "minilm", texts)
        time.sleep(0.3)
        assert not running.done()
        server.kill()
        assert not running.done()
        server.start()
        vectors = running.result()

    assert vectors.shape == (3_000, 384)
    assert np.allclose(vectors[::100], sample, atol=1e-4)


def test_a_restarted_server_serves_what_was_served(server: TritonServer, shorter: Path) -> None:
    deploy(shorter, server.settings, runtime="onnxruntime")
    rollback("minilm", server.settings)

    server.stop()
    server.start()

    with TritonClient(server.settings.kserve_url) as client:
        assert client.served("minilm").version == 1


def test_no_server_is_said_at_once_and_nothing_is_left_behind(server: TritonServer, shorter: Path) -> None:
    server.stop()

    with pytest.raises(ServiceUnavailable, match="does not answer gRPC"):
        deploy(shorter, server.settings)

    assert ModelRepository(server.settings.model_repository).versions("minilm") == [1]
