"""Deploys and roll backs that fail: the good model stays in service whatever is wrong with the new one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import ContractError, GateFailed, InputError, ServiceUnavailable
from include.generations.files import sha256_of
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.triton.client import Vectors
from include.triton.config_pbtxt import ServingConfig
from include.triton.control import ServerControl
from include.triton.deploy import deploy, rollback
from tests.integration.triton.deployed import only_is_served, repository_of, served
from tests.integration.triton.load import load
from tests.integration.triton_server import TritonServer, changed

Versions = dict[str, Vectors]


@pytest.mark.parametrize("damage", ["graph", "vectors", "tokenizer"])
def test_a_bad_model_never_serves(
    server: TritonServer, versions: Versions, exported_minilm: Path, tmp_path: Path, damage: str
) -> None:
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

    first = served(server)
    with (
        load(server.settings, versions) as requests,
        pytest.raises(
            GateFailed, match=r"(?s)Version \d+ of minilm is not served\. .*What was served before still is"
        ) as caught,
    ):
        deploy(bad, server.settings)

    assert set(requests.answered) == {"whole"}
    assert ("cosine to the reference vectors" in str(caught.value)) == (damage == "vectors")
    only_is_served(server, first)


def test_a_configuration_that_the_server_refuses_never_serves(
    server: TritonServer, versions: Versions, shorter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, render = served(server), ServingConfig.render
    monkeypatch.setattr(
        ServingConfig, "render", lambda config: render(config).replace('backend: "python"', 'backend: "nope"')
    )
    with load(server.settings, versions), pytest.raises(GateFailed, match="backend library"):
        deploy(shorter, server.settings)

    monkeypatch.undo()
    only_is_served(server, first)


def test_a_broken_config_pbtxt_changes_nothing_until_the_next_deploy_mends_it(
    server: TritonServer, versions: Versions, exported_minilm: Path
) -> None:
    first = served(server)
    path = repository_of(server).folder("minilm") / "config.pbtxt"
    with load(server.settings, versions) as requests:
        path.write_text("name: 'minilm' instance_grup {}")
        with pytest.raises(GateFailed, match="failed to load 'minilm'"):
            ServerControl([server.settings.kserve_grpc_url]).load("minilm")
        requests.wait_for_more()
        again = deploy(exported_minilm, server.settings)

    assert (again.version, again.changed) == (first.version, False)
    assert served(server) == first


def test_a_failure_after_the_candidate_puts_the_old_version_back(
    server: TritonServer, versions: Versions, shorter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = served(server)
    loads, failed = ServerControl.load, []

    def fail_once(control: ServerControl, model: str) -> None:
        loads(control, model)
        if model == "minilm" and not failed:
            failed.append(model)
            raise GateFailed("out of memory")

    monkeypatch.setattr(ServerControl, "load", fail_once)
    with load(server.settings, versions), pytest.raises(GateFailed, match="out of memory"):
        deploy(shorter, server.settings)

    only_is_served(server, first)


def test_a_changed_export_is_refused_before_the_server_hears_of_it(
    server: TritonServer, exported_minilm: Path, tmp_path: Path
) -> None:
    bad = changed(exported_minilm, tmp_path / "bad")
    (bad / "model.onnx").write_bytes(b"something else")

    with pytest.raises(ContractError, match=r"model\.onnx is missing or has changed"):
        deploy(bad, server.settings)


def test_roll_back_with_nothing_before_says_so(server: TritonServer) -> None:
    repository_of(server).pin(replace(served(server), previous=0))
    with pytest.raises(InputError, match="no other to go back to"):
        rollback("minilm", server.settings)
    with pytest.raises(InputError, match="never deployed"):
        rollback("nothing", server.settings)
    with pytest.raises(InputError, match="no version 777"):
        rollback("minilm", server.settings, to_version=777)


def test_no_server_is_said_at_once_and_nothing_is_left_behind(server: TritonServer, shorter: Path) -> None:
    first = served(server)
    server.stop()

    with pytest.raises(ServiceUnavailable, match="does not answer gRPC"):
        deploy(shorter, server.settings)

    assert repository_of(server).versions("minilm") == [first.version]


def test_as_many_repositories_as_servers_or_none() -> None:
    settings = Settings(kserve_grpc_url="a:1,b:2", model_repositories="/one")
    with pytest.raises(InputError, match="1 folders for 2 servers"):
        rollback("minilm", settings)
