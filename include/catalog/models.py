"""Typed access to ``models.yaml``: dimension, pooling, maximum length, and the one place where prefixes are applied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from include.errors import InputError

if TYPE_CHECKING:
    from include.settings import Settings

CATALOGUE = Path(__file__).with_name("models.yaml")
NAME = re.compile("[a-z0-9][a-z0-9_]*")

Role = Literal["query", "document", "semantic"]
# What goes in and what comes out. `text_sparse` gives lexical weights beside the vector; the towers of CLIP and CLAP
# are models of their own, whose vectors can be compared with each other. `image_features` has learnt nothing: its
# vectors are histograms of colour and texture.
Kind = Literal["text", "text_sparse", "clip_text", "clip_image", "clap_text", "clap_audio", "image_features"]
Medium = Literal["text", "image", "audio"]
# `projection`: the model's own pooled vector.
Pooling = Literal["mean", "cls", "projection"]


class Prefixes(BaseModel):
    """What goes before a text, by the role that the text plays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = ""
    document: str = ""
    semantic: str = ""


class ModelSpec(BaseModel):
    """One encoder: where it comes from and how its vectors are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: Annotated[str, Field(min_length=1)]
    dimension: Annotated[int, Field(ge=1, le=65536)]
    kind: Kind = "text"
    revision: str = "main"
    pooling: Pooling = "mean"
    normalize: bool = True
    max_length: Annotated[int, Field(ge=8, le=131072)] = 512  # tokens; without meaning for images and sounds
    languages: tuple[str, ...] = ()
    prefixes: Prefixes = Prefixes()

    @model_validator(mode="before")
    @classmethod
    def _pooling_of_the_kind(cls, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        joint = str(entry.get("kind", "text")).startswith(("clip_", "clap_", "image_"))
        pooling = entry.get("pooling", "projection" if joint else "mean")
        if (pooling == "projection") != joint:
            msg = f"pooling {pooling} does not go with kind {entry.get('kind', 'text')}"
            raise ValueError(msg)
        return {"pooling": "projection"} | entry if joint else entry

    @property
    def names_pooling(self) -> bool:
        """Whether the entry says how token vectors are pooled, or leaves it to the default."""
        return "pooling" in self.model_fields_set

    @property
    def medium(self) -> Medium:
        """What the model takes."""
        return medium_of(self.kind)

    def with_prefix(self, texts: Sequence[str], role: Role) -> list[str]:
        """The texts as the model wants them for ``role``."""
        prefix: str = getattr(self.prefixes, role)
        return [prefix + text for text in texts] if prefix else list(texts)


def medium_of(kind: Kind) -> Medium:
    """What a model of ``kind`` takes."""
    return "image" if kind in ("clip_image", "image_features") else "audio" if kind == "clap_audio" else "text"


@lru_cache(maxsize=8)
def load_catalogue(path: Path = CATALOGUE) -> dict[str, ModelSpec]:
    """All models of one file by name. A ``source`` that begins with ``./`` or ``../`` starts at the file's folder.

    Raises:
        InputError: the file cannot be read, or has an entry that is not understood; the message names it.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return {name: _spec(name, entry, path.parent) for name, entry in entries.items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, TypeError, AttributeError) as error:
        msg = f"{path}: {error}. Mend the catalogue."
        raise InputError(msg) from error


def _spec(name: str, entry: dict[str, Any], folder: Path) -> ModelSpec:
    if not NAME.fullmatch(str(name)):
        msg = f"a model's name is lower-case letters, digits and _, not {name!r}"
        raise TypeError(msg)
    spec = ModelSpec(**{"name": name, **entry})
    if spec.source.startswith(("./", "../")):
        return spec.model_copy(update={"source": str((folder / spec.source).resolve())})
    return spec


def get_model(name: str, settings: Settings | None = None) -> ModelSpec:
    """The entry for ``name``: of the user's own catalogue (``EMBSEARCH_CATALOGUE``) where it has one, else as shipped.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    from include.settings import get_settings  # noqa: PLC0415 — the export environment has no settings

    own = (settings or get_settings()).catalogue
    models = load_catalogue() | (load_catalogue(own) if own else {})
    if name not in models:
        msg = f"Unknown model {name!r}. There are: {', '.join(sorted(models))}."
        if own is None:
            msg += " Further models come from a file of yours that EMBSEARCH_CATALOGUE names: see docs/models.md."
        raise InputError(msg)
    return models[name]
