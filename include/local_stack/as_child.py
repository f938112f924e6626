"""``python as_child.py [--uid N] -- COMMAND …``: become COMMAND, and get SIGTERM when the parent dies.

A server started this way cannot outlive a killed supervisor. It runs as a script of the standard library alone, so it
costs milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Set the parent-death signal, drop root if asked to, and replace this process by the command."""
    parent = os.getppid()
    cut = arguments.index("--")
    options, command = arguments[:cut], arguments[cut + 1 :]
    if options[:1] == ["--uid"]:
        uid = int(options[1])
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    # After setuid, which clears the signal.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # the parent died before the signal was set
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 — replacing this process is the point


if __name__ == "__main__":
    main(sys.argv[1:])
