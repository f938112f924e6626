"""Parameters of the jobs over the FAISS indexes, with the documented names."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from include import fields
from include.catalog.index_types import ALL, INDEX_TYPES, IndexType, index_types
from include.errors import InputError
from include.parameters import Parameters
from include.settings import get_settings

NAMES = "^ *[a-z0-9_]+( *, *[a-z0-9_]+)* *$"
DAY = "^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"
VERSION = "^([a-z0-9_]+__[a-z0-9-]+)?$"

Model = Literal["all", "clap", "bgem3"]
IndexKind = Literal["auto", "ivf_sq8", "ivf_pq", "ivf_pq_refine", "flat"]


def _type() -> Any:
    return Field(
        default_factory=lambda: get_settings().faiss_types,
        title="Index types",
        description=f"Names by commas, or {ALL}. There are: {', '.join(INDEX_TYPES)}.",
        max_length=1000,
        pattern=NAMES,
    )


def _model() -> Any:
    return Field("all", title="Model", description="Of the types above only those whose vectors this model made.")


def _dimension() -> Any:
    return Field(0, title="Dimension", description="Numbers in a vector; 0 takes the type's.", ge=0, le=65_536)


def _folder(title: str, description: str) -> Any:
    help_text = f"{description} A relative path starts at the project's root."
    return Field("", title=title, description=help_text, max_length=1000)


def _kind() -> Any:
    help_text = "auto follows the rule in docs/faiss.md; ivf_pq is the documented kind of 64 bytes a vector."
    return Field(default_factory=lambda: get_settings().faiss_kind, title="Kind", description=help_text)


def _shape(title: str, description: str, most: int) -> Any:
    return Field(0, title=title, description=f"{description} 0 follows the rule in docs/faiss.md.", ge=0, le=most)


def _back() -> Any:
    help_text = "Serve the rows of an earlier time than those served, as a run of an old date does when it is cleared."
    return Field(default=False, title="Force", description=help_text)


def _published() -> Any:
    help_text = "Where readers find <file>.index besides the settings' folder: from now on, until it is taken away."
    return _folder("Output folder", help_text)


class TypeParameters(Parameters):
    """Which indexes."""

    type: str = _type()


class FaissTrainParameters(TypeParameters):
    """What to train."""

    model: Model = _model()
    output: str = _folder("Output folder", "For trained indexes, a folder a type; empty keeps them with the indexes.")
    dimension: int = _dimension()
    kind: IndexKind = _kind()
    nlist: int = _shape("Lists", "How many lists (nlist).", 1 << 20)
    m: int = _shape("Codes", "Bytes of a vector in the kinds with PQ (m).", 4096)
    nprobe: int = _shape("Lists searched", "How many lists a search looks into (nprobe).", 1 << 16)


class FaissBuildParameters(TypeParameters):
    """What to fill with all rows."""

    model: Model = _model()
    input: str = _folder("Input folder", "With the trained indexes, a folder a type; empty takes the last training's.")
    output: str = _published()
    dimension: int = _dimension()
    min_share: float = fields.min_share()
    force: bool = _back()


class FaissRebuildParameters(TypeParameters):
    """What to train and fill from nothing."""

    model: Model = _model()
    output: str = _published()
    dimension: int = _dimension()
    kind: IndexKind = _kind()
    nlist: int = _shape("Lists", "How many lists (nlist).", 1 << 20)
    m: int = _shape("Codes", "Bytes of a vector in the kinds with PQ (m).", 4096)
    nprobe: int = _shape("Lists searched", "How many lists a search looks into (nprobe).", 1 << 16)
    min_share: float = fields.min_share()
    force: bool = _back()


class FaissIncrementParameters(TypeParameters):
    """What to bring up to date."""

    date: str = Field(
        "",
        title="Day",
        description="YYYY-MM-DD: as the daily run that ends then at 16:58 in Seoul; empty takes the run's own time.",
        pattern=DAY,
    )
    overlap_hours: int = Field(
        24,
        title="Overlap",
        description="Hours before the interval in which changes are looked for, too: of transactions that took long.",
        ge=0,
        le=24 * 365,
    )
    output: str = _published()
    min_share: float = fields.min_share()
    force: bool = Field(
        default=False,
        title="Force",
        description="Make a version even when nothing has changed, or so much that its recall cannot be told any more.",
    )


class FaissInfoParameters(TypeParameters):
    """What to look at."""

    check: bool = Field(default=True, title="Check", description="Read every file and compare it with its SHA-256.")


class FaissRollbackParameters(TypeParameters):
    """What to serve again."""

    type: str = Field(
        "",
        title="Index types",
        description=f"Names by commas, or {ALL}; must be given. There are: {', '.join(INDEX_TYPES)}.",
        max_length=1000,
        pattern=NAMES,
    )
    version: str = Field(
        "",
        title="Version",
        description="Its name, as faiss_info shows it; empty takes the one that the served version was made from.",
        pattern=VERSION,
        max_length=200,
    )


def types_of(parameters: TypeParameters) -> list[IndexType]:
    """The types that are asked for, of the asked model.

    Raises:
        InputError: a name is unknown, or none of the types has this model's vectors.
    """
    kinds = index_types(parameters.type)
    model = getattr(parameters, "model", ALL)
    chosen = [kind for kind in kinds if model in (ALL, kind.model)]
    if not chosen or (len(chosen) < len(kinds) and ALL not in parameters.type):
        other = next(kind for kind in kinds if kind not in chosen)
        msg = f"The vectors of {other.name} are made by {other.model}, not by {model}. Leave out the one or the other."
        raise InputError(msg)
    return chosen
