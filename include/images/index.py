"""The search: the served version of one image index with its metadata, followed without a pause."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from include.errors import EmbsearchError, InputError
from include.faiss_index.reader import POLL_SECONDS, IndexReader, Served
from include.faiss_index.version import Version
from include.faiss_index.versions import IndexFolder
from include.images.folders import index_folder
from include.images.metadata import Metadata
from include.images.parameters import MAX_TOP_K, TOP_K, Edition
from include.images.row import FIELDS
from include.images.sources import Sources
from include.settings import Settings

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class SimilarImage:
    """A neighbour, with every field of its metadata."""

    image_id: int
    local_path: str | None
    storage_url: str | None
    product_code: str
    product_name: str
    defect_code: str
    defect_name: str
    image_type: str
    similarity_score: float  # cosine: 1 is the same
    version: str  # of the index
    extra: dict[str, Any] = field(default_factory=dict)  # further columns, by the settings

    def as_dict(self) -> dict[str, Any]:
        """Plain values; further columns stand beside the others."""
        found = asdict(self)
        extra: dict[str, Any] = found.pop("extra")
        return found | extra


@dataclass(frozen=True)
class Model:
    """What made the vectors of a version: a query is embedded by the same."""

    name: str  # in the catalogue
    fingerprint: str


@dataclass(frozen=True)
class _Beside:
    metadata: Metadata
    model: Model

    @classmethod
    def of(cls, version: Version) -> Self:
        sources = Sources.read(version.folder)
        metadata = Metadata.read(version.folder, version.manifest.ntotal)
        return cls(metadata, Model(sources.model, sources.fingerprint))


@dataclass(frozen=True)
class Found:
    """The neighbours of a search, the nearest first, and the version that named them, whichever is served by now."""

    images: list[SimilarImage]
    _served: Served

    @property
    def version(self) -> str:
        """Its name."""
        return self._served.name

    @property
    def model(self) -> Model:
        """What made it."""
        beside: _Beside = self._served.beside
        return beside.model

    def vector(self, image_id: int) -> Vector:
        """``[D]`` of one of :attr:`images`."""
        found: Vector = self._served.index.reconstruct(np.array([image_id], np.int64))[0]
        return found


class ImageIndex:
    """Searches the served version of one image index; safe from several threads.

    A newly promoted version is found within seconds, with no restart and no failed search; index and metadata of an
    answer are always of one version. Where a new version cannot be read the present one goes on: see ``error``.
    """

    def __init__(self, reader: IndexReader, folder: IndexFolder, image_type: str, edition: Edition) -> None:
        self._reader = reader
        self._folder = folder
        self.image_type = image_type
        self.edition = edition

    @classmethod
    def open(
        cls, image_type: str, settings: Settings, *, edition: Edition = "v2", poll_seconds: float = POLL_SECONDS
    ) -> Self:
        """The index of a type.

        Raises:
            InputError: nothing is served.
            ContractError: what is served is damaged.
        """
        folder = index_folder(image_type, settings, edition)
        if folder.served_name() is None:
            flag = "" if edition == "v2" else " --edition v1"
            msg = (
                f"There is no index of {image_type} images in edition {edition}: it is not built yet, or there are "
                f"none. `embsearch images build{flag}` builds it."
            )
            raise InputError(msg)
        reader = IndexReader(folder.root, poll_seconds=poll_seconds, beside=_Beside.of)
        return cls(reader, folder, image_type, edition)

    @property
    def taken_away(self) -> bool:
        """Whether nothing is served any more, since no images of the type are left; seen as soon as a new version."""
        self._reader.now()
        with suppress(EmbsearchError):  # what cannot be looked at now is not gone
            return self._reader.error is not None and self._folder.served_name() is None
        return False

    @property
    def version(self) -> str:
        """Of the next search."""
        return self._reader.now().name

    @property
    def size(self) -> int:
        """How many images the next search is over."""
        return self._reader.now().manifest.ntotal

    @property
    def made_at(self) -> str:
        """When the version of the next search was made."""
        return self._reader.now().manifest.made_at.isoformat()

    @property
    def model(self) -> Model:
        """What a query must be embedded by. It changes with the version: see :meth:`search`."""
        beside: _Beside = self._reader.now().beside
        return beside.model

    @property
    def error(self) -> Exception | None:
        """Why the version that is promoted is not searched, if it is not."""
        return self._reader.error

    def refresh(self) -> str:
        """Read the version that is served now; return its name."""
        return self._reader.refresh()

    def search(self, vector: Vector, top_k: int = TOP_K, *, fingerprint: str | None = None) -> list[SimilarImage]:
        """The nearest images of ``vector [D]``, the nearest first.

        ``fingerprint`` is that of the model that made the vector; when the index has meanwhile become one of another
        model, the search is refused instead of answered with scores that mean nothing.

        Raises:
            InputError: the vector has another dimension, or ``top_k`` is out of bounds.
            OtherModelNow: the index is of another model by now: embed the query again by :attr:`model`.
        """
        return self.find(vector, top_k, fingerprint=fingerprint).images

    def find(self, vector: Vector, top_k: int = TOP_K, *, fingerprint: str | None = None) -> Found:
        """As :meth:`search`, with the version that answers, for those who ask more of it."""
        if not 1 <= top_k <= MAX_TOP_K:
            msg = f"top_k is {top_k}; ask for 1 to {MAX_TOP_K}."
            raise InputError(msg)
        served = self._reader.now()
        if fingerprint is not None and fingerprint != served.beside.model.fingerprint:
            raise OtherModelNow(f"{served.name} was made by another model than the query's vector.")
        scores, ids = served.index.search(np.asarray(vector, np.float32)[None], top_k)
        found = ids[0] >= 0
        pairs = zip(ids[0][found], scores[0][found], strict=True)
        return Found([self._neighbour(served, int(i), float(s)) for i, s in pairs], served)

    def image(self, image_id: int) -> SimilarImage:
        """One image of the index, as a neighbour of itself.

        Raises:
            InputError: it is not in the index.
        """
        return self._neighbour(self._reader.now(), image_id, 1.0)

    def vector(self, image_id: int) -> Vector:
        """``[D]`` as the index remembers it.

        Raises:
            InputError: it is not in the index.
        """
        found: Vector = self._reader.reconstruct(np.array([image_id], np.int64))[0]
        return found

    @property
    def ids(self) -> NDArray[np.int64]:
        """Of all images, ascending."""
        return self._reader.now().index.ids

    def _neighbour(self, served: Served, image_id: int, score: float) -> SimilarImage:
        row = int(np.searchsorted(served.index.ids, image_id))
        if row == len(served.index.ids) or int(served.index.ids[row]) != image_id:
            msg = f"Image {image_id} is not in {served.name}."
            raise InputError(msg)
        values = served.beside.metadata.of(row)
        known = {name: values.pop(name) for name in FIELDS}
        return SimilarImage(**known, similarity_score=score, version=served.name, extra=values)


class OtherModelNow(InputError):
    """The index is of another model than the vector that is searched with."""
