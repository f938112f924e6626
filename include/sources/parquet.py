"""Texts from a Parquet file, a batch at a time, columns chosen by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from include.errors import InputError
from include.sources.rows import Row, Unusable, as_row

BATCH_ROWS = 8192
USUAL_ID = "keyword_id"
MAX_ID = 2**31 - 1  # what an `integer` field of Elasticsearch holds


def read_parquet(path: Path, *, text_column: str, id_column: str | None) -> Iterator[Row | Unusable]:
    """Texts of ``text_column``, with numbers from ``id_column``.

    An empty ``id_column`` means ``keyword_id`` where there is one; without any, the row's position is its number.

    Raises:
        InputError: not Parquet, or a column or an id is not usable; the message lists what is there.
    """
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        msg = f"{path} is not a readable Parquet file: {error}"
        raise InputError(msg) from error
    with file:
        schema = file.schema_arrow
        _check_column(path, schema, text_column, "text")
        if id_column == "":
            id_column = USUAL_ID if USUAL_ID in schema.names else None
        if id_column:
            _check_column(path, schema, id_column, "integer")
        yield from _rows(path, file, text_column, id_column)


def _rows(path: Path, file: pq.ParquetFile, text_column: str, id_column: str | None) -> Iterator[Row | Unusable]:
    position = 0
    for batch in file.iter_batches(BATCH_ROWS, columns=[text_column, *([id_column] if id_column else [])]):
        # As bytes, because a writer can have put anything into a string column.
        texts = _plain(batch.column(text_column)).cast(pa.large_binary()).to_pylist()
        numbers = batch.column(id_column).to_pylist() if id_column else range(position, position + len(texts))
        for number, text in zip(numbers, texts, strict=True):
            if number is None or not 0 <= number <= MAX_ID:
                msg = f"{path}: row {position} has no usable {id_column!r} ({number}). Ids go from 0 to {MAX_ID}."
                raise InputError(msg)
            yield as_row(number, text or b"")
            position += 1


def _plain(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _check_column(path: Path, schema: pa.Schema, name: str, wanted: str) -> None:
    there = ", ".join(f"{field.name} ({field.type})" for field in schema)
    if name not in schema.names:
        msg = f"{path} has no column {name!r}. It has: {there}. Name the column to read, or rename it."
        raise InputError(msg)
    held = schema.field(name).type
    kind = held.value_type if pa.types.is_dictionary(held) else held
    texts = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (texts if wanted == "text" else pa.types.is_integer(kind)):
        msg = f"{path}: column {name!r} holds {held}, but {wanted} is needed. It has: {there}."
        raise InputError(msg)
