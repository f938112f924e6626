"""How the parts behind a search are, asked at most every few seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from include.errors import EmbsearchError
from include.images.api.contract import Health, IndexHealth, PartHealth
from include.images.api.serving import NoIndex
from include.images.api.threads import LOOKS
from include.images.parameters import EDITIONS, IMAGE_TYPES, Edition, ImageType

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.images.api.serving import Serving

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
LONGEST_SECONDS = 3.0  # for one part; a load balancer waits no longer

OPENING = "It is being opened."
LATE = "As it was last known: how it is now could not be told in time."


class IndexWatch:
    """How one index is, or was when that could last be told: a whole index is read before it is searched."""

    def __init__(self, look: Callable[[], IndexHealth]) -> None:
        self._look = look
        self._looking: asyncio.Task[IndexHealth] | None = None
        self._known = IndexHealth(status="unavailable", message=OPENING)

    async def now(self) -> IndexHealth:
        """Its state; who asks while an earlier look is still under way waits for that one."""
        self._take()
        looking = self._looking = self._looking or asyncio.create_task(LOOKS.run(self._look))
        await asyncio.wait({looking}, timeout=LONGEST_SECONDS)
        if self._take():
            return self._known
        return self._known.model_copy(update={"message": self._known.message or LATE})

    def _take(self) -> bool:
        """Keep what was seen, if that look is over."""
        looked = self._looking
        if looked is None or not looked.done():
            return False
        self._looking = None
        self._known = looked.result()
        return True


class HealthCheck:
    """The state of one server's parts."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._asking = asyncio.Lock()
        self._found: tuple[float, Health] | None = None
        self._watches = {
            (edition, kind): IndexWatch(partial(self._look, kind, edition))
            for edition in EDITIONS
            for kind in IMAGE_TYPES
        }

    async def now(self) -> Health:
        """The state as it was at most some seconds ago."""
        async with self._asking:
            if self._found is None or time.monotonic() - self._found[0] > KEPT_SECONDS:
                self._found = (time.monotonic(), await self._ask())
            return self._found[1]

    async def _ask(self) -> Health:
        serving = self._serving
        indexes = await self._indexes()
        database, model = await asyncio.gather(
            _part("the database", self._ping), _part("the model server", self._ask_model)
        )
        searched = [found.status for name, found in indexes.items() if name.startswith(serving.edition)]
        if model.status != "ok" or "ok" not in searched:
            status = "unavailable"
        else:
            status = "ok" if database.status == "ok" and set(searched) == {"ok"} else "degraded"
        return Health.model_validate(
            {"status": status, "edition": serving.edition, "database": database, "model": model, "indexes": indexes}
        )

    def _ping(self) -> None:
        from include.images.database import ImageDatabase  # noqa: PLC0415 — takes half a second

        with ImageDatabase.from_settings(
            self._serving.settings, retry_seconds=0, answer_seconds=LONGEST_SECONDS
        ) as database:
            database.ping()

    def _ask_model(self) -> None:
        """The server, and that it serves what the indexes were made by."""
        serving = self._serving
        if not serving.client.is_live():
            msg = "no model server answers"
            raise EmbsearchError(msg)
        for model in serving.models_needed():
            serving.client.served(model.name, fingerprint=model.fingerprint)

    async def _indexes(self) -> dict[str, IndexHealth]:
        """By edition and type; of the other edition only those that are built."""
        found = zip(self._watches, await asyncio.gather(*(each.now() for each in self._watches.values())), strict=True)
        own = self._serving.edition
        return {f"{of}_{kind}": health for (of, kind), health in found if health.status == "ok" or of == own}

    def _look(self, kind: ImageType, edition: Edition) -> IndexHealth:
        try:
            index = self._serving.index(kind, edition)
        except NoIndex:
            return IndexHealth(status="unavailable", message="It is not built yet, or there are no such images.")
        except EmbsearchError as error:
            log.debug("%s %s", edition, kind, exc_info=error)
            return IndexHealth(status="unavailable", message="It cannot be read.")
        behind = "A newer version was promoted, but cannot be read." if index.error else ""
        made_at = datetime.fromisoformat(index.made_at)
        return IndexHealth(status="ok", message=behind, version=index.version, images=index.size, made_at=made_at)


async def _part(name: str, ask: Callable[[], None]) -> PartHealth:
    try:
        await asyncio.wait_for(asyncio.to_thread(ask), LONGEST_SECONDS)  # the thread ends by itself later
    except TimeoutError:
        return PartHealth(status="unavailable", message=f"{name} did not answer within {LONGEST_SECONDS:g} s")
    except EmbsearchError as error:
        log.warning("%s: %s", name, error)
        return PartHealth(status="unavailable", message=f"{name} does not answer, or not as it must: the log says more")
    return PartHealth(status="ok")
