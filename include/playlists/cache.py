"""The sets in Redis: replaced together in one transaction, so that a reader sees all of the old ones or the new."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis, WatchError

from include.errors import Busy, ContractError
from include.generations.promotion import refuse_shrinking
from include.playlists.connection import RedisConnection
from include.playlists.encoding import Ids, encoded
from include.playlists.faults import translated
from include.playlists.meta import KEY_PREFIX, Meta, SetInfo, set_name, split_name
from include.playlists.parameters import Encoding

log = logging.getLogger(__name__)

ATTEMPTS = 5
SCAN_KEYS = 1000  # looked at in one round trip


@dataclass(frozen=True)
class PlaylistSet:
    """The ids of one programme's songs in one index."""

    program: str
    index_type: str
    ids: Ids  # [N], ascending, each once
    index_version: str

    @property
    def name(self) -> str:
        """Its key without the prefix."""
        return set_name(self.program, self.index_type)


@dataclass(frozen=True)
class Writing:
    """How sets are written.

    ``outdated`` tells of the programme and the type of a key that is there and not written now whether it goes.
    """

    run_date: datetime
    encoding: Encoding
    min_share: float
    outdated: Callable[[str, str], bool]


@dataclass(frozen=True)
class Written:
    """What one transaction did."""

    bytes: int  # of all values
    deleted: list[str]  # keys


@dataclass(frozen=True)
class PlaylistCache:
    """All sets below one prefix of one Redis."""

    client: Redis
    connection: RedisConnection  # of the client, for messages
    prefix: str = KEY_PREFIX

    def key(self, name: str) -> str:
        """The key of a set, or of what else has a name here."""
        return f"{self.prefix}:{name}"

    @property
    def meta_key(self) -> str:
        """The key of :class:`Meta`; no set can have its name, which lacks an underscore."""
        return self.key("meta")

    def meta(self) -> Meta:
        """What the cache says of itself now."""
        with translated(self.connection.url, f"read {self.meta_key}"):
            return self._parsed(self.client.get(self.meta_key))

    def refuse_older(self, meta: Meta, names: Sequence[str], run_date: datetime) -> None:
        """Let a late run fail rather than put back what a newer one replaced.

        Raises:
            ContractError: one of the sets ``names`` is of a newer run.
        """
        for name in names:
            there = meta.sets[name].run_date if name in meta.sets else run_date
            if there > run_date:
                msg = (
                    f"{self.key(name)} was written by the run of {there.isoformat(' ', 'seconds')}, which is newer "
                    f"than this one of {run_date.isoformat(' ', 'seconds')}: nothing is written. Start a new run."
                )
                raise ContractError(msg)

    def replace(self, sets: Sequence[PlaylistSet], writing: Writing) -> Written:
        """Write ``sets``, take away what is outdated, and tell it in the meta: all at once, or nothing.

        Raises:
            ContractError: one of the sets there is of a newer run.
            GateFailed: a set is much smaller than the one it replaces.
            InputError: an id is too large for the encoding.
            SetupError: Redis has no room.
            Busy: others write all the time.
        """
        values = {self.key(one.name): encoded(self.key(one.name), one.ids, writing.encoding) for one in sets}
        with translated(self.connection.url, f"write {len(sets)} sets"):
            for _ in range(ATTEMPTS):
                try:
                    return self._replace(sets, values, writing)
                except WatchError:  # somebody else's sets came between, or the connection was lost
                    log.info("%s has changed meanwhile: looking at it again", self.meta_key)
        msg = (
            f"Others write {self.prefix} in Redis at {self.connection.url} all the time. Run this again when they end."
        )
        raise Busy(msg)

    def _replace(self, sets: Sequence[PlaylistSet], values: dict[str, bytes], writing: Writing) -> Written:
        with self.client.pipeline(transaction=True) as transaction:
            transaction.watch(self.meta_key)  # type: ignore[no-untyped-call]
            meta = self._parsed(transaction.get(self.meta_key))
            self._check(meta, sets, writing)
            names = {one.name for one in sets}
            there = set(meta.sets) or self._found()
            gone = sorted(name for name in there - names if writing.outdated(*split_name(name)))
            transaction.multi()
            transaction.mset(values)
            if gone:
                transaction.delete(*map(self.key, gone))
            transaction.set(self.meta_key, self._told(meta, sets, gone, writing).model_dump_json())
            transaction.execute()
        return Written(sum(map(len, values.values())), [self.key(name) for name in gone])

    def _check(self, meta: Meta, sets: Sequence[PlaylistSet], writing: Writing) -> None:
        self.refuse_older(meta, [one.name for one in sets], writing.run_date)
        for one in sets:
            before = meta.sets[one.name].ids if one.name in meta.sets else 0
            refuse_shrinking(self.key(one.name), len(one.ids), before, min_share=writing.min_share, limit=0)

    def _found(self) -> set[str]:
        """The names of sets that somebody wrote who keeps no meta; looked for only while there is none."""
        keys = self.client.scan_iter(match=f"{self.prefix}:*_*", count=SCAN_KEYS)
        return {bytes(key).decode("utf-8", "replace").removeprefix(f"{self.prefix}:") for key in keys}

    def _told(self, meta: Meta, sets: Sequence[PlaylistSet], gone: Sequence[str], writing: Writing) -> Meta:
        now = datetime.now(UTC)
        kept = {name: info for name, info in meta.sets.items() if name not in gone}
        new = {
            one.name: SetInfo(
                ids=len(one.ids),
                encoding=writing.encoding,
                index_version=one.index_version,
                run_date=writing.run_date,
                time=now,
            )
            for one in sets
        }
        return Meta(sets={**kept, **new})

    def _parsed(self, text: object) -> Meta:
        return Meta.read(self.meta_key, bytes(text) if isinstance(text, bytes) else None)
