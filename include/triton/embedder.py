"""Texts to vectors by role: the one place where a model's prefixes are applied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Self

from include.catalog.fingerprint import vector_fingerprint
from include.catalog.models import ModelSpec, Role
from include.errors import ContractError
from include.triton.client import ServedModel, TritonClient, Vectors
from include.triton.faults import OtherModel
from include.vector_store.protocol import CollectionInfo


class Embedder:
    """One version of a model of the catalogue: that of ``fingerprint``, else the one that it meets first.

    It keeps to that version when another is deployed, as long as that one is served beside it.
    """

    def __init__(self, client: TritonClient, spec: ModelSpec, *, fingerprint: str | None = None) -> None:
        self.client = client
        self.spec = spec
        self._fingerprint = fingerprint

    @classmethod
    def pinned(cls, client: TritonClient, spec: ModelSpec, *, fingerprint: str, begun: str) -> Self:
        """The embedder of work that was ``begun`` with the model of ``fingerprint``.

        Raises:
            ContractError: another model is served by now, and that one not beside it.
        """
        cause = f"{begun} was begun with another version of {spec.name} than Triton serves now. Start a new run"
        return cls._of(client, spec, fingerprint, cause)

    @classmethod
    def of_collection(cls, client: TritonClient, spec: ModelSpec, collection: CollectionInfo) -> Self:
        """The embedder of texts that are searched for in ``collection``.

        Raises:
            ContractError: the model that made its vectors is not served, or is not ``spec``: scores would mean nothing.
        """
        cause = (
            f"{collection.generation} holds vectors of {collection.model} ({collection.model_fingerprint[:12]}), which "
            f"Triton serves neither as {spec.name} nor beside it: scores would mean nothing"
        )
        return cls._of(client, spec, collection.model_fingerprint, cause)

    @classmethod
    def _of(cls, client: TritonClient, spec: ModelSpec, fingerprint: str, cause: str) -> Self:
        embedder = cls(client, spec, fingerprint=fingerprint)
        try:
            _ = embedder.served
        except OtherModel as error:
            msg = f"{cause}. {error}"
            raise ContractError(msg) from error
        return embedder

    @cached_property
    def served(self) -> ServedModel:
        """What is, or was at the first use, served.

        Raises:
            ContractError: its dimension is not the catalogue's, or the wanted version is served no more.
            InputError: the model is not loaded.
            ServiceUnavailable: no server answers.
        """
        served = self.client.served(self.spec.name, fingerprint=self._fingerprint)
        if served.dimension != self.spec.dimension:
            msg = (
                f"Model {self.spec.name} is served with dimension {served.dimension}, the catalogue says "
                f"{self.spec.dimension}. Export and deploy it again, or mend the catalogue."
            )
            raise ContractError(msg)
        return served

    @property
    def fingerprint(self) -> str:
        """The version's fingerprint."""
        return self.served.fingerprint

    def vector_fingerprint(self, role: Role) -> str:
        """The key under which a text's vector in ``role`` may be used again."""
        return vector_fingerprint(self.fingerprint, getattr(self.spec.prefixes, role))

    def embed(
        self,
        texts: Sequence[str],
        role: Role,
        *,
        deadline_seconds: float | None = None,
        on_rows: Callable[[int], None] | None = None,
    ) -> Vectors:
        """The vectors ``[N, D]`` of ``texts`` in ``role``, float32; see :meth:`TritonClient.embed`.

        Raises:
            ContractError: this version is served no more, or the answer is malformed.
            InputError: the model is not loaded.
            ServiceUnavailable: no server answered before the client's deadline.
        """
        prefixed = self.spec.with_prefix(texts, role)
        return self.client.embed(
            self.spec.name, prefixed, fingerprint=self.fingerprint, deadline_seconds=deadline_seconds, on_rows=on_rows
        )

    async def aembed(self, texts: Sequence[str], role: Role, *, deadline_seconds: float | None = None) -> Vectors:
        """:meth:`embed` without blocking the event loop."""
        prefixed = self.spec.with_prefix(texts, role)
        fingerprint = self.fingerprint if "served" in vars(self) else await asyncio.to_thread(lambda: self.fingerprint)
        return await self.client.aembed(
            self.spec.name, prefixed, fingerprint=fingerprint, deadline_seconds=deadline_seconds
        )
