"""What every vector back end can do: build a generation, seal it, promote it, search it, prune what is old."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]  # [N, D]
Ids = NDArray[np.int64]

NO_ID = -1  # fills the rows of a result that found fewer than top_k


@dataclass(frozen=True)
class CollectionInfo:
    """What a sealed generation says of itself, kept with it."""

    generation: str
    dimension: int
    model: str
    model_fingerprint: str
    points: int
    indexed: int  # points inside the graph; 0 for a small collection, which is searched exactly


@dataclass(frozen=True)
class Neighbours:
    """The nearest points of each query, best first."""

    ids: Ids  # [N, K], NO_ID where the collection has fewer than K points
    scores: Vectors  # [N, K] cosine, NaN where ids is NO_ID


class KeywordStore(Protocol):
    """Keyword vectors by generation, with an alias that names the served one.

    Points have an integer id and the payload ``{"keyword": ...}``; the distance is cosine. Every method raises
    :class:`~include.errors.ServiceUnavailable` when the back end does not answer.
    """

    def begin(self, generation: str, *, dimension: int, model: str, model_fingerprint: str) -> None:
        """Make an empty generation, dropping an unsealed one of the same name.

        Raises:
            Busy: another process is building this generation; a server has no locks and cannot tell.
            ContractError: it is sealed already.
        """
        ...

    def upsert(self, generation: str, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        """Add or replace points; returns when they are stored.

        Raises:
            ContractError: wrong dimension, a value that is not finite, lengths that differ, a negative id, a keyword
                that is not valid Unicode, or a generation that is not being built.
        """
        ...

    def seal(self, generation: str, *, expected: int) -> CollectionInfo:
        """Build the graph, check the count, and make the generation read-only.

        Raises:
            ContractError: it does not hold ``expected`` points.
        """
        ...

    def promote(self, alias: str, generation: str) -> str | None:
        """Serve a sealed generation under ``alias`` in one step; return the one served before.

        Raises:
            ContractError: the generation is not sealed.
        """
        ...

    def rollback(self, alias: str, to: str | None = None) -> str:
        """Serve ``to``, or else the newest generation before the served one; return its name.

        What is newer than it, up to the one that was served, is no default target from now on and does not count for
        :meth:`prune`, until it is served again.

        Raises:
            InputError: there is none to go back to.
        """
        ...

    def resolve(self, alias: str) -> str | None:
        """The generation that ``alias`` names, or ``None``."""
        ...

    def info(self, name: str) -> CollectionInfo:
        """What the generation (or the alias) says of itself.

        Raises:
            InputError: there is no such generation.
        """
        ...

    def search(self, name: str, queries: Vectors, top_k: int) -> Neighbours:
        """The ``top_k`` nearest points of each query, ``[N, D] → [N, K]``; ``name`` is an alias or a generation.

        Among the points found, equal scores are in id order.

        Raises:
            ContractError: the queries have another dimension than the collection.
            InputError: there is no such collection, or ``top_k`` is less than 1.
        """
        ...

    def keywords(self, name: str) -> Iterator[tuple[Ids, list[str]]]:
        """All ids with their keywords, in pages, in id order."""
        ...

    def keywords_of(self, name: str, ids: Sequence[int]) -> dict[int, str]:
        """The keywords of some ids; ids that are not there are left out."""
        ...

    def generations(self, alias: str) -> list[str]:
        """The sealed generations built for ``alias``, oldest first."""
        ...

    def prune(self, alias: str, *, keep: int, needed: Collection[str] = ()) -> list[str]:
        """Drop all but the newest ``keep`` generations that no roll back left; return them.

        The served one is never dropped, nor those that are ``needed``.
        """
        ...

    def drop(self, generation: str) -> None:
        """Take away one generation, for example one that did not pass its gate; the served one stays."""
        ...

    def close(self) -> None:
        """Free what is held open."""
        ...
