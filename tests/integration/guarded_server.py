"""A real server of the tests, started and stopped as the local stack starts and stops its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from include.local_stack import process
from include.local_stack.service import Service


class GuardedServer:
    """What every server can do; a subclass knows its ``service``."""

    service: Service
    _process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that guards the server."""
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        """Of the process that guards the server."""
        return self.process.pid

    def start(self) -> None:
        self._process = process.start(self.service)
        process.wait_ready(self.service, self._process)

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self.service, self._process)

    def kill(self) -> None:
        """Without a warning, as the kernel does when memory runs out."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @contextmanager
    def running(self) -> Iterator[Self]:
        try:
            self.start()
            yield self
        finally:
            self.stop()
