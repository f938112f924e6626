"""``embsearch``: the front door, which answers for settings that cannot be used."""

from __future__ import annotations

import sys

from include.errors import InputError
from include.settings import get_settings


def main() -> None:
    """Entry point of the console script."""
    try:
        get_settings()
    except InputError as error:
        sys.exit(str(error))
    from include.cli.app import app  # noqa: PLC0415 — options take their defaults from the settings

    app()


if __name__ == "__main__":
    main()
