"""Two servers of one model: deployed one after the other, asked by how busy they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import GateFailed, ServiceUnavailable
from include.settings import Settings
from include.triton.client import TritonClient, Vectors
from include.triton.config_pbtxt import ServingConfig
from include.triton.deploy import deploy, rollback
from include.triton.repository import ModelRepository
from include.triton.sites import sites_of
from tests.integration.triton.load import load
from tests.integration.triton_server import TritonServer, serve_only

Versions = dict[str, Vectors]


class Pair:
    """Two running servers, and the settings that lead to both."""

    def __init__(self, folder: Path, interpreter: Path, *, shared: bool) -> None:
        first = TritonServer.at(folder / "first", interpreter)
        repository = first.settings.model_repository if shared else None
        self.servers = (first, TritonServer.at(folder / "second", interpreter, repository=repository))
        folders = [str(server.settings.model_repository) for server in self.servers]
        self.settings = Settings(
            **{
                **first.settings.model_dump(),
                "kserve_url": ",".join(server.settings.kserve_url for server in self.servers),
                "kserve_grpc_url": ",".join(server.settings.kserve_grpc_url for server in self.servers),
                "model_repositories": "" if shared else ",".join(folders),
                "triton_instances": 1,
                "triton_runtime": "onnxruntime",
            }
        )

    def served(self) -> list[int | None]:
        with TritonClient(self.settings.kserve_url) as client:
            return [found and found.version for found in client.served_by_each("minilm")]

    def versions(self) -> list[list[int]]:
        return [site.repository.versions("minilm") for site in sites_of(self.settings)]


@pytest.fixture(scope="module", params=["shared", "own"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, interpreter: Path
) -> Iterator[Pair]:
    """With a repository that they share, or with one of each."""
    made = Pair(tmp_path_factory.mktemp("pair"), interpreter, shared=request.param == "shared")
    try:
        for server in made.servers:
            server.start()
        yield made
    finally:
        for server in made.servers:
            server.stop()


@pytest.fixture
def pair(running: Pair, exported_minilm: Path) -> Pair:
    """The demo model is served by both, and no other version is there."""
    for server in running.servers:
        if not server.running():
            server.start()
    assert serve_only(exported_minilm, running.settings).servers == 2
    return running


def test_a_deploy_changes_both_and_fails_no_request(pair: Pair, versions: Versions, shorter: Path) -> None:
    first, serving = sites_of(pair.settings)[0].repository.served("minilm"), pair.served()
    assert first is not None
    with (
        load(pair.settings, versions, clients=2),
        load(pair.settings, versions, clients=2, fingerprint=first.fingerprint) as pinned,
    ):
        deployed = deploy(shorter, pair.settings)
        assert pair.served() == [deployed.version] * 2
        pinned.wait_for_more()
        rollback("minilm", pair.settings)

    assert pair.served() == serving
    assert set(pinned.answered) == {"whole"}


@pytest.mark.parametrize("fault", ["broken copy", "killed"])
def test_when_the_second_fails_at_the_switch_the_first_is_put_back_and_the_second_when_it_is_there_again(
    pair: Pair, versions: Versions, shorter: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """After both have accepted the candidate: its file breaks in the last repository, or the last server dies."""
    before, serving, accept = pair.versions(), pair.served(), ModelRepository.accept_candidate

    def accept_and_break(repository: ModelRepository, config: ServingConfig) -> None:
        accept(repository, config)
        if repository.root != sites_of(pair.settings)[-1].repository.root:
            return
        if fault == "killed":
            pair.servers[-1].kill()
        else:
            (repository.folder(config.model, config.version) / "model.onnx").write_bytes(b"a broken copy")

    monkeypatch.setattr(ModelRepository, "accept_candidate", accept_and_break)
    with (
        load(pair.settings, versions) as requests,
        pytest.raises((GateFailed, ServiceUnavailable), match="is not served") as caught,
    ):
        deploy(shorter, pair.settings.model_copy(update={"triton_beside": 0}))

    monkeypatch.undo()
    assert requests.answered["whole"] > 0
    assert ("could NOT be put back" in str(caught.value)) == (fault == "killed")
    if fault == "killed":
        pair.servers[-1].start()
        deploy(shorter, pair.settings)
        rollback("minilm", pair.settings)
    else:
        assert pair.versions() == before
    assert pair.served() == serving


def test_when_the_second_is_away_nothing_is_deployed_and_the_first_goes_on(
    pair: Pair, versions: Versions, shorter: Path
) -> None:
    before, serving = pair.versions(), pair.served()
    with load(pair.settings, versions) as requests:
        pair.servers[1].stop()
        with pytest.raises(ServiceUnavailable, match=pair.servers[1].settings.kserve_grpc_url):
            deploy(shorter, pair.settings)
        requests.wait_for_more()
        pair.servers[1].start()

    assert set(requests.answered) == {"whole"}
    assert pair.served() == serving
    assert pair.versions() == before


def test_both_servers_get_their_share(pair: Pair) -> None:
    before = [inferences(server) for server in pair.servers]
    with TritonClient(pair.settings.kserve_url, batch_size=1) as client:
        client.embed("minilm", ["tent"] * 60)
    gained = [inferences(server) - then for server, then in zip(pair.servers, before, strict=True)]

    assert sum(gained) in (60, 61)  # a server may count the last text of the deploy's own check late
    assert min(gained) >= 2  # how many more depends on how fast each is


def inferences(server: TritonServer) -> int:
    """How many texts a server has embedded so far."""
    with TritonClient(server.settings.kserve_url) as client:
        (found,) = client.on_each(lambda connection, _: connection.get_inference_statistics("minilm"))
    assert found is not None
    return sum(int(model["inference_count"]) for model in found["model_stats"])
