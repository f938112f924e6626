"""Encoded images to vectors by a model on Triton; one image that cannot be read spoils no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from include.catalog.models import ModelSpec, get_model
from include.errors import InputError
from include.images.index import Model
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.embedder import Embedder

Vectors = NDArray[np.float32]

ZERO = "its vector is all zeros"


class ImageEmbedder:
    """One version of a model of images: that of ``fingerprint``, else the one that it meets first."""

    def __init__(self, client: TritonClient, spec: ModelSpec, *, fingerprint: str | None = None) -> None:
        """``spec`` is of the catalogue.

        Raises:
            InputError: it is no model of images.
        """
        if spec.medium != "image":
            msg = f"Model {spec.name} takes {spec.medium}, not images. Choose one of kind clip_image or image_features."
            raise InputError(msg)
        self.client, self.spec = client, spec
        self._pinned = Embedder(client, spec, fingerprint=fingerprint)

    @classmethod
    def of(cls, client: TritonClient, model: Model, settings: Settings) -> Self:
        """The embedder of queries to an index that ``model`` has made: ``index.model``."""
        return cls(client, get_model(model.name, settings), fingerprint=model.fingerprint)

    @property
    def fingerprint(self) -> str:
        """Of the version that it keeps to.

        Raises:
            InputError: the model is not loaded.
            ContractError: another dimension is served than the catalogue's, or the wanted version is served no more.
            ServiceUnavailable: no server answers.
        """
        return self._pinned.fingerprint

    def embed(self, images: Sequence[bytes], *, deadline_seconds: float | None = None) -> Vectors:
        """``[N, D]`` float32 of unit length, in the order of the encoded ``images``.

        Raises:
            InputError: one of them is no image, or its vector has no direction.
            ServiceUnavailable: no server answers in time.
        """
        vectors = self.client.embed(
            self.spec.name, images, fingerprint=self.fingerprint, deadline_seconds=deadline_seconds
        )
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        if not norms.all():
            msg = f"Image {int(np.argmin(norms))}: {ZERO}."
            raise InputError(msg)
        scaled: Vectors = (vectors / norms).astype(np.float32)
        return scaled

    def embed_each(self, images: Sequence[bytes]) -> tuple[Vectors, dict[int, str]]:
        """As :meth:`embed`, where zeros stand for an image that cannot be embedded; its position → the reason.

        When a request is refused its halves are tried, so that a bad image costs a few requests, and a good one none.

        Raises:
            InputError: the model is not served any more.
            ServiceUnavailable: no server answers in time.
        """
        if not images:
            return np.zeros((0, self.spec.dimension), np.float32), {}
        try:
            return self.embed(images), {}
        except InputError as error:
            if len(images) == 1:
                self.client.served(self.spec.name, fingerprint=self.fingerprint)  # else it is not the image's fault
                return np.zeros((1, self.spec.dimension), np.float32), {0: _reason(error)}
        half = len(images) // 2
        first, bad = self.embed_each(images[:half])
        second, worse = self.embed_each(images[half:])
        return np.concatenate([first, second]), bad | {half + place: reason for place, reason in worse.items()}


def _reason(error: InputError) -> str:
    """What the server says of the image, without the address of the server."""
    said = str(error)
    return said[said.find("IMAGE 0: ") + len("IMAGE 0: ") :] if "IMAGE 0: " in said else said
