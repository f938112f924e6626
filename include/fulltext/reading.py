"""The documents of a folder, of a file, or of Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from include.errors import InputError
from include.fulltext.documents import Columns, Found, SetAside
from include.fulltext.files import FILE_KINDS, read_file
from include.fulltext.folder import files_below
from include.sources.roots import check_input


def read_documents(path: str | Path, columns: Columns, *, max_bytes: int) -> Iterator[Found]:
    """The documents of a folder (in the order of their paths), of a file, or of Parquet, one at a time.

    In a folder, the path below it is the id, such as ``ja/tent.md``; a document of JSON has its own. What is not read
    there is set aside, see :func:`files_below`.

    Raises:
        NotAllowed: runs may not read there.
        InputError: there is no such file or folder, nothing in it is a document, or a column is missing.
    """
    root = check_input(path)
    if root.is_file():
        yield from read_file(root, root.name, columns, max_bytes=max_bytes)
        return
    if not root.is_dir():
        msg = f"Documents {root} do not exist. Give a folder, a file, or Parquet."
        raise InputError(msg)
    any_found = False
    for file in files_below(root):
        if isinstance(file, SetAside):
            any_found |= not file.passed_over
            yield file
        else:
            any_found = True
            yield from read_file(file, file.relative_to(root).as_posix(), columns, max_bytes=max_bytes)
    if not any_found:
        msg = f"Folder {root} has no document: no file ends in {', '.join(FILE_KINDS)}."
        raise InputError(msg)
