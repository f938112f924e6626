import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from include.errors import Busy
from include.generations.locks import locked

HOLDER = """
import sys, time
from pathlib import Path
from include.generations.locks import locked
with locked(Path(sys.argv[1]), purpose="build keywords__1", shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(path: Path, kind: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), kind], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_held_lock_names_its_holder_and_is_freed_when_the_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    holder = hold(path, "alone")
    try:
        with pytest.raises(Busy, match=f"build keywords__1, process {holder.pid}"), locked(path, purpose="other"):
            pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with locked(path, purpose="other"):
        pass


def test_a_long_wait_is_told_with_the_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("include.generations.locks.TELL_SECONDS", 0.1)
    with locked(tmp_path / "x.lock", purpose="publish links__1"):
        for seconds, told in ((0.0, 0), (0.3, 1)):
            with pytest.raises(Busy), locked(tmp_path / "x.lock", purpose="other", wait_seconds=seconds):
                pass
            assert caplog.text.count("waiting for x.lock, which is held by: publish links__1, process") == told


def test_shared_holders_get_along_and_keep_an_exclusive_one_out(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    holder = hold(path, "shared")
    try:
        with locked(path, purpose="another reader", shared=True):
            pass
        with pytest.raises(Busy), locked(path, purpose="writer", wait_seconds=0.2):
            pass
    finally:
        holder.kill()
        holder.wait()
