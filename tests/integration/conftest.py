"""Real servers for the integration tests. What takes long to make is made once and kept under ``.local/cache``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.local_stack.environments import ensure
from include.model_export.launch import export_model
from include.settings import PROJECT_ROOT, Settings
from include.triton.client import TritonClient
from include.triton.deploy import deploy
from tests.integration.triton_server import TritonServer


@pytest.fixture(scope="session")
def exported_minilm() -> Path:
    """The demo model, exported for real; later sessions find it standing, checked by its hashes."""
    settings = Settings(state_dir=PROJECT_ROOT / ".local" / "cache" / "tests")
    return export_model("minilm", settings)


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server that all tests share: they do not change what it serves."""
    server = TritonServer.at(tmp_path_factory.mktemp("triton"), ensure(Settings(), "triton"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def served_minilm(triton: TritonServer, exported_minilm: Path) -> TritonServer:
    """The shared server with the demo model on it."""
    deploy(exported_minilm, triton.settings)
    return triton


@pytest.fixture
def triton_client(served_minilm: TritonServer) -> Iterator[TritonClient]:
    """A client of the shared server."""
    with TritonClient(served_minilm.settings.kserve_url, deadline_seconds=30) as client:
        yield client
