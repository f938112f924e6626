"""Documents of a Parquet file, a batch at a time, columns chosen by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from include.errors import InputError
from include.fulltext.documents import Columns, Found, SetAside, document_of

BATCH_ROWS = 256
BATCH_BYTES = 64_000_000  # of the columns that are read; a row that is larger comes alone


def read_parquet_documents(path: Path, name: str, columns: Columns) -> Iterator[Found]:
    """One document a row; the columns of title and metadata need not be there.

    Raises:
        InputError: not Parquet, or the columns of id and text are not there; the message lists what is.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        msg = f"{path} is not a readable Parquet file: {error}"
        raise InputError(msg) from error
    with file:
        there = file.schema_arrow.names
        for wanted in (columns.id, columns.text):
            if wanted not in there:
                msg = f"{path} has no column {wanted!r}. It has: {', '.join(there)}. Name the column to read."
                raise InputError(msg)
        usual = {"id": columns.id, "title": columns.title, "text": columns.text, "metadata": columns.metadata}
        taken = {key: column for key, column in usual.items() if column in there}
        rows = (row for batch in _batches(file, list(dict.fromkeys(taken.values()))) for row in _rows(batch))
        for number, row in enumerate(rows):
            yield _document({key: row[column] for key, column in taken.items()}, f"{name}#{number}")


def _batches(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """No row is larger than all of its group, even where a value that repeats is stored once."""
    for group in range(file.num_row_groups):
        facts = file.metadata.row_group(group)
        parts = (facts.column(place) for place in range(facts.num_columns))
        size = sum(one.total_uncompressed_size for one in parts if one.path_in_schema.split(".")[0] in columns)
        rows = max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, size)))
        yield from file.iter_batches(rows, row_groups=[group], columns=columns)


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Rows whose texts may be anything: a writer can have put any bytes into a string column."""
    columns = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            columns[field.name] = column.cast(pa.large_binary()).to_pylist()
        else:
            columns[field.name] = column.to_pylist()
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _document(row: dict[str, Any], where: str) -> Found:
    try:
        plain = {key: value.decode("utf-8") if isinstance(value, bytes) else value for key, value in row.items()}
    except UnicodeDecodeError as error:
        detail = f"{where}: {error.reason} at byte {error.start} of a column"
        return SetAside(where, "not_utf8", detail, identified=False)
    metadata = plain.get("metadata")
    if isinstance(metadata, str):
        try:
            plain["metadata"] = json.loads(metadata) if metadata.strip() else {}
        except (ValueError, RecursionError) as error:
            return SetAside(str(plain["id"]), "bad_metadata", f"{where}: its metadata are no JSON: {error}")
    elif isinstance(metadata, list) and all(isinstance(pair, tuple) for pair in metadata):  # a map comes as pairs
        plain["metadata"] = dict(metadata)
    elif isinstance(metadata, dict):
        plain["metadata"] = {key: value for key, value in metadata.items() if value is not None}
    return document_of(plain, where=where)
