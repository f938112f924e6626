"""A server that the tests of deploys change as they like, and small models of every kind on the shared one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tritonclient import http

from include.local_stack.environments import ensure
from include.settings import Settings
from include.triton.client import TritonClient, Vectors
from include.triton.deploy import deploy
from tests.integration.triton.load import TEXTS
from tests.integration.triton.small_served import SmallModels, exported
from tests.integration.triton_server import TritonServer, changed, serve_only


@pytest.fixture(scope="session")
def interpreter() -> Path:
    return ensure(Settings(), "triton")


@pytest.fixture(scope="session")
def shorter(tmp_path_factory: pytest.TempPathFactory, exported_minilm: Path) -> Path:
    """Another model to deploy: the same graph with a limit of 128 tokens, so with another fingerprint."""
    return changed(exported_minilm, tmp_path_factory.mktemp("exports") / "shorter", max_length=128)


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory, interpreter: Path) -> Iterator[TritonServer]:
    made = TritonServer.at(tmp_path_factory.mktemp("deploys"), interpreter)
    chosen = {"triton_instances": 1, "triton_runtime": "onnxruntime", "keep_model_versions": 50}
    settings = made.settings.model_copy(update=chosen)
    made = replace(made, settings=settings)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def versions(own_server: TritonServer, exported_minilm: Path, shorter: Path) -> dict[str, Vectors]:
    """The vectors of ``TEXTS`` of the demo model, "whole", and of ``shorter``."""
    own_server.start()
    found = {}
    for name, export in {"whole": exported_minilm, "shorter": shorter}.items():
        deploy(export, own_server.settings)
        with TritonClient(own_server.settings.kserve_url) as client:
            found[name] = client.embed("minilm", TEXTS)
    return found


@pytest.fixture
def server(own_server: TritonServer, versions: dict[str, Vectors], exported_minilm: Path) -> TritonServer:
    """The demo model is served, and there is no other version, neither in the repository nor beside it."""
    if not own_server.running():
        own_server.start()
    serve_only(exported_minilm, own_server.settings)
    return own_server


@pytest.fixture(scope="session")
def small(triton: TritonServer) -> SmallModels:
    """The small models on the shared server."""
    return SmallModels(triton, exported())


@pytest.fixture
def client(triton: TritonServer) -> Iterator[TritonClient]:
    """A client of the shared server, whatever it serves."""
    with TritonClient(triton.settings.kserve_url, deadline_seconds=30) as client:
        yield client


@pytest.fixture
def connection(triton: TritonServer) -> Iterator[http.InferenceServerClient]:
    """A plain KServe V2 connection, for requests that our client would not send."""
    connection = http.InferenceServerClient(triton.settings.kserve_url.removeprefix("http://"), network_timeout=120)
    try:
        yield connection
    finally:
        connection.close()
