"""A real Triton for tests, on free ports, that can be killed and started again in place."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from shutil import copytree

from include.local_stack import process, triton
from include.local_stack.environments import ensure
from include.local_stack.ports import free_ports
from include.local_stack.service import Service
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.triton.deploy import DeployResult, deploy
from include.triton.sites import sites_of


@dataclass
class TritonServer:
    """One server over a repository of its own; ``settings`` lead to both."""

    service: Service
    settings: Settings
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @classmethod
    def at(cls, folder: Path, interpreter: Path, *, repository: Path | None = None) -> TritonServer:
        """``repository`` is another server's, to be shared."""
        http, grpc, metrics = free_ports(3)
        repository = repository or folder / "repository"
        return cls(
            service=triton.service(
                interpreter=interpreter,
                repository=repository,
                ports=triton.Ports(http, grpc, metrics),
                run_folder=folder / "run",
                log=folder / "triton.log",
            ),
            settings=Settings(
                state_dir=folder / "state",
                model_repository=repository,
                kserve_url=f"http://127.0.0.1:{http}",
                kserve_grpc_url=f"127.0.0.1:{grpc}",
            ),
        )

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self._process = process.start(self.service)
        process.wait_ready(self.service, self._process)

    def kill(self) -> None:
        """Without a warning, as the kernel does when memory runs out."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self.service, self._process)


@contextmanager
def own_triton(folder: Path) -> Iterator[TritonServer]:
    """A server of a test file's own, which loads models quickly: one instance, ONNX Runtime."""
    made = TritonServer.at(folder, ensure(Settings(), "triton"))
    chosen = {"triton_instances": 1, "triton_runtime": "onnxruntime"}
    made = replace(made, settings=made.settings.model_copy(update=chosen))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def serve_only(export: Path, settings: Settings) -> DeployResult:
    """Serve an export, and no other version of its model, neither from a repository nor beside it."""
    done = deploy(export, settings)
    for site in sites_of(settings):
        for beside in site.repository.beside(done.model):
            site.unload(beside.model)
            site.repository.drop_beside(beside)
        for version in site.repository.versions(done.model):
            if version != done.version:
                site.repository.remove(done.model, version)
    return done


def changed(export: Path, folder: Path, **updates: object) -> Path:
    """A copy of an export that differs in its manifest, without the texts that a shorter limit would cut."""
    copytree(export, folder)
    manifest = Manifest.read(folder)
    short = [row for row, text in enumerate(manifest.reference.texts) if len(text) < 200]
    reference = manifest.reference.model_copy(
        update={
            "texts": tuple(manifest.reference.texts[row] for row in short),
            "vectors": tuple(manifest.reference.vectors[row] for row in short),
        }
    )
    manifest.model_copy(update={"reference": reference, **updates}).write(folder)
    return folder
