"""Texts to vectors by role: the one place where a model's prefixes are applied."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Self

from include.catalog.fingerprint import vector_fingerprint
from include.catalog.models import ModelSpec, Role
from include.errors import ContractError
from include.triton.client import ServedModel, TritonClient, Vectors


class Embedder:
    """One model of the catalogue on a server. It keeps to the version's fingerprint that it met first."""

    def __init__(self, client: TritonClient, spec: ModelSpec) -> None:
        self.client = client
        self.spec = spec

    @classmethod
    def pinned(cls, client: TritonClient, spec: ModelSpec, *, fingerprint: str, begun: str) -> Self:
        """The embedder of work that was ``begun`` with the model of ``fingerprint``.

        Raises:
            ContractError: another model is served by now.
        """
        embedder = cls(client, spec)
        if embedder.fingerprint != fingerprint:
            msg = (
                f"{begun} was begun with another version of {spec.name} than Triton serves now. Start a new run: "
                "vectors of two models never stand side by side."
            )
            raise ContractError(msg)
        return embedder

    @cached_property
    def served(self) -> ServedModel:
        """What was served at the first use.

        Raises:
            ContractError: its dimension is not the catalogue's.
            InputError: the model is not loaded.
            ServiceUnavailable: no server answers.
        """
        served = self.client.served(self.spec.name)
        if served.dimension != self.spec.dimension:
            msg = (
                f"Model {self.spec.name} is served with dimension {served.dimension}, the catalogue says "
                f"{self.spec.dimension}. Export and deploy it again, or mend the catalogue."
            )
            raise ContractError(msg)
        return served

    @property
    def fingerprint(self) -> str:
        """The served model's fingerprint."""
        return self.served.fingerprint

    def vector_fingerprint(self, role: Role) -> str:
        """The key under which a text's vector in ``role`` may be used again."""
        return vector_fingerprint(self.fingerprint, getattr(self.spec.prefixes, role))

    def embed(self, texts: Sequence[str], role: Role) -> Vectors:
        """The vectors ``[N, D]`` of ``texts`` in ``role``, float32.

        Raises:
            ContractError: another model was deployed meanwhile, or the answer is malformed.
            InputError: the model is not loaded.
            ServiceUnavailable: no server answered before the client's deadline.
        """
        prefixed = self.spec.with_prefix(texts, role)
        return self.client.embed(self.spec.name, prefixed, fingerprint=self.fingerprint)

    async def aembed(self, texts: Sequence[str], role: Role) -> Vectors:
        """:meth:`embed` without blocking the event loop, except for the very first use."""
        prefixed = self.spec.with_prefix(texts, role)
        return await self.client.aembed(self.spec.name, prefixed, fingerprint=self.fingerprint)
