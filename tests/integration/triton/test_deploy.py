"""Deploys, roll backs and restarts on a real server: which versions answer, and which are kept."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from include.errors import ContractError, GateFailed, InputError
from include.triton.client import TritonClient, Vectors
from include.triton.deploy import deploy, rollback
from include.triton.runtime import Cpu
from tests.integration.triton.deployed import beside, repository_of, served
from tests.integration.triton.load import TEXTS, load, which
from tests.integration.triton_server import TritonServer, changed

Versions = dict[str, Vectors]
# A CPU with all flags of one of these computes in bfloat16 for OpenVINO, if need be by other instructions.
BFLOAT16 = ({"avx512f", "avx512bw", "avx512dq", "avx512vl"}, {"avx_vnni_int8", "avx_ne_convert"})


def test_the_same_build_again_changes_nothing(server: TritonServer, exported_minilm: Path) -> None:
    first = served(server)

    again = deploy(exported_minilm, server.settings)

    assert (again.version, again.changed) == (first.version, False)
    assert served(server) == first
    assert repository_of(server).versions("minilm") == [first.version]


def test_deploy_and_roll_back_under_load_fail_no_request_and_mix_no_versions(
    server: TritonServer, versions: Versions, shorter: Path
) -> None:
    first = served(server)
    with (
        load(server.settings, versions, clients=2) as anyone,
        load(server.settings, versions, clients=2, fingerprint=first.fingerprint) as pinned,
    ):
        deployed = deploy(shorter, server.settings)
        anyone.wait_for_more()
        pinned.wait_for_more()
        assert beside(server) == [first.version]
        back = rollback("minilm", server.settings)

    assert deployed.previous == first.version
    assert (back.version, back.previous) == (first.version, deployed.version)
    assert set(anyone.answered) == {"whole", "shorter"}
    assert set(pinned.answered) == {"whole"}
    assert beside(server) == [deployed.version]


def test_work_that_began_before_a_deploy_ends_with_the_version_that_it_began_with(
    server: TritonServer, versions: Versions, shorter: Path
) -> None:
    texts = TEXTS * 400
    with (
        TritonClient(server.settings.kserve_url, batch_size=8, concurrency=2) as client,
        ThreadPoolExecutor(1) as thread,
    ):
        running = thread.submit(client.embed, "minilm", texts)
        deploy(shorter, server.settings)
        assert not running.done()
        vectors = running.result()
        assert which(client.embed("minilm", TEXTS), versions) == "shorter"

    assert {which(vectors[start : start + 8], versions) for start in range(0, len(texts), 8)} == {"whole"}


def test_without_a_version_beside_work_of_the_earlier_one_is_refused_with_what_to_do(
    server: TritonServer, versions: Versions, shorter: Path
) -> None:
    first = served(server)
    with load(server.settings, versions):
        deploy(shorter, server.settings.model_copy(update={"triton_beside": 0}))

    assert beside(server) == []
    with (
        TritonClient(server.settings.kserve_url) as client,
        pytest.raises(ContractError, match=rf"none of {first.fingerprint[:12]}.*index-vectors.*rollback model"),
    ):
        client.embed("minilm", TEXTS, fingerprint=first.fingerprint)


def test_so_many_versions_are_kept_and_any_of_them_can_be_put_back_but_one_alone_is_beside(
    server: TritonServer, exported_minilm: Path, tmp_path: Path
) -> None:
    first, two = served(server), server.settings.model_copy(update={"keep_model_versions": 2})
    old, new = [
        deploy(changed(exported_minilm, tmp_path / str(length), max_length=length), two).version
        for length in (100, 101)
    ]

    assert beside(server) == [old]
    assert repository_of(server).versions("minilm") == [old, new]
    with pytest.raises(InputError, match=f"no version {first.version} .*Versions there: {old}, {new}"):
        rollback("minilm", two, to_version=first.version)
    assert rollback("minilm", two, to_version=old).version == old
    assert beside(server) == [new]


def test_an_export_that_is_kept_from_before_is_served_again_and_not_kept_twice(
    server: TritonServer, exported_minilm: Path, shorter: Path
) -> None:
    first, alone = served(server), server.settings.model_copy(update={"triton_beside": 0})
    other = deploy(shorter, alone).version

    again = deploy(exported_minilm, alone)

    assert (again.version, again.previous, again.changed) == (first.version, other, True)
    assert repository_of(server).versions("minilm") == [first.version, other]
    assert rollback("minilm", alone).version == other


def test_bfloat16_is_another_fingerprint_and_passes_its_own_floor(server: TritonServer, exported_minilm: Path) -> None:
    """On a CPU without it, it must not be served in another precision under its name."""
    first = served(server)
    if not any(enough <= Cpu.present().flags for enough in BFLOAT16):
        with pytest.raises(GateFailed, match="deploy it with runtime=onnxruntime"):
            deploy(exported_minilm, server.settings, runtime="openvino")
        assert served(server) == first
        return

    done = deploy(exported_minilm, server.settings, runtime="openvino")

    assert (done.precision, done.previous) == ("bf16", first.version)
    assert done.fingerprint != first.fingerprint
    assert 0.999 <= done.figures.min_cosine < 0.9999999


def test_the_number_of_a_version_that_was_taken_away_is_never_given_to_another(
    server: TritonServer, shorter: Path, exported_minilm: Path, tmp_path: Path
) -> None:
    """Else a client that met the first would take the second for it."""
    alone = server.settings.model_copy(update={"triton_beside": 0})
    gone = deploy(shorter, alone).version
    rollback("minilm", alone)
    repository_of(server).remove("minilm", gone)

    assert deploy(changed(exported_minilm, tmp_path / "other", max_length=99), alone).version == gone + 1


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_a_server_that_is_started_again_is_ridden_out(server: TritonServer, versions: Versions, way: str) -> None:
    with load(server.settings, versions, deadline_seconds=120) as requests:
        getattr(server, way)()
        server.start()

    assert set(requests.answered) == {"whole"}


def test_a_restarted_server_serves_what_was_served_and_what_was_beside_and_minds_no_leftover(
    server: TritonServer, versions: Versions, exported_minilm: Path, shorter: Path
) -> None:
    first, repository = served(server), repository_of(server)
    deployed = deploy(shorter, server.settings)
    config = repository.config_of("minilm", deployed.version).of(model="minilm-candidate", version=1)
    leftover = repository.folder(config.model, config.version)
    shutil.copytree(repository.folder("minilm", deployed.version), leftover)
    (leftover / "model.onnx").write_bytes(b"half a graph")
    repository.pin(config)

    server.stop()
    server.start()

    assert beside(server) == [first.version]
    with TritonClient(server.settings.kserve_url) as client:
        assert client.served("minilm").version == deployed.version
        assert which(client.embed("minilm", TEXTS), versions) == "shorter"
        assert which(client.embed("minilm", TEXTS, fingerprint=first.fingerprint), versions) == "whole"
    assert deploy(changed(exported_minilm, leftover.parents[2] / "export", max_length=99), server.settings).changed
