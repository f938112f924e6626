"""Runtime ``tensorrt`` in a real server, as far as one goes that has neither a GPU nor the onnxruntime backend.

The ensemble, its tokenizer, and the whole life of its versions are real. In the place of the encoder stands a Python
model that runs the same graph on the CPU, so nothing here tells of TensorRT.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc import model_config_pb2 as schema

from include.errors import GateFailed
from include.local_stack.environments import ensure
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.triton import ensemble, model_code
from include.triton.client import TritonClient
from include.triton.control import ServerControl
from include.triton.deploy import deploy, rollback
from include.triton.ensemble import step_names
from include.triton.repository import ModelRepository
from tests.integration.triton_server import TritonServer, changed

STAND_IN = Path(__file__).with_name("stand_in_encoder.py")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder's configuration and files, with a backend that every server has."""
    encoder_config, code_files = ensemble.encoder_config, model_code.code_files

    def on_cpu(config: Any) -> schema.ModelConfig:
        message = encoder_config(config)
        message.backend, message.default_model_filename = "python", STAND_IN.name
        message.instance_group[0].kind = schema.ModelInstanceGroup.KIND_CPU
        message.ClearField("optimization")
        return message

    monkeypatch.setattr(ensemble, "encoder_config", on_cpu)
    monkeypatch.setattr(model_code, "code_files", lambda *of: code_files(*of) | {STAND_IN.name: STAND_IN})


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory, exported_minilm: Path) -> Iterator[TritonServer]:
    server = TritonServer.at(tmp_path_factory.mktemp("ensemble"), ensure(Settings(), "triton"))
    try:
        server.start()
        deploy(exported_minilm, server.settings, runtime="onnxruntime")
        yield server
    finally:
        server.stop()


@pytest.fixture
def client(own_server: TritonServer) -> Iterator[TritonClient]:
    with TritonClient(own_server.settings.kserve_url, deadline_seconds=60) as client:
        yield client


def loaded(server: TritonServer) -> set[str]:
    with TritonClient(server.settings.kserve_url) as client:
        return set(client.ready_models())


def test_a_server_without_the_backend_refuses_and_serves_on(
    own_server: TritonServer, client: TritonClient, exported_minilm: Path
) -> None:
    with pytest.raises(GateFailed, match=r"Version 2 of minilm is not served"):
        deploy(exported_minilm, own_server.settings, runtime="tensorrt")

    assert client.served("minilm").runtime == "onnxruntime"
    assert client.embed("minilm", ["still there"]).shape == (1, 384)
    assert loaded(own_server) == {"minilm"}
    left = {path.name for path in own_server.settings.model_repository.iterdir() if path.is_dir()}
    assert left == {"minilm"}


@pytest.mark.usefixtures("stand_in")
def test_an_ensemble_is_deployed_replaced_and_rolled_back_like_any_version(
    own_server: TritonServer, client: TritonClient, exported_minilm: Path, tmp_path: Path
) -> None:
    reference = Manifest.read(exported_minilm).reference
    alone = own_server.settings.model_copy(update={"triton_beside": 0})
    first = deploy(exported_minilm, alone, runtime="tensorrt")
    assert (first.runtime, first.precision) == ("tensorrt", "fp16")
    assert first.figures.min_cosine >= 0.999

    vectors = client.embed("minilm", reference.texts)
    assert (vectors * np.array(reference.vectors)).sum(1).min() >= 0.999
    assert np.allclose(client.embed("minilm", [""]), client.embed("minilm", ["", "a longer text"])[:1], atol=1e-5)
    steps = step_names("minilm", first.version)
    assert loaded(own_server) == {"minilm", *steps}

    shorter = changed(exported_minilm, tmp_path / "shorter", max_length=128)
    second = deploy(shorter, alone, runtime="tensorrt")
    assert loaded(own_server) == {"minilm", *step_names("minilm", second.version)}

    assert rollback("minilm", own_server.settings).version == first.version
    beside = f"minilm-{second.fingerprint[:12]}"  # whoever holds vectors of it still finds it
    assert loaded(own_server) == {"minilm", *steps, beside, *step_names(beside, second.version)}
    assert client.embed("minilm", ["still there"], fingerprint=second.fingerprint).shape == (1, 384)

    assert rollback("minilm", alone, to_version=1).runtime == "onnxruntime"
    assert loaded(own_server) == {"minilm"}
    assert client.embed("minilm", ["still there"]).shape == (1, 384)


@pytest.mark.usefixtures("stand_in")
def test_a_restarted_server_serves_the_ensemble_that_was_promoted(
    own_server: TritonServer, exported_minilm: Path
) -> None:
    alone = own_server.settings.model_copy(update={"triton_beside": 0})
    done = deploy(exported_minilm, alone, runtime="tensorrt")
    own_server.stop()
    own_server.start()

    with TritonClient(own_server.settings.kserve_url, deadline_seconds=60) as client:
        assert client.embed("minilm", ["still there"]).shape == (1, 384)
        assert client.served("minilm").version == done.version
    repository = ModelRepository(own_server.settings.model_repository)
    ServerControl([own_server.settings.kserve_grpc_url]).unload("minilm")
    assert loaded(own_server) == set()
    assert repository.served("minilm") is not None


def test_texts_beyond_tensorrts_limit_are_another_model(exported_minilm: Path, tmp_path: Path) -> None:
    from include.triton.version_plan import as_served

    manifest = Manifest.read(exported_minilm)
    longer = manifest.model_copy(update={"max_length": 8192})

    limited = as_served(longer, exported_minilm, Settings(), "tensorrt")

    assert limited.max_length == 512
    assert limited.fingerprint("fp16") != longer.fingerprint("fp16")
    assert 0 < len(limited.reference.texts) < len(manifest.reference.texts)
    assert len(limited.reference.texts) == len(limited.reference.vectors)
    assert as_served(longer, exported_minilm, Settings(), "packed") is longer
