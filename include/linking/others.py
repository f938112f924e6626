"""Products that a new generation must take over though its input has not got them: found, and linked anew into it.

They are what came in while it was built, or with ``keep_others`` all that the served index has. Most of them are linked
while readers and writers go on; what came in since then follows when no writer is left, before the name moves.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from include.elastic.comparison import last_write, present, texts
from include.elastic.dead_letters import dead_ids
from include.elastic.document_id import document_id
from include.elastic.linked_keywords import KEYWORDS
from include.elastic.replay import dead_letter_folder
from include.errors import InputError
from include.generations.counts import Counts
from include.linking.parameters import LinkingParameters
from include.linking.pipeline import LinkPipeline
from include.linking.plan import KIND_REALTIME
from include.linking.progress import Progress
from include.linking.servers import Servers, Target, pinned_embedder, pipeline_to
from include.linking.shards import linked_counts
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds
from include.sources.rows import Row

log = logging.getLogger(__name__)

NAME = "product_name"
REST = "others_rest"  # what the build keeps of :meth:`Others.take_rest`


@dataclass
class Others:
    """The others of one build."""

    build: Build
    servers: Servers
    settings: Settings
    counts: Counts = field(default_factory=Counts)  # of those that were linked
    _made: LinkPipeline | None = None

    @property
    def _keeps_all(self) -> bool:
        return LinkingParameters(**self.build.facts["parameters"]).keep_others

    def take_most(self) -> None:
        """Link what is there now; done once, also when the publishing is interrupted."""
        found = self.build.once("others", self._first)
        self.counts = Counts.from_dict(found["counts"])

    def _first(self) -> dict[str, object]:
        served = self._served()
        since = last_write(self.servers.generations.client, served) if served is not None else -1
        return {"served": served, "since": since, "counts": self._take(served, -1).as_dict()}

    def take_rest(self) -> None:
        """Link what was written since; to be called when no writer is left.

        A publishing that is repeated looks again, until the name has moved. Then nothing is left to be found, and what
        all tries have counted stands.
        """
        first = self.build.once("others", self._first)
        noted = self.build.noted(REST)
        rest = Counts.from_dict(noted) if noted else Counts()
        if (served := self._served()) is not None:
            rest += self._take(served, first["since"] if served == first["served"] else -1)
            self.build.note(REST, rest.as_dict())
        self.counts += rest
        self.servers.generations.refresh(self.build.generation)
        self.counts.check(f"others of {self.build.generation}")

    def _served(self) -> str | None:
        """The index to be replaced; None when there is none, or when this build has the name already."""
        served = self.servers.generations.resolve()
        return None if served == self.build.generation else served

    def _take(self, served: str | None, since: int) -> Counts:
        if served is None:
            return Counts()
        client = self.servers.generations.client
        pages = texts(client, served, NAME, since=since) if self._keeps_all else self._came_in(served)
        dead = dead_ids(dead_letter_folder(self.settings), self.build.generation)  # refused a moment ago
        counts = Counts()
        for page in pages:
            if names := self._lacking(page, dead):  # the pipeline is made only when there is something to link
                counts += linked_counts(self._pipeline().run([(0, [Row(0, name) for name in names])]))
        return counts

    def _came_in(self, served: str) -> Iterator[list[str]]:
        """The products that daily runs have linked into the served index since this build began."""
        client = self.servers.generations.client
        for other in all_builds(self.settings, KIND_REALTIME, self.build.alias):
            for index in range(other.input.shards):
                done = other.shard(index).manifest
                if not done.exists() or done.stat().st_mtime < self.build.began:
                    continue
                names = {document_id(row.text): row.text for row in other.rows(index)}
                # What is not there came into the same alias of another server, or was refused.
                there = present(client, served, names)
                yield [name for one, name in names.items() if one in there]

    def _lacking(self, names: Sequence[str], dead: Collection[str]) -> list[str]:
        ids = {one: name for name in names if (one := document_id(name)) not in dead}
        there = present(self.servers.generations.client, self.build.generation, ids)
        return [name for one, name in ids.items() if one not in there]

    def _pipeline(self) -> LinkPipeline:
        if self._made is None:
            target = Target(self.build.generation, self.build.facts[KEYWORDS])
            embedder = pinned_embedder(self.build, self.servers)
            progress = Progress(None)
            self._made = pipeline_to(target, embedder, self.build, self.servers, self.settings, progress=progress)
        return self._made


def count_dropped(servers: Servers, previous: str | None, generation: str) -> int:
    """How many products of ``previous`` are in ``generation`` no more; 0 when it is pruned already."""
    client = servers.generations.client
    dropped = 0
    with suppress(InputError):
        for names in texts(client, previous, NAME) if previous else ():
            ids = {document_id(name) for name in names}
            dropped += len(ids - present(client, generation, ids))
    return dropped
