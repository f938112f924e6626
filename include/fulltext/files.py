"""One file of documents, by its ending."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from include.errors import InputError
from include.fulltext.documents import NOT_READABLE, Columns, Found, SetAside, document_of
from include.fulltext.html_text import html_text

_BOMS = {b"\xff\xfe": "UTF-16LE", b"\xfe\xff": "UTF-16BE"}
_HEADING = re.compile(r"\A\s*#[ \t]+(.+?)[ \t]*#*[ \t]*(?:\n|\Z)")
_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.DOTALL)
MARKUP = 5  # how many times larger than its text a page of HTML or JSON may be


class _Yaml(yaml.SafeLoader):
    """Without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*) are not read")
        return super().compose_node(parent, index)


class _Unreadable(Exception):
    """A file or a line that is set aside."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def read_file(path: Path, name: str, columns: Columns, *, max_bytes: int) -> Iterator[Found]:
    """The documents of one file, which is called ``name``.

    Raises:
        InputError: it is of no known kind, or Parquet that cannot be used.
    """
    kind = path.suffix.lower()
    if kind == ".parquet":
        from include.fulltext.parquet_documents import read_parquet_documents  # noqa: PLC0415 — pyarrow

        yield from read_parquet_documents(path, name, columns)
        return
    if kind not in FILE_KINDS:
        msg = f"{path} is no document: its name must end in {', '.join(FILE_KINDS)}."
        raise InputError(msg)
    if kind == ".jsonl":
        yield from _read_lines(path, name, max_bytes=max_bytes * MARKUP)
        return
    try:
        text = _text_of(path, max_bytes if kind in {".txt", ".md"} else max_bytes * MARKUP)
        yield from _READERS[kind](text, path, name)
    except _Unreadable as problem:
        yield SetAside(name, problem.reason, problem.detail, identified=kind not in _WITH_IDS)


def _text_of(path: Path, max_bytes: int) -> str:
    try:
        if (size := path.stat().st_size) > max_bytes:
            raise _Unreadable("too_large", f"{path} has {size:,} bytes, allowed are {max_bytes:,}")
        raw = path.read_bytes()
    except OSError as error:
        raise _Unreadable(NOT_READABLE, f"{path}: {error.strerror}") from None
    return _decoded(raw, str(path))


def _decoded(raw: bytes, where: str) -> str:
    if encoding := _BOMS.get(raw[:2]):
        raise _Unreadable("not_utf8", f"{where} is {encoding}. Convert it: iconv -f {encoding} -t UTF-8.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable("not_utf8", f"{where}: {error.reason} at byte {error.start}") from None


def _txt(text: str, path: Path, name: str) -> Iterator[Found]:
    yield document_of({"title": path.stem, "text": text}, where=name, fallback_id=name)


def _markdown(text: str, path: Path, name: str) -> Iterator[Found]:
    text = text.replace("\r\n", "\n")
    facts: dict[str, Any] = {}
    if front := _FRONT.match(text):
        try:
            facts = yaml.load(front.group(1), _Yaml) or {}  # noqa: S506 — a safe loader
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: the 30th of February
            raise _Unreadable("bad_metadata", f"{path}: what stands between --- is no YAML: {error}") from None
        if not isinstance(facts, dict):
            raise _Unreadable("bad_metadata", f"{path}: what stands between --- is no list of names and values")
        text = text[front.end() :]
    title = path.stem
    if heading := _HEADING.match(text):
        title, text = heading.group(1), text[heading.end() :]
    known = {key: facts.pop(key) for key in ("id", "title") if key in facts}
    metadata = {str(key): one for key, one in facts.items()}
    yield document_of({"title": title, **known, "text": text, "metadata": metadata}, where=name, fallback_id=name)


def _html(text: str, path: Path, name: str) -> Iterator[Found]:
    page = html_text(text)
    yield document_of({"title": page.title or path.stem, "text": page.text}, where=name, fallback_id=name)


def _json(text: str, path: Path, name: str) -> Iterator[Found]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _Unreadable("not_json", f"{path}: {error}") from None
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield document_of(one, where=f"{name}#{number}")
    else:
        yield document_of(value, where=name, fallback_id=name)


def _read_lines(path: Path, name: str, *, max_bytes: int) -> Iterator[Found]:
    try:
        opened = path.open("rb")
    except OSError as error:
        yield SetAside(name, NOT_READABLE, f"{path}: {error.strerror}", identified=False)
        return
    with opened as file:
        number = 0
        while line := file.readline(max_bytes + 1):
            where = f"{name}#{number}"
            number += 1
            if len(line) > max_bytes:
                while line and not line.endswith(b"\n"):
                    line = file.readline(max_bytes + 1)
                detail = f"{path}: line {number} has more than {max_bytes:,} bytes"
                yield SetAside(where, "too_large", detail, identified=False)
            elif line.strip():
                yield _of_line(line, where)


def _of_line(line: bytes, where: str) -> Found:
    try:
        return document_of(json.loads(_decoded(line, where)), where=where)
    except _Unreadable as problem:
        return SetAside(where, problem.reason, problem.detail, identified=False)
    except (ValueError, RecursionError) as error:
        return SetAside(where, "not_json", f"{where}: {error}", identified=False)


_READERS: dict[str, Callable[[str, Path, str], Iterator[Found]]] = {
    ".txt": _txt, ".md": _markdown, ".markdown": _markdown, ".html": _html, ".htm": _html, ".json": _json,
}  # fmt: skip
FILE_KINDS = (*_READERS, ".jsonl", ".parquet")
_WITH_IDS = (".json", ".md", ".markdown")  # the id may stand inside, and that could not be read
