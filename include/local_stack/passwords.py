"""Passwords of the stack's servers: made at random once, kept in files that their owner alone may read."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from include.generations.locks import locked
from include.local_stack.process import write_private

PASSWORD_BYTES = 24


def passwords(file: Path, *users: str) -> dict[str, str]:
    """The password of each of ``users``, of letters, digits, ``-`` and ``_``; those that are missing are made."""
    with locked(file.with_name(f".{file.name}.lock"), purpose=f"make {file.name}", wait_seconds=30):
        known: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        missing = [user for user in users if user not in known]
        if missing:
            known |= {user: secrets.token_urlsafe(PASSWORD_BYTES) for user in missing}
            write_private(file, json.dumps(known))
    return {user: known[user] for user in users}
