"""Parameters of the playlist cache."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include import fields
from include.catalog.index_types import ALL, PROGRAMS
from include.errors import InputError
from include.parameters import Parameters
from include.settings import Settings, get_settings

Encoding = Literal["int32", "int64", "json"]
NAMES = "^ *[a-z0-9_]+( *, *[a-z0-9_]+)* *$"


class PlaylistCacheParameters(Parameters):
    """Which sets to write, and how."""

    programs: str = Field(
        ALL,
        title="Programmes",
        description=f"Names by commas; {ALL} takes those of the installation. Sets of others stay as they are.",
        max_length=1000,
        pattern=NAMES,
    )
    types: str = Field(
        ALL,
        title="Index types",
        description=f"Names by commas; {ALL} takes every type whose index is served. Sets of others stay as they are.",
        max_length=1000,
        pattern=NAMES,
    )
    encoding: Encoding = Field(
        default_factory=lambda: get_settings().playlist_encoding,
        title="Encoding",
        description="int32 and int64 are little-endian bytes, json is a list.",
    )
    min_share: float = fields.min_share()


def known_programs(settings: Settings) -> list[str]:
    """The programmes of this installation."""
    return list(dict.fromkeys(settings.playlist_programs.split(","))) if settings.playlist_programs else list(PROGRAMS)


def asks_all(names: str) -> bool:
    """Whether ``names``, separated by commas, mean every one there is."""
    return ALL in _names(names)


def asked_programs(names: str, settings: Settings) -> list[str]:
    """Those that ``names`` lists, separated by commas, each once; ``all`` means every one.

    Raises:
        InputError: one of them is none of this installation's, or none is named.
    """
    known = known_programs(settings)
    if asks_all(names):
        return known
    asked = _names(names)
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        what = f"There is no programme {', '.join(unknown)}." if unknown else "No programme is named."
        msg = f"{what} There are: {', '.join(known)}, or {ALL}. Others are named by EMBSEARCH_PLAYLIST_PROGRAMS."
        raise InputError(msg)
    return asked


def _names(names: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
