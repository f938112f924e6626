"""Deploys and roll backs that are killed, interrupted, met by another, or cannot be taken back."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from include.errors import Busy, GateFailed, ServiceUnavailable
from include.settings import PROJECT_ROOT
from include.triton.client import TritonClient, Vectors
from include.triton.control import ServerControl
from include.triton.deploy import deploy, rollback
from include.triton.repository import ModelRepository
from tests.integration.triton.deployed import answering, beside, only_is_served, ready, repository_of, served
from tests.integration.triton.load import load
from tests.integration.triton_server import TritonServer, changed

Versions = dict[str, Vectors]

KILLED_BETWEEN_PIN_AND_LOAD = """
import os, signal, sys
from pathlib import Path
from include.settings import Settings
from include.triton.control import ServerControl
from include.triton.deploy import deploy, rollback

load = ServerControl.load

def load_or_die(server, model):
    if model == "minilm":
        os.kill(os.getpid(), signal.SIGKILL)
    load(server, model)

ServerControl.load = load_or_die
settings = Settings.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
"""


def killed(server: TritonServer, folder: Path, call: str) -> None:
    """Run ``call`` in a process that is killed when the new version is pinned and not yet loaded."""
    (folder / "settings.json").write_text(server.settings.model_dump_json(), encoding="utf-8")
    words = [sys.executable, "-c", KILLED_BETWEEN_PIN_AND_LOAD + call, str(folder / "settings.json")]
    assert subprocess.run(words, cwd=PROJECT_ROOT, check=False).returncode == -9


def test_a_killed_deploy_is_taken_back_and_done_by_the_next(
    server: TritonServer, versions: Versions, shorter: Path, tmp_path: Path
) -> None:
    first = served(server)
    with load(server.settings, versions):
        killed(server, tmp_path, f"deploy(Path({str(shorter)!r}), settings)")
        assert served(server).version != first.version
        assert answering(server) == first.version
        done = deploy(shorter, server.settings)

    assert (done.changed, done.previous) == (True, first.version)
    assert answering(server) == served(server).version == done.version
    assert repository_of(server).versions("minilm") == [first.version, done.version]
    assert beside(server) == [first.version]


def test_a_killed_deploy_is_taken_back_by_a_deploy_of_what_was_served(
    server: TritonServer, exported_minilm: Path, shorter: Path, tmp_path: Path
) -> None:
    first = served(server)
    killed(server, tmp_path, f"deploy(Path({str(shorter)!r}), settings)")

    again = deploy(exported_minilm, server.settings)

    assert (again.version, again.changed) == (first.version, False)
    assert answering(server) == served(server).version == first.version


def test_a_killed_roll_back_of_two_versions_goes_on_to_the_same_when_it_is_tried_again(
    server: TritonServer, shorter: Path, tmp_path: Path
) -> None:
    first, other = served(server), deploy(shorter, server.settings)
    killed(server, tmp_path, "rollback('minilm', settings, run_key='r')")
    assert answering(server) == other.version

    done = [rollback("minilm", server.settings, run_key="r") for _ in ("tried again", "cleared and run again")]

    assert [(one.version, one.previous, one.changed) for one in done] == [
        (first.version, other.version, True),
        (first.version, other.version, False),
    ]
    assert answering(server) == first.version
    assert rollback("minilm", server.settings, to_version=other.version, run_key="another").version == other.version


@pytest.mark.parametrize(
    ("moment", "fault"),
    [
        ("staging", OSError(errno.ENOSPC, "no space left")),
        ("candidate", KeyboardInterrupt()),
        ("switch", KeyboardInterrupt()),
        ("switch", KeyError("defect")),
    ],
)
def test_whatever_ends_a_deploy_the_old_version_serves_on_and_nothing_is_left(
    server: TritonServer, shorter: Path, monkeypatch: pytest.MonkeyPatch, moment: str, fault: BaseException
) -> None:
    first, real, copy, faults = served(server), ServerControl.load, shutil.copyfile, [fault]

    def load_and_fail(control: ServerControl, model: str) -> None:
        real(control, model)
        if model == {"candidate": "minilm-candidate", "switch": "minilm"}.get(moment) and faults:
            raise faults.pop()

    def copy_and_fail(source: Path, target: Path) -> None:
        copy(source, target)
        if moment == "staging" and target.name == "tokenizer.json" and faults:
            raise faults.pop()

    monkeypatch.setattr(ServerControl, "load", load_and_fail)
    monkeypatch.setattr(shutil, "copyfile", copy_and_fail)
    with pytest.raises(type(fault)):
        deploy(shorter, server.settings)

    assert faults == []
    only_is_served(server, first)


def test_what_cannot_be_put_back_is_said_kept_and_mended_by_the_next_deploy(
    server: TritonServer, versions: Versions, shorter: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    first, real, loads = served(server), ServerControl.load, []

    def load_once(control: ServerControl, model: str) -> None:
        if model == "minilm":
            loads.append(model)
            if len(loads) > 1:
                raise ServiceUnavailable("no answer from the server.")
        real(control, model)
        if model == "minilm":
            raise GateFailed("out of memory.")

    monkeypatch.setattr(ServerControl, "load", load_once)
    with load(server.settings, versions), caplog.at_level(logging.ERROR):
        with pytest.raises(GateFailed, match=r"out of memory.*could NOT be put back everywhere: no answer") as caught:
            deploy(shorter, server.settings)
        assert "still is" not in str(caught.value)
        assert "could NOT be put back" in caplog.text
        new = answering(server)
        assert new in repository_of(server).versions("minilm")  # it is what serves, so its files stay
        assert beside(server) == [first.version]
        with pytest.raises(ServiceUnavailable, match="an earlier switch cannot be mended yet"):
            deploy(shorter, server.settings)

        monkeypatch.undo()
        done = rollback("minilm", server.settings, to_version=new)

    assert (done.version, done.previous, done.changed) == (new, first.version, True)
    assert beside(server) == [first.version]


def test_a_second_deploy_at_the_same_time_is_told_who_is_at_it(
    server: TritonServer, shorter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, stage = threading.Event(), threading.Event(), ModelRepository.stage

    def stage_slowly(*given: object) -> str:
        begun.set()
        assert go_on.wait(60)
        return stage(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(ModelRepository, "stage", stage_slowly)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(deploy, shorter, server.settings)
        assert begun.wait(60)
        with pytest.raises(Busy, match=f"held by: deploy of minilm, process {os.getpid()}"):
            deploy(shorter, server.settings)
        with pytest.raises(Busy, match="held by: deploy of minilm"):
            rollback("minilm", server.settings)
        go_on.set()
        assert running.result().changed


def test_a_version_that_a_collection_needs_outlives_any_number_of_deploys(
    server: TritonServer, versions: Versions, exported_minilm: Path, shorter: Path, tmp_path: Path
) -> None:
    first, frugal = served(server), server.settings.model_copy(update={"triton_beside": 0, "keep_model_versions": 2})
    with load(server.settings, versions, clients=1, fingerprint=first.fingerprint):
        deploy(shorter, frugal, needed={first.fingerprint})
        for length in (100, 101):
            last = deploy(changed(exported_minilm, tmp_path / str(length), max_length=length), frugal, needed=None)
        assert first.version in beside(server)
        assert len(beside(server)) == 3  # what is needed is not known: all that was loaded stays

    deploy(exported_minilm, frugal, needed={last.fingerprint})

    assert beside(server) == [last.version]
    assert answering(server) == first.version


def test_a_copy_that_nobody_needs_gives_its_memory_back_before_the_new_version_is_loaded(
    server: TritonServer, shorter: Path, exported_minilm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, real, most = deploy(shorter, server.settings), ServerControl.load, []

    def count(control: ServerControl, model: str) -> None:
        real(control, model)
        most.append(len(ready(server)))

    monkeypatch.setattr(ServerControl, "load", count)
    deploy(changed(exported_minilm, tmp_path / "third", max_length=99), server.settings)

    assert max(most) == 2  # while it is loaded, the version that it replaces is a third
    assert beside(server) == [second.version]


def test_a_kept_version_whose_files_are_damaged_is_not_served_again(
    server: TritonServer, exported_minilm: Path, shorter: Path
) -> None:
    other = deploy(shorter, server.settings)
    deploy(exported_minilm, server.settings)
    (repository_of(server).folder("minilm", other.version) / "model.onnx").write_bytes(b"half a graph")

    again = deploy(shorter, server.settings.model_copy(update={"triton_beside": 0}))

    assert again.version > other.version
    with TritonClient(server.settings.kserve_url) as client:
        assert client.served("minilm").version == again.version
