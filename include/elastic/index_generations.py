"""Index generations behind an alias: create, load, finalise, promote, roll back, prune.

A generation's mapping carries its state in ``_meta``, so that an interrupted build finds its own index again and
nobody promotes a half-built one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from include.elastic.adoption import clone_as_generation
from include.elastic.errors import translated
from include.errors import ContractError, GateFailed
from include.generations.names import SEPARATOR, check_alias
from include.generations.promotion import left_by, outdated, roll_back_target

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 7 * 24 * 3600.0
FORCE_MERGE_SECONDS = 3600.0
LOADING, READY, SERVED = "loading", "ready", "served"  # the last one for good, from the first promote on
STATE, REPLICAS, SCHEMA = "state", "replicas", "schema"  # keys of _meta that are ours
LEFT = "rolled_back"  # likewise: true of a generation that a roll back left
KIND = "kind"  # the key of _meta that says what an index holds


class IndexGenerations:
    """The generations of one alias on one cluster.

    Every method raises the errors of :func:`include.elastic.errors.translated`.
    """

    def __init__(self, client: Elasticsearch, alias: str) -> None:
        self.client = client
        self.alias = check_alias(alias)

    def create(
        self,
        generation: str,
        mapping: Mapping[str, Any],
        *,
        shards: int,
        replicas: int,
        bulk_load: bool,
        meta: Mapping[str, Any] | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> bool:
        """Create an index to fill, or find the same one of an interrupted run; return whether it is new.

        With ``bulk_load`` it has no replicas, no refresh and an asynchronous translog until :meth:`finalise`; without,
        it can be searched and promoted at once. ``limits`` are further settings of the index.

        Raises:
            ContractError: it exists with another schema or ``meta``.
        """
        schema = hashlib.sha256(json.dumps(mapping, sort_keys=True).encode()).hexdigest()[:16]
        wanted = {**(meta or {}), SCHEMA: schema, REPLICAS: replicas}
        settings: dict[str, Any] = {"number_of_shards": shards, "number_of_replicas": 0 if bulk_load else replicas}
        settings |= dict(limits or {})
        if bulk_load:
            settings |= {"refresh_interval": "-1", "translog.durability": "async"}
        mappings = {**mapping, "_meta": {**wanted, STATE: LOADING if bulk_load else READY}}
        if self._exists(generation) or not self._create(generation, settings, mappings):
            self._check_same(generation, wanted)
            return False
        return True

    def _create(self, generation: str, settings: Mapping[str, Any], mappings: Mapping[str, Any]) -> bool:
        """Create an index; ``False`` when another process of the same run was faster."""
        with translated(self.client, f"create index {generation}"):
            try:
                self.client.indices.create(index=generation, settings={"index": settings}, mappings=mappings)
            except BadRequestError as error:
                if error.error != "resource_already_exists_exception":
                    raise
                return False
        return True

    def finalise(self, generation: str) -> None:
        """Make a loaded generation fit to be served: refresh, merge to one segment, then normal settings and replicas.

        May be repeated.

        Raises:
            InputError: there is no such index.
            GateFailed: it is not the one that was created, but one that Elasticsearch made by itself.
        """
        meta = self.meta(generation)
        if STATE not in meta:
            msg = (
                f"Index {generation} was deleted while it was filled, and Elasticsearch made it again with a guessed "
                "mapping. It is not promoted. Start a new run."
            )
            raise GateFailed(msg)
        with translated(self.client, f"finalise index {generation}"):
            self.client.indices.refresh(index=generation)
            patient = self.client.options(request_timeout=FORCE_MERGE_SECONDS)
            patient.indices.forcemerge(index=generation, max_num_segments=1)
            settings = {
                "refresh_interval": None,
                "translog.durability": None,
                "number_of_replicas": meta.get(REPLICAS, 0),
            }
            self.client.indices.put_settings(index=generation, settings={"index": settings})
        if meta[STATE] == LOADING:
            self._mark(generation, READY)

    def refuse(self, generation: str) -> None:
        """Count a generation that did not pass its gate as unfinished, unless it is served: pruned after a week."""
        if self.resolve() != generation:
            self._mark(generation, LOADING)

    def refuse_foreign(self, kind: str, *, unknown: bool = False) -> None:
        """Let nobody put links where keywords are served, or the other way round.

        With ``unknown``, an index that does not say what it holds is refused too.

        Raises:
            ContractError: the alias serves something else.
        """
        served = self.resolve()
        if served is None:
            return
        found = self.meta(served).get(KIND)
        if found not in {None, kind} or (found is None and unknown):
            held = found or "something else"
            msg = f"{self.alias} serves {served}, which holds {held}, not {kind}. Choose another name."
            raise ContractError(msg)

    def refresh(self, name: str) -> None:
        """Make what was written so far visible to searches."""
        with translated(self.client, f"refresh index {name}"):
            self.client.indices.refresh(index=name)

    def promote(self, generation: str) -> str | None:
        """Give the alias to ``generation`` in one step; return the generation that had it before.

        An index that itself has the alias' name, from before there were generations, is kept as a generation: its data
        are cloned under a generation's name and the name is freed in the same step.

        Raises:
            InputError: there is no such generation.
            ContractError: it is not finalised.
        """
        meta = self.meta(generation)
        if meta.get(STATE) == LOADING:
            msg = f"{generation} is not finalised, so readers would see it half-built: not promoted."
            raise ContractError(msg)
        if meta.get(STATE) != SERVED or meta.get(LEFT):
            self._mark(generation, SERVED, **{LEFT: False})
        holders = self._holders()
        if generation in holders and len(holders) == 1:
            return generation
        actions: list[dict[str, Any]] = [{"add": {"index": generation, "alias": self.alias, "is_write_index": True}}]
        previous = holders[-1] if holders else None
        if self.alias in holders:
            previous, replicas = clone_as_generation(self.client, self.alias)
            self._mark(previous, SERVED, **{REPLICAS: replicas})
            actions.insert(0, {"remove_index": {"index": self.alias}})
        else:
            actions += [{"remove": {"index": old, "alias": self.alias}} for old in holders if old != generation]
        with translated(self.client, f"give alias {self.alias} to {generation}"):
            self.client.indices.update_aliases(actions=actions)
        log.info("%s serves %s (before: %s)", self.alias, generation, previous or "none")
        return previous

    def rollback(self, to: str | None = None) -> str:
        """Serve ``to``, or else the newest generation before the served one; return its name.

        What is newer than it, up to the one that was served, is no default target from now on and does not count for
        :meth:`prune`, until it is served again.

        Raises:
            InputError: there is none to go back to.
        """
        served, facts = self.resolve(), self._served()
        left = [name for name in facts if facts[name][LEFT]]
        target = roll_back_target(self.alias, served, list(facts), to, left=left)
        for name in left_by(served, target, list(facts)):
            self._mark(name, SERVED, **{LEFT: True})
        self.promote(target)
        return target

    def resolve(self) -> str | None:
        """The index that readers of the alias get, ``None`` when there is none.

        It is the alias' own name while an index from before there were generations has it.
        """
        holders = self._holders()
        return holders[-1] if holders else None

    def generations(self) -> list[str]:
        """The generations that are or were served, oldest first: those that one can roll back to."""
        return list(self._served())

    def prune(self, keep: int) -> list[str]:
        """Drop all but the newest ``keep`` of :meth:`generations`, and builds abandoned a week ago; return their names.

        The served generation is never dropped. One that was never served, or was rolled back from, pushes out none.
        """
        everything, served, ours = self._all(), self.resolve(), self._served()
        dropped = outdated(list(ours), served, keep, left=[name for name in ours if ours[name][LEFT]])
        oldest = time.time() - ABANDONED_SECONDS
        dropped += [name for name in everything if name not in {*ours, served} and everything[name]["created"] < oldest]
        return [name for name in dropped if self._drop(name)]

    def _drop(self, name: str) -> bool:
        """Delete an index, unless it has the alias by now: of what others do meanwhile no list tells."""
        if self.resolve() == name:
            return False
        with translated(self.client, f"drop index {name}"):
            self.client.options(ignore_status=404).indices.delete(index=name)
        return True

    def count(self, name: str) -> int:
        """Documents that searches of an index or alias see; the keywords inside a product are not counted."""
        with translated(self.client, f"count {name}"):
            return int(self.client.count(index=name)["count"])

    def meta(self, name: str) -> dict[str, Any]:
        """What the index says of itself.

        Raises:
            InputError: there is no such index.
        """
        with translated(self.client, f"read index {name}"):
            (found,) = self.client.indices.get_mapping(index=name).values()
        return dict(found["mappings"].get("_meta", {}))

    def _mark(self, generation: str, state: str, **more: Any) -> None:
        with translated(self.client, f"mark index {generation} as {state}"):
            meta = {**self.meta(generation), **more, STATE: state}
            self.client.indices.put_mapping(index=generation, meta=meta)

    def _exists(self, name: str) -> bool:
        with translated(self.client, f"look for index {name}"):
            return bool(self.client.indices.exists(index=name))

    def _check_same(self, generation: str, wanted: Mapping[str, Any]) -> None:
        found = self.meta(generation)
        for changing in (STATE, LEFT):
            found.pop(changing, None)
        if found != wanted:
            differ = sorted(key for key in {*found, *wanted} if found.get(key) != wanted.get(key))
            msg = (
                f"Index {generation} was begun by another run: {', '.join(differ)} differ. "
                "Start a new run, which makes an index of its own."
            )
            raise ContractError(msg)
        log.info("Index %s stands from an interrupted run and is filled further", generation)

    def _holders(self) -> list[str]:
        """Indices that answer to the alias' name, by name; the write index last."""
        with translated(self.client, f"look up alias {self.alias}"):
            try:
                found = self.client.indices.get(index=self.alias, filter_path="*.aliases")
            except NotFoundError:
                return []
        aliases = {name: facts.get("aliases", {}).get(self.alias, {}) for name, facts in found.items()}
        return sorted(aliases, key=lambda name: (bool(aliases[name].get("is_write_index")), name))

    def _all(self) -> dict[str, dict[str, Any]]:
        """Every index named as a generation of this alias, oldest first, with its state and time of creation."""
        with translated(self.client, f"list generations of {self.alias}"):
            found = self.client.indices.get(
                index=f"{self.alias}{SEPARATOR}*",
                filter_path=f"*.mappings._meta.{STATE},*.mappings._meta.{LEFT},*.settings.index.creation_date",
            )
        everything = {}
        for name in sorted(found):
            meta = found[name].get("mappings", {}).get("_meta", {})
            created = int(found[name]["settings"]["index"]["creation_date"]) / 1000
            everything[name] = {STATE: meta.get(STATE), LEFT: bool(meta.get(LEFT)), "created": created}
        return everything

    def _served(self) -> dict[str, dict[str, Any]]:
        """Of :meth:`_all`, what is or was served."""
        return {name: facts for name, facts in self._all().items() if facts[STATE] == SERVED}
