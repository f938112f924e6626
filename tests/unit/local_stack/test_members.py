from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from include.local_stack.members import end_all, mark, members

# A server whose worker hides the stack's mark, as Airflow's do from an ordinary user.
SERVER = "import subprocess, time; subprocess.Popen(['sleep', '300'], env={}); print('up', flush=True); time.sleep(300)"


def test_a_worker_that_hides_its_environment_is_found_below_its_server_and_ended_with_it(tmp_path: Path) -> None:
    environment = {**os.environ, **mark(tmp_path)}
    server = subprocess.Popen([sys.executable, "-c", SERVER], env=environment, stdout=subprocess.PIPE)
    assert server.stdout is not None
    assert server.stdout.readline() == b"up\n"
    (worker,) = psutil.Process(server.pid).children()
    assert {process.pid for process in members(tmp_path)} == {server.pid, worker.pid}
    assert end_all(tmp_path) == 2
    server.wait()
    deadline = time.monotonic() + 10
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert members(tmp_path) == []
