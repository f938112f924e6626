"""What a search needs: indexes that follow their versions, the model server, the store, and how they all are."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import numpy as np

from include.errors import ContractError, EmbsearchError, InputError, ServiceUnavailable
from include.images.api.threads import SEARCHES
from include.images.index import Found, ImageIndex, Model, OtherModelNow
from include.images.parameters import EDITIONS, IMAGE_TYPES, Edition, ImageType
from include.images.pictures import NotAPicture, PictureLimits
from include.objects.store import ObjectStore
from include.triton.client import TritonClient

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from include.settings import Settings

log = logging.getLogger(__name__)

EMBED_SECONDS = 20.0
CONCURRENCY = 16  # requests to the model server under way at once
_SAID = re.compile(r"\bIMAGE \d+: (.+)")  # before it stands the server's address
TRIES = 3  # when the index becomes one of another model while the query is embedded


class NoIndex(ServiceUnavailable):
    """No index of the type is served: none was built, or all of its images are gone."""


class Serving:
    """Searches; make one for a process and close it. Safe from several threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = ObjectStore.from_settings(settings)
        self.limits = PictureLimits.from_settings(settings)
        self.client = TritonClient(settings.kserve_url, concurrency=CONCURRENCY, deadline_seconds=EMBED_SECONDS)
        self._indexes: dict[tuple[Edition, ImageType], ImageIndex] = {}
        self._opening = {(edition, kind): threading.Lock() for edition in EDITIONS for kind in IMAGE_TYPES}

    def close(self) -> None:
        """Close what is open."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    @property
    def edition(self) -> Edition:
        """Which index answers where a request does not say."""
        return "v2" if self.settings.use_index_v2 else "v1"

    def index(self, index_type: ImageType, edition: Edition) -> ImageIndex:
        """An index, opened at its first use; one that is not there is looked for again each time.

        Raises:
            NoIndex: there is none.
            ServiceUnavailable: it is damaged.
        """
        key = (edition, index_type)
        found = self._indexes.get(key)
        if found is None or found.taken_away:
            with self._opening[key]:  # of this one alone: another is searched while it is read
                found = self._indexes.get(key)  # again: somebody else may have opened it, or found it gone
                if found is None or found.taken_away:
                    self._indexes.pop(key, None)
                    found = self._indexes[key] = self._open(index_type, edition)
        return found

    def _open(self, index_type: ImageType, edition: Edition) -> ImageIndex:
        try:
            return ImageIndex.open(index_type, self.settings, edition=edition)
        except InputError as error:
            raise NoIndex(str(error)) from error
        except ContractError as error:
            raise ServiceUnavailable(str(error)) from error

    def models_needed(self) -> list[Model]:
        """By which the open indexes of the default edition were made."""
        return list({index.model for (edition, _), index in list(self._indexes.items()) if edition == self.edition})

    async def search(self, index: ImageIndex, data: bytes, top_k: int) -> Found:
        """The neighbours of an encoded image that was looked at before.

        Raises:
            NotAPicture: the model server cannot read it.
            ServiceUnavailable: the model server does not answer, or serves another model than the index was made by.
        """
        for _ in range(TRIES):
            model = index.model
            (vector,) = await self.embed(model, [data])
            with suppress(OtherModelNow):
                return await SEARCHES.run(index.find, vector, top_k, fingerprint=model.fingerprint)
        msg = f"The index of {index.image_type} images changed its model {TRIES} times during one search."
        raise ServiceUnavailable(msg)

    async def embed(self, model: Model, images: Sequence[bytes]) -> NDArray[np.float32]:
        """``[N, D]`` of unit length, by the very model that made an index; raises as :meth:`search`."""
        try:
            vectors = await self.client.aembed(model.name, images, fingerprint=model.fingerprint)
        except InputError as error:
            await asyncio.to_thread(self._check_served, model)  # a thread of this API may be waiting for this
            raise NotAPicture(f"The model cannot read the picture{_of_image(error)}.") from error
        except ContractError as error:
            raise ServiceUnavailable(str(error)) from error
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (norms > 0).all():
            raise NotAPicture("The model makes nothing of this picture: its vector is zero.")
        return np.asarray(vectors / norms, np.float32)

    def embedding_in_thread(self, model: Model) -> EmbedInThread:
        """:meth:`embed` for code that runs in a thread of this event loop's pool."""
        return EmbedInThread(self, model, asyncio.get_running_loop())

    def _check_served(self, model: Model) -> None:
        """Tell a model that is not served from a picture that it refuses.

        Raises:
            ServiceUnavailable: it is not served.
        """
        try:
            self.client.served(model.name, fingerprint=model.fingerprint)
        except (InputError, ContractError) as error:
            raise ServiceUnavailable(str(error)) from error


class EmbedInThread:
    """Embeds from a thread while the event loop goes on."""

    def __init__(self, serving: Serving, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self._serving, self._model, self._loop = serving, model, loop

    def __call__(self, images: Sequence[bytes]) -> NDArray[np.float32]:
        """As :meth:`Serving.embed`."""
        waiting = asyncio.run_coroutine_threadsafe(self._serving.embed(self._model, images), self._loop)
        return waiting.result()


def _of_image(error: EmbsearchError) -> str:
    """What the model says of the image; who serves it, and where, is nothing for callers."""
    said = _SAID.search(str(error))
    return f": {said[1][:200].strip()}" if said else ""
