"""A real Triton for tests, on free ports, that can be killed and started again in place."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from include.local_stack import process, triton
from include.local_stack.ports import free_ports
from include.local_stack.service import Service
from include.settings import Settings


@dataclass
class TritonServer:
    """One server over a repository of its own; ``settings`` lead to both."""

    service: Service
    settings: Settings
    _process: subprocess.Popen[bytes] | None = field(default=None)

    @classmethod
    def at(cls, folder: Path, interpreter: Path) -> TritonServer:
        http, grpc, metrics = free_ports(3)
        repository = folder / "repository"
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
