"""Typed access to ``models.yaml``: dimension, pooling, maximum length, and the one place where prefixes are applied."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.errors import InputError

CATALOGUE = Path(__file__).with_name("models.yaml")

Role = Literal["query", "document", "semantic"]


class Prefixes(BaseModel):
    """What goes before a text, by the role that the text plays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str
    document: str
    semantic: str


class ModelSpec(BaseModel):
    """One encoder: where it comes from and how its vectors are made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    revision: str
    dimension: Annotated[int, Field(ge=1, le=65536)]
    pooling: Literal["mean", "cls"]
    normalize: bool
    max_length: Annotated[int, Field(ge=8, le=131072)]  # tokens
    languages: tuple[str, ...]
    prefixes: Prefixes

    def with_prefix(self, texts: Sequence[str], role: Role) -> list[str]:
        """The texts as the model wants them for ``role``."""
        prefix: str = getattr(self.prefixes, role)
        return [prefix + text for text in texts] if prefix else list(texts)


@lru_cache(maxsize=8)
def load_catalogue(path: Path = CATALOGUE) -> dict[str, ModelSpec]:
    """All models by name.

    Raises:
        InputError: the file has an entry that is not understood; the message names it.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return {name: ModelSpec(name=name, **entry) for name, entry in entries.items()}
    except (ValidationError, TypeError) as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error


def get_model(name: str, catalogue: Path = CATALOGUE) -> ModelSpec:
    """The entry for ``name`` in the catalogue.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    models = load_catalogue(catalogue)
    if name not in models:
        msg = f"Unknown model {name!r}. The catalogue ({catalogue.name}) has: {', '.join(sorted(models))}."
        raise InputError(msg)
    return models[name]
