"""The id of a document that is identified by a name."""

from __future__ import annotations

import hashlib

MAX_ID_BYTES = 512  # Elasticsearch's limit; one longer id makes it refuse a whole bulk request


def document_id(name: str) -> str:
    """``name`` itself when its UTF-8 has 1–512 bytes, else ``h:`` and the hex SHA-256 of its UTF-8.

    The rule never changes: ids decide which document a later run replaces, and users get documents by id. So that this
    never fails, a text that is no valid Unicode (a lone surrogate) is hashed too, with its surrogates as three bytes.
    """
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError:
        return _hashed(name.encode("utf-8", "surrogatepass"))
    return name if 0 < len(encoded) <= MAX_ID_BYTES else _hashed(encoded)


def _hashed(encoded: bytes) -> str:
    return "h:" + hashlib.sha256(encoded).hexdigest()
