"""How the parts behind a search are, asked at most every few seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING

from include.errors import EmbsearchError
from include.images.api.contract import Health, IndexHealth, PartHealth
from include.images.parameters import IMAGE_TYPES, Edition

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.images.api.serving import Serving

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
LONGEST_SECONDS = 3.0  # for one part; a load balancer waits no longer

EDITIONS: tuple[Edition, ...] = ("v1", "v2")


class HealthCheck:
    """The state of one server's parts."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._asking = asyncio.Lock()
        self._found: tuple[float, Health] | None = None

    async def now(self) -> Health:
        """The state as it was at most some seconds ago."""
        async with self._asking:
            if self._found is None or time.monotonic() - self._found[0] > KEPT_SECONDS:
                self._found = (time.monotonic(), await self._ask())
            return self._found[1]

    async def _ask(self) -> Health:
        serving = self._serving
        indexes = await asyncio.to_thread(self._indexes)
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

    def _indexes(self) -> dict[str, IndexHealth]:
        """By edition and type; of the other edition only those that are built."""
        found = {}
        for edition in EDITIONS:
            for kind in IMAGE_TYPES:
                health = self._index(kind, edition)
                if health.status == "ok" or edition == self._serving.edition:
                    found[f"{edition}_{kind}"] = health
        return found

    def _index(self, kind: str, edition: Edition) -> IndexHealth:
        try:
            index = self._serving.index(kind, edition)
        except EmbsearchError as error:
            log.debug("%s %s", edition, kind, exc_info=error)
            return IndexHealth(status="unavailable", message="It is not built yet, or cannot be read.")
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
