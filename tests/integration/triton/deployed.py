"""What a server serves, and what lies in its repository."""

from __future__ import annotations

from include.triton.client import TritonClient
from include.triton.config_pbtxt import ServingConfig
from include.triton.repository import ModelRepository
from tests.integration.triton_server import TritonServer


def repository_of(server: TritonServer) -> ModelRepository:
    return ModelRepository(server.settings.model_repository)


def ready(server: TritonServer) -> list[str]:
    with TritonClient(server.settings.kserve_url) as client:
        return client.ready_models()


def served(server: TritonServer) -> ServingConfig:
    found = repository_of(server).served("minilm")
    assert found is not None
    return found


def answering(server: TritonServer) -> int:
    """The version that answers, whatever lies on disk."""
    with TritonClient(server.settings.kserve_url) as client:
        return client.served("minilm").version


def beside(server: TritonServer) -> list[int]:
    """The versions that are ready beside the served one."""
    kept = {config.model: config.version for config in repository_of(server).beside("minilm")}
    assert set(ready(server)) == {"minilm", *kept}
    return list(kept.values())


def only_is_served(server: TritonServer, config: ServingConfig) -> None:
    """No trace of another version is there."""
    repository = repository_of(server)
    assert served(server) == config
    assert repository.versions("minilm") == [config.version]
    assert [path.name for path in repository.root.iterdir() if path.is_dir()] == ["minilm"]
    assert not repository.noted_switch("minilm")[0]
    assert answering(server) == config.version
    assert ready(server) == ["minilm"]
