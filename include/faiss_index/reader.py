"""A reader that follows the served version without a pause: the next one is read beside the present one."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.errors import ContractError, EmbsearchError, InputError
from include.faiss_index.engine import Vectors
from include.faiss_index.ids import Ids
from include.faiss_index.manifest import Manifest
from include.faiss_index.opened import OpenIndex
from include.faiss_index.version import Version
from include.faiss_index.versions import CURRENT, IndexFolder

log = logging.getLogger(__name__)

POLL_SECONDS = 2.0
LONGEST_PAUSE = 60.0  # seconds between two tries of a version that cannot be read


@dataclass(frozen=True)
class Served:
    """A version that is open for searches."""

    name: str
    manifest: Manifest
    index: OpenIndex
    beside: Any = None  # what the reader was told to open with each version


class IndexReader:
    """Searches the served version of one index; safe from several threads.

    A search looks for a new version every ``poll_seconds`` at most. A new one is read by a thread of its own, while
    searches go on over the present one; a search that has begun ends over the version that it began with. A new version
    that cannot be read is logged, kept in ``error``, and the present one goes on. One that is damaged is not tried
    again; after any other fault (no right yet, no memory, too many files) it is, with pauses that grow to a minute.
    """

    def __init__(
        self,
        root: Path,
        *,
        poll_seconds: float = POLL_SECONDS,
        check: bool = True,
        mapped: bool = False,
        beside: Callable[[Version], Any] = lambda _: None,
    ) -> None:
        """Open the served version under ``root``.

        Args:
            root: Folder of the index, which holds CURRENT.
            poll_seconds: How often to look for a new version.
            check: Compare every byte with the manifest before a version is searched.
            mapped: Leave the lists on disk and let the system keep what is used.
            beside: Opens further files of a version; what it gives is in :meth:`now`, always of the same version.

        Raises:
            InputError: nothing is served there.
            ContractError: what is served is damaged.
        """
        self._folder = IndexFolder(root, root.name)
        self._poll_seconds, self._check, self._mapped, self._beside = poll_seconds, check, mapped, beside
        self._loading = threading.Lock()
        self._next_look = 0.0
        self._refused: str | None = None
        self._faults = 0  # in a row
        self.error: Exception | None = None  # why the version that CURRENT names is not searched
        self._seen = self._stamp()
        self._served = self._open()

    @property
    def version(self) -> str:
        """The version that the next search is over."""
        return self._served.name

    @property
    def manifest(self) -> Manifest:
        """Of the version that the next search is over."""
        return self._served.manifest

    @property
    def ids(self) -> Ids:
        """All ids, ascending."""
        return self._served.index.ids

    def now(self) -> Served:
        """The version to search now, as one: another may be served before the caller is done with it."""
        self._follow()
        return self._served

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Ids]:
        """Cosines and ids ``[Q, k]``, best first; see :meth:`OpenIndex.search`."""
        return self.now().index.search(queries, k)

    def reconstruct(self, ids: Ids) -> Vectors:
        """``[N, D]`` vectors of ``ids``; see :meth:`OpenIndex.reconstruct`."""
        return self.now().index.reconstruct(ids)

    def refresh(self) -> str:
        """Read the version that is served now, if it is another one, and return the name of the one searched."""
        with self._loading:
            self._load()
        return self.version

    def _follow(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + min(self._poll_seconds * 2**self._faults, max(LONGEST_PAUSE, self._poll_seconds))
        if self._stamp() != self._seen and not self._loading.locked():
            threading.Thread(target=self.refresh, name=f"reads {self._folder.root}", daemon=True).start()

    def _load(self) -> None:
        stamp, name = self._stamp(), None
        try:
            name = self._folder.served_name()
            if name is not None and name == self._refused:
                return
            if name != self._served.name:
                self._served = self._open()
            self._refused = self.error = None
        except ContractError as error:
            self._refused = name
            self._told(error)
        except (EmbsearchError, OSError, MemoryError, RuntimeError) as error:  # FAISS says RuntimeError to most
            self._faults += 1
            self._told(error)
            return
        self._seen, self._faults = stamp, 0

    def _told(self, error: Exception) -> None:
        """Log what is new."""
        if repr(error) != repr(self.error):
            log.error("%s: searching %s on", self._folder.root, self._served.name, exc_info=error)
        self.error = error

    def _open(self) -> Served:
        """The served version, followed again when a prune takes it away between look-up and opening."""
        while True:
            version = self._folder.current()
            if version is None:
                msg = f"{self._folder.root / CURRENT} names nothing. Run faiss_rebuild first."
                raise InputError(msg)
            try:
                opened = version.open(check=self._check, mapped=self._mapped)
                return Served(version.name, version.manifest, opened, self._beside(version))
            except EmbsearchError:
                if self._folder.served_name() == version.name:
                    raise

    def _stamp(self) -> tuple[int, int]:
        """Changes whenever CURRENT is replaced."""
        try:
            found = (self._folder.root / CURRENT).stat()
        except FileNotFoundError:
            return (0, 0)
        return (found.st_ino, found.st_mtime_ns)
