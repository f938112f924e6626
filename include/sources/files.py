"""An input file by its path: found, recognised, read as rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from include.errors import InputError
from include.sources.roots import check_input
from include.sources.rows import Row, Unusable, read_text

_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Source:
    """An input file and the names of the columns to read when it is Parquet."""

    path: Path
    text_column: str
    id_column: str | None = None  # must be there; "" takes the usual one where there is one; None: rows are numbered

    @property
    def is_parquet(self) -> bool:
        """Parquet is known by its first bytes, anything else is text."""
        return _is_parquet(self.path)

    @property
    def has_ids(self) -> bool:
        """Whether numbers may come from a column, and so may repeat."""
        return self.id_column is not None and self.is_parquet

    def stamp(self) -> tuple[int, int]:
        """Changes when the file does."""
        facts = self.path.stat()
        return facts.st_size, facts.st_mtime_ns

    def rows(self) -> Iterator[Row | Unusable]:
        """The file's rows in order."""
        if not self.is_parquet:
            return read_text(self.path)
        from include.sources.parquet import read_parquet  # noqa: PLC0415 — pyarrow is only needed here

        return read_parquet(self.path, text_column=self.text_column, id_column=self.id_column)


def find_input(path: str | Path) -> Path:
    """The file that a parameter means; a relative path starts at the project's root.

    Raises:
        NotAllowed: runs may not read there.
        InputError: there is no such file, it is not a file, it is empty, or it is not what its name says.
    """
    found = check_input(path)
    if found.is_dir():
        msg = f"Input file {found} is a folder. Give a file in it."
        raise InputError(msg)
    if not found.is_file():
        msg = f"Input file {found} does not exist. Give another path, or make one: embsearch generate --help."
        raise InputError(msg)
    if found.stat().st_size == 0:
        msg = f"Input file {found} is empty."
        raise InputError(msg)
    if not os.access(found, os.R_OK):
        msg = f"Input file {found} cannot be read by this user. Change its rights, or give another path."
        raise InputError(msg)
    if found.suffix.lower() == ".parquet" and not _is_parquet(found):
        msg = f"Input file {found} is no Parquet file, though its name says so. Give it whole, or under another name."
        raise InputError(msg)
    return found


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
