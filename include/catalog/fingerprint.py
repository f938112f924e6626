"""What must be equal for two vectors to be comparable, as one hash."""

from __future__ import annotations

import hashlib
import json


def model_fingerprint(
    *,
    model_sha256: str,
    tokenizer_sha256: str,
    preprocess_sha256: str,
    kind: str,
    max_length: int,
    pooling: str,
    normalize: bool,
    precision: str,
) -> str:
    """Hex SHA-256 over all that decides an input's vector. Different fingerprints never share a collection.

    A hash is empty where a model has no such part: images have no tokenizer, texts no preprocessing.
    """
    return _digest(
        {
            "model": model_sha256,
            "tokenizer": tokenizer_sha256,
            "preprocess": preprocess_sha256,
            "kind": kind,
            "max_length": max_length,
            "pooling": pooling,
            "normalize": normalize,
            "precision": precision,
        }
    )


def vector_fingerprint(model: str, prefix: str) -> str:
    """Hex SHA-256 over the model and the prefix: the key under which a text's vector may be used again."""
    return _digest({"model": model, "prefix": prefix})


def _digest(value: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
