"""A document and its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Document:
    """What is sent to an index, and what is read back from it."""

    id: str  # 1–512 bytes as UTF-8, see include.elastic.document_id
    source: Mapping[str, Any]
