"""``writer_process settings.json share``: write sets in a process that is killed before it sends EXEC."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from redis.connection import AbstractConnection

from include.playlists.cache import PlaylistCache
from include.playlists.connection import RedisConnection, connected
from include.settings import Settings
from tests.integration.playlists.conftest import DAY_2, stamped, writing

EXEC = b"*1\r\n$4\r\nEXEC\r\n"
QUEUED = 3  # MULTI, MSET and SET are answered


def main(settings: str, share: str) -> None:
    """Send that share of the transaction, wait until Redis has it, and die."""
    whole = AbstractConnection.send_packed_command

    def cut(self: AbstractConnection, command: Any, check_health: bool = True) -> None:
        sent = b"".join(command) if isinstance(command, list) else command
        if not sent.endswith(EXEC):
            return whole(self, command, check_health)
        staged = sent.removesuffix(EXEC)
        whole(self, [staged[: round(len(staged) * float(share))]], check_health)
        for _ in range(QUEUED if share == "1" else 1):
            self.read_response()
        return os.kill(os.getpid(), signal.SIGKILL)

    AbstractConnection.send_packed_command = cut  # type: ignore[method-assign]
    connection = RedisConnection.from_settings(Settings.model_validate_json(Path(settings).read_text(encoding="utf-8")))
    with connected(connection) as client:
        PlaylistCache(client, connection).replace(stamped(2), writing(DAY_2))


if __name__ == "__main__":
    main(*sys.argv[1:])
