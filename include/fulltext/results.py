"""What every search of documents gives back, whatever it searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

FULLTEXT, VECTOR, GRAPH, SUMMARY = "fulltext_search", "vector_search", "graph_search", "summary_search"

Filters = Mapping[str, str]  # key of the documents' metadata → the value that it must have


@dataclass(frozen=True)
class DocumentWithScore:
    """One passage that was found.

    ``metadata`` has ``recall_type`` (how it was found), ``collection``, ``document_id``, ``chunk_id``, ``title``, where
    words were searched for ``highlight`` (a list of HTML: escaped text with ``<em>`` around what matched), and what the
    document has of its own under its own keys. Scores of different recall types cannot be compared, nor those of one
    collection with those of several.
    """

    text: str
    score: float
    metadata: dict[str, Any]


class Runner(Protocol):
    """One way to search."""

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        """At most ``top_k`` passages, best first.

        Raises:
            InputError: what is asked for cannot be.
        """
        ...


def best_first(results: Sequence[DocumentWithScore]) -> list[DocumentWithScore]:
    """By score; equal ones always in the same order."""
    return sorted(results, key=lambda r: (-r.score, str(r.metadata["collection"]), str(r.metadata["chunk_id"])))
