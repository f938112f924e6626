"""Names of generations: sortable by time, unique by run, the same when a run is repeated."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from include.errors import InputError

SEPARATOR = "__"
_ALIAS = re.compile(r"[a-z0-9]([a-z0-9_-]{0,98}[a-z0-9-])?")  # `a_` would share `a`'s generations


def check_alias(alias: str) -> str:
    """Return ``alias`` when it is a valid name in Qdrant, in Elasticsearch and as a folder.

    Raises:
        InputError: it is not; the message says what is allowed.
    """
    if not _ALIAS.fullmatch(alias) or SEPARATOR in alias:
        msg = (
            f"{alias!r} cannot name a collection or an index: use 1–100 of a–z, 0–9, '-' and '_', "
            f"starting with a letter or digit, not ending with '_', without {SEPARATOR!r}."
        )
        raise InputError(msg)
    return alias


def run_key(*parts: str) -> str:
    """A hex key for the same work done again: hash of DAG, task, run and map index, never of the try number."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def generation_name(alias: str, started: datetime, key: str) -> str:
    """``<alias>__<UTC time>-<key>``, to the millisecond: ``keywords__20261121t070000123-1a2b3c4d``."""
    moment = started.astimezone(UTC)
    return f"{check_alias(alias)}{SEPARATOR}{moment:%Y%m%dt%H%M%S}{moment.microsecond // 1000:03d}-{key[:8]}"


def alias_of(generation: str) -> str:
    """The alias that a generation was built for."""
    return generation.split(SEPARATOR, 1)[0]
