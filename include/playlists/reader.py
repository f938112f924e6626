"""Read the sets, as the services do that answer their listeners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from include.errors import ContractError, InputError
from include.playlists.cache import PlaylistCache
from include.playlists.connection import RedisConnection, connected
from include.playlists.encoding import Ids, decoded
from include.playlists.faults import translated
from include.playlists.meta import Meta, SetInfo, set_name
from include.settings import Settings


class PlaylistReader:
    """Reads sets together with what the cache says of them, in one round trip: never a mix of two runs."""

    def __init__(self, cache: PlaylistCache) -> None:
        self._cache = cache

    def read(self, program: str, index_type: str) -> Ids:
        """The ids of a programme's songs in one index: [N], ascending, each once.

        Raises:
            InputError: there is no such set.
            ContractError: its value was changed by somebody else.
        """
        return self.read_with_info([(program, index_type)])[0][0]

    def read_with_info(self, sets: Sequence[tuple[str, str]]) -> list[tuple[Ids, SetInfo]]:
        """Several sets of one moment, in the order of ``sets``, each with what is known of it."""
        names = [set_name(program, index_type) for program, index_type in sets]
        keys = [self._cache.key(name) for name in names]
        with translated(self._cache.connection.url, f"read {', '.join(keys[:3])}"):
            found: Any = self._cache.client.mget([self._cache.meta_key, *keys])
        meta = Meta.read(self._cache.meta_key, found[0])
        return [self._checked(meta, name, value) for name, value in zip(names, found[1:], strict=True)]

    def _checked(self, meta: Meta, name: str, value: bytes | None) -> tuple[Ids, SetInfo]:
        info, key = meta.sets.get(name), self._cache.key(name)
        if info is None:
            msg = f"{key} is not in the cache. There are: {', '.join(sorted(meta.sets)) or 'none'}. Run playlist_cache."
            raise InputError(msg)
        ids = decoded(key, value, info.encoding) if value is not None else None
        if ids is None or len(ids) != info.ids:
            there = "is gone" if ids is None else f"holds {len(ids)} ids"
            msg = f"{key} {there}, and {info.ids} were written: somebody else changed it. Run playlist_cache."
            raise ContractError(msg)
        return ids, info


@contextmanager
def open_reader(settings: Settings) -> Iterator[PlaylistReader]:
    """A reader of the settings' Redis.

    Raises:
        ServiceUnavailable: it does not answer.
        AccessDenied: the login or the certificate is not accepted.
    """
    connection = RedisConnection.from_settings(settings)
    with connected(connection) as client:
        yield PlaylistReader(PlaylistCache(client, connection))
