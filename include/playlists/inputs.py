"""Where the sets come from: songs and rows from MySQL, the served ids from the versions of the FAISS indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from include.catalog.index_types import IndexType
from include.errors import ContractError
from include.faiss_index.manifest import IDS
from include.faiss_index.storage import FileDigest, storage_faults
from include.faiss_index.versions import IndexFolder
from include.mysql.embedding_table import open_embedding_table
from include.mysql.playlist_tables import PlaylistTables
from include.playlists.collect import Inputs, ServedIds
from include.settings import Settings


@contextmanager
def open_inputs(settings: Settings) -> Iterator[Inputs]:
    """Those of the settings.

    Raises:
        ServiceUnavailable: the MySQL with the playlists does not answer.
        AccessDenied: it refuses the login or the right.
    """

    def ids_of_songs(kind: IndexType, songs: Sequence[str]) -> Mapping[str, Sequence[int]]:
        with open_embedding_table(settings, kind) as table:
            return table.ids_of_songs(songs)

    with PlaylistTables(settings) as playlists:
        yield Inputs(playlists.songs_of, ids_of_songs, lambda kind: served_ids(settings, kind))


def served_ids(settings: Settings, kind: IndexType) -> ServedIds | None:
    """The ids in the served version of ``kind``'s index, or None before the first.

    Raises:
        ContractError: the version, or its list of ids, is damaged.
    """
    version = IndexFolder(settings.state_dir / "faiss" / kind.name, kind.name).current()
    if version is None:
        return None
    path = version.folder / IDS
    with storage_faults(path):
        found = FileDigest.of(path)
    if found.sha256 != version.manifest.files[IDS].sha256:
        msg = f"{path} has changed since it was written. Roll the index back, or run faiss_rebuild."
        raise ContractError(msg)
    return ServedIds(version.name, np.asarray(version.ids(), dtype=np.int64))
