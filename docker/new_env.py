"""Write .env from .env.example, with a new secret for every empty value. Needs Python alone.

An .env that is there is never touched: its passwords are in the volumes already.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def secret(name: str) -> str:
    """A random value that needs no quoting in a URL, in JSON or in a shell."""
    if name.endswith("FERNET_KEY"):
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


def filled(example: str) -> str:
    """``example`` with all its ``NAME=`` lines given a value."""
    lines = []
    for line in example.splitlines():
        name, equals, value = line.partition("=")
        empty = equals and not value and not name.startswith("#")
        lines.append(f"{name}={secret(name)}" if empty else line)
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file named by the first argument, ``.env`` without one; only its owner may read it."""
    target = Path(arguments[0]) if arguments else ROOT / ".env"
    text = filled((ROOT / ".env.example").read_text(encoding="utf-8"))
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stderr.write(f"{target} exists and was left as it is. Its passwords are in the volumes already.\n")
        return 1
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    sys.stdout.write(f"{target} is written. Sign in to Airflow with AIRFLOW_ADMIN_USER and AIRFLOW_ADMIN_PASSWORD.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
