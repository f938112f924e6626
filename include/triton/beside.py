"""Which earlier versions stay in memory beside the served one, for collections and runs that need their vectors."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

from include.errors import EmbsearchError, InputError
from include.settings import Settings
from include.sources.addresses import same_server
from include.sources.build import Build
from include.sources.builds import every_build
from include.triton.config_pbtxt import ServingConfig
from include.vector_store.open import store_of

log = logging.getLogger(__name__)

UNDER_WAY_SECONDS = 24 * 3600  # a build that nobody began or resumed for so long is not waited for


@dataclass(frozen=True)
class Beside:
    """What may be dropped from memory and from the disk."""

    count: int  # earlier versions that stay in any case
    needed: Collection[str] | None = ()  # fingerprints that stay besides; None: not known, so all that is loaded stays

    def staying(self, copies: Sequence[ServingConfig]) -> list[ServingConfig]:
        """Those of ``copies``, the latest first, that stay."""
        if self.needed is None:
            return list(copies)
        return [copy for place, copy in enumerate(copies) if place < self.count or copy.fingerprint in self.needed]


def needed_fingerprints(settings: Settings, *, linked: Collection[str] = ()) -> frozenset[str] | None:
    """The models that the served keyword collections, and builds under way, were made with.

    Those of the generations in ``linked``, to which served links lead, are needed besides. ``None`` when the vector
    store does not tell, which is warned of.
    """
    builds = list(every_build(settings))
    found = {build.facts.get("model_fingerprint", "") for build in builds if _under_way(build)}
    names = {settings.collection}
    for build in builds:
        given = build.facts.get("parameters", {})
        if given.get("collection") and same_server(given.get("qdrant_url", ""), settings.qdrant_url):
            names.add(given["collection"])
    try:
        with closing(store_of(settings, settings.qdrant_url)) as store:
            served = [generation for name in sorted(names) if (generation := store.resolve(name)) is not None]
            found |= {store.info(generation).model_fingerprint for generation in served}
            for generation in linked:
                with suppress(InputError):  # dropped already: whoever links is told so
                    found.add(store.info(generation).model_fingerprint)
    except EmbsearchError as error:
        log.warning("Which model versions are needed is not known, so all that are loaded stay: %s", error)
        return None
    return frozenset(found - {""})


def _under_way(build: Build) -> bool:
    return build.published() is None and time.time() - build.touched < UNDER_WAY_SECONDS
