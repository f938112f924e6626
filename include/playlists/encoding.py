"""Ids as the bytes that a key of the cache holds, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from include.errors import ContractError, InputError
from include.playlists.parameters import Encoding

Ids = NDArray[np.int64]
BYTES: dict[str, np.dtype[Any]] = {"int32": np.dtype("<i4"), "int64": np.dtype("<i8")}  # little-endian on every machine


def encoded(key: str, ids: Ids, encoding: Encoding) -> bytes:
    """``ids`` [N] as the value of ``key``: 4 or 8 bytes each, or a JSON list.

    Raises:
        InputError: an id is too large for the encoding.
    """
    if encoding == "json":
        return orjson.dumps(ids.tolist())
    kind = BYTES[encoding]
    if len(ids) and int(ids.max()) > np.iinfo(kind).max:
        msg = (
            f"{key}: id {int(ids.max())} does not fit into {encoding}, whose greatest is {np.iinfo(kind).max}. Choose "
            "encoding int64 (EMBSEARCH_PLAYLIST_ENCODING=int64), and tell those who read the bytes themselves."
        )
        raise InputError(msg)
    return ids.astype(kind).tobytes()


def decoded(key: str, value: bytes, encoding: str) -> Ids:
    """The inverse of :func:`encoded`.

    Raises:
        ContractError: the value is not in this encoding.
    """
    try:
        if encoding == "json":
            return _from_json(value)
        return np.frombuffer(value, BYTES[encoding]).astype(np.int64)
    except (KeyError, ValueError, OverflowError) as error:
        msg = (
            f"{key} does not hold ids as {encoding} ({error}): somebody else wrote it. "
            "Run playlist_cache, which writes it anew."
        )
        raise ContractError(msg) from error


def _from_json(value: bytes) -> Ids:
    ids = orjson.loads(value)
    if not isinstance(ids, list) or any(type(number) is not int for number in ids):
        msg = "it is no list of whole numbers"
        raise ValueError(msg)
    return np.asarray(ids, dtype=np.int64)
