"""Generations as collections of a Qdrant server: which are sealed, which one an alias names, which may go.

"The protocol" is :class:`~include.vector_store.protocol.KeywordStore`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from qdrant_client import models

from include.errors import ContractError, InputError
from include.generations.names import SEPARATOR, alias_of
from include.generations.promotion import left_by, outdated, roll_back_target
from include.vector_store.protocol import CollectionInfo
from include.vector_store.qdrant_connection import QdrantConnection
from include.vector_store.server_build import BEGUN, LEFT, SEALED, metadata

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 24 * 3600  # a load takes minutes and its graph at most an hour: an older build is dead


@dataclass(frozen=True)
class ServerGenerations:
    """All generations on one server, and which of them each alias names."""

    connection: QdrantConnection

    def promote(self, alias: str, generation: str) -> str | None:
        """See the protocol; one request moves the alias."""
        call, client, url = self.connection.call, self.connection.client, self.connection.url
        self._require_sealed(alias, generation)
        collections = call(alias, client.get_collections).collections
        if alias in {collection.name for collection in collections}:
            msg = (
                f"{alias!r} at {url} is a collection, so it cannot become the alias of {generation}. "
                "Delete that collection, or choose another name for this one."
            )
            raise InputError(msg)
        self._mark_left(generation, left=False)
        previous = self.resolve(alias)
        create = models.CreateAlias(collection_name=generation, alias_name=alias)
        changes: list[Any] = [models.CreateAliasOperation(create_alias=create)]
        if previous is not None:
            changes.insert(0, models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        call(alias, client.update_collection_aliases, changes)
        return previous

    def rollback(self, alias: str, to: str | None = None) -> str:
        """See the protocol."""
        served, generations = self.resolve(alias), self._sealed(alias)
        left = [name for name, facts in generations.items() if facts.get(LEFT)]
        target = roll_back_target(alias, served, list(generations), to, left=left)
        for generation in left_by(served, target, list(generations)):
            self._mark_left(generation, left=True)
        self.promote(alias, target)
        return target

    def resolve(self, alias: str) -> str | None:
        """See the protocol."""
        aliases = self.connection.call(alias, self.connection.client.get_aliases).aliases
        return next((entry.collection_name for entry in aliases if entry.alias_name == alias), None)

    def generation_of(self, name: str) -> str:
        """The generation that ``name``, one itself or an alias, leads to."""
        return name if SEPARATOR in name else self.resolve(name) or name

    def info(self, name: str) -> CollectionInfo:
        """See the protocol."""
        generation = self.generation_of(name)
        facts = self.facts(generation)
        if SEALED not in facts:
            msg = (
                f"{generation!r} at {self.connection.url} is not a sealed generation of this project. "
                "Index keywords first."
            )
            raise InputError(msg)
        for ours in (BEGUN, LEFT):
            facts.pop(ours, None)
        return CollectionInfo(generation=generation, **facts)

    def facts(self, generation: str) -> dict[str, Any]:
        """What a generation says of itself; empty for a collection that others made.

        Raises:
            InputError: there is no such collection.
        """
        return self.connection.call(generation, metadata, self.connection.client, generation)

    def generations(self, alias: str) -> list[str]:
        """See the protocol."""
        return list(self._sealed(alias))

    def prune(self, alias: str, *, keep: int, needed: Collection[str] = ()) -> list[str]:
        """See the protocol; what builds left that began a day ago and were never sealed is removed too."""
        found = self._collections(alias)
        sealed = [name for name, facts in found.items() if SEALED in facts]
        left = [name for name in sealed if found[name].get(LEFT)]
        dropped = outdated(sealed, self.resolve(alias), keep, left=left, needed=needed)
        dropped = [generation for generation in dropped if self.drop(generation)]
        for name, facts in found.items():
            if SEALED not in facts and time.time() - facts[BEGUN] > ABANDONED_SECONDS:
                log.info("removing %s at %s, left by a build that died", name, self.connection.url)
                self._delete(name)
        return dropped

    def drop(self, generation: str) -> bool:
        """See the protocol; returns whether it was taken away."""
        if self.resolve(alias_of(generation)) == generation:
            return False
        self._delete(generation)
        return True

    def _delete(self, generation: str) -> None:
        self.connection.call(generation, self.connection.client.delete_collection, generation)

    def _sealed(self, alias: str) -> dict[str, dict[str, Any]]:
        return {name: facts for name, facts in self._collections(alias).items() if SEALED in facts}

    def _collections(self, alias: str) -> dict[str, dict[str, Any]]:
        """The metadata of this project's collections that were made for ``alias``, oldest first."""
        collections = self.connection.call(alias, self.connection.client.get_collections).collections
        found = {}
        for name in sorted(one.name for one in collections if alias_of(one.name) == alias != one.name):
            with suppress(InputError):  # dropped meanwhile
                found[name] = self.facts(name)
        return {name: facts for name, facts in found.items() if BEGUN in facts}

    def _mark_left(self, generation: str, *, left: bool) -> None:
        if bool(self.facts(generation).get(LEFT)) != left:
            call, client = self.connection.call, self.connection.client
            call(generation, client.update_collection, generation, metadata={LEFT: left})

    def _require_sealed(self, alias: str, generation: str) -> None:
        try:
            self.info(generation)
        except InputError as error:
            msg = (
                f"{generation} at {self.connection.url} is not sealed, so {alias} stays as it is. "
                "Finish its build first."
            )
            raise ContractError(msg) from error
