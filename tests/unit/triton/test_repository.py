from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import ContractError, InputError
from include.triton.config_pbtxt import ServingConfig
from include.triton.repository import ModelRepository
from tests.unit.triton.test_config_pbtxt import CONFIG

FIRST = replace(CONFIG, version=1, previous=0)


class Manifest:
    """Any file that names itself."""

    def __init__(self, **files: str) -> None:
        self.files = files

    def write(self, folder: Path) -> None:
        (folder / "manifest.json").write_text("{}")


MANIFEST = Manifest()
GRAPH = "model.onnx"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "export" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(b"graph")
    return path


@pytest.fixture
def repository(tmp_path: Path, graph: Path) -> ModelRepository:
    """Version 1 is served."""
    repository = ModelRepository(tmp_path / "repository")
    repository.stage(FIRST, {"model.onnx": graph}, MANIFEST)
    repository.accept_candidate(FIRST)
    repository.pin(FIRST)
    return repository


def test_before_the_first_deploy_nothing_is_served(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "none")

    assert repository.versions("minilm") == []
    assert repository.served("minilm") is None


def test_a_candidate_is_a_model_of_its_own_and_leaves_the_served_one_alone(
    repository: ModelRepository, graph: Path
) -> None:
    name = repository.stage(CONFIG, {"model.onnx": graph}, MANIFEST)

    candidate = repository.served(name)
    assert candidate is not None
    assert (candidate.model, candidate.version, candidate.fingerprint) == ("minilm-candidate", 1, CONFIG.fingerprint)
    assert repository.served("minilm") == FIRST
    assert repository.versions("minilm") == [1]


def test_a_copy_that_is_not_what_the_manifest_says_is_refused(repository: ModelRepository, graph: Path) -> None:
    with pytest.raises(ContractError, match=r"minilm-candidate/1/model.onnx is not a whole copy of .*model.onnx"):
        repository.stage(CONFIG, {GRAPH: graph}, Manifest(**{GRAPH: "0" * 64}))


def test_a_file_of_a_kept_version_that_is_lost_is_seen(repository: ModelRepository, graph: Path) -> None:
    repository.check_files("minilm", 1, {GRAPH: graph}, MANIFEST)

    (repository.folder("minilm", 1) / GRAPH).unlink()

    with pytest.raises(ContractError, match="is not a whole copy"):
        repository.check_files("minilm", 1, {GRAPH: graph}, MANIFEST)


def test_what_is_served_is_noted_until_a_switch_is_at_its_end(repository: ModelRepository) -> None:
    assert repository.noted_switch("minilm") == (False, None)
    repository.note_switch("minilm", FIRST)
    assert repository.noted_switch("minilm") == (True, FIRST)
    repository.note_switch("minilm", None)
    assert repository.noted_switch("minilm") == (True, None)
    repository.forget_switch("minilm")
    assert repository.noted_switch("minilm") == (False, None)


def test_an_accepted_candidate_is_a_version_that_nobody_serves_before_it_is_pinned(
    repository: ModelRepository, graph: Path
) -> None:
    repository.stage(CONFIG, {"model.onnx": graph}, MANIFEST)
    repository.accept_candidate(CONFIG)

    assert repository.versions("minilm") == [1, 3]
    assert repository.served("minilm") == FIRST
    assert not repository.folder("minilm-candidate").exists()
    assert (repository.folder("minilm", 3) / "model.onnx").read_bytes() == b"graph"

    repository.pin(CONFIG)
    assert repository.served("minilm") == CONFIG


def test_what_a_killed_deploy_left_does_not_reach_the_next(repository: ModelRepository, graph: Path) -> None:
    repository.stage(CONFIG, {"model.onnx": graph, "leftover": graph}, MANIFEST)

    repository.stage(CONFIG, {"model.onnx": graph}, MANIFEST)
    repository.accept_candidate(CONFIG)

    assert sorted(path.name for path in repository.folder("minilm", 3).iterdir()) == [
        "config.pbtxt",
        "manifest.json",
        "model.onnx",
    ]


def test_the_served_version_cannot_be_removed(repository: ModelRepository) -> None:
    with pytest.raises(InputError, match="Version 1 of minilm is being served"):
        repository.remove("minilm", 1)

    assert repository.versions("minilm") == [1]


def test_an_unknown_version_is_refused_with_those_there_are(repository: ModelRepository) -> None:
    with pytest.raises(InputError, match=r"no version 9.*Versions there: 1"):
        repository.config_of("minilm", 9)


def accepted(repository: ModelRepository, graph: Path, version: int, fingerprint: str) -> ServingConfig:
    config = replace(FIRST, version=version, fingerprint=fingerprint * 64, build=f"build {version}")
    repository.stage(config, {"model.onnx": graph}, MANIFEST)
    repository.accept_candidate(config)
    return config


def test_versions_beside_are_told_the_latest_first_and_share_the_files_of_their_version(
    repository: ModelRepository, graph: Path
) -> None:
    first, second = (accepted(repository, graph, number, letter) for number, letter in ((4, "a"), (5, "b")))

    copies = [repository.lay_beside(config) for config in (second, first)]

    assert repository.beside("minilm") == [copies[1], copies[0]]
    assert copies[1].model == "minilm-aaaaaaaaaaaa"
    assert (repository.folder(copies[1].model, 4) / "model.onnx").read_bytes() == b"graph"
    repository.drop_beside(copies[1])
    assert repository.beside("minilm") == [copies[0]]
    assert (repository.folder("minilm", 4) / "model.onnx").read_bytes() == b"graph"


def test_pruning_spares_what_is_served_what_was_before_it_and_what_is_beside(
    repository: ModelRepository, graph: Path
) -> None:
    made = [accepted(repository, graph, number, letter) for number, letter in zip(range(2, 8), "abcdef", strict=True)]
    repository.lay_beside(made[1])
    repository.pin(replace(made[2], previous=1))

    assert repository.prune("minilm", keep=2) == [2, 5]
    assert repository.versions("minilm") == [1, 3, 4, 6, 7]


def test_pruning_spares_versions_that_a_collection_needs_and_all_when_that_is_not_known(
    repository: ModelRepository, graph: Path
) -> None:
    made = [accepted(repository, graph, number, letter) for number, letter in zip(range(2, 7), "abcde", strict=True)]

    assert repository.prune("minilm", keep=2, needed=None) == []
    assert repository.prune("minilm", keep=2, needed={made[0].fingerprint}) == [3, 4]
    assert repository.versions("minilm") == [1, 2, 5, 6]


def test_a_number_is_given_once(repository: ModelRepository, graph: Path) -> None:
    assert repository.next_version("minilm") == 2
    accepted(repository, graph, 2, "a")
    repository.remove("minilm", 2)

    assert repository.next_version("minilm") == 3


def test_a_build_is_found_among_the_kept_versions(repository: ModelRepository, graph: Path) -> None:
    config = accepted(repository, graph, 2, "a")

    assert repository.find("minilm", "build 2") == config
    assert repository.find("minilm", "build 9") is None
