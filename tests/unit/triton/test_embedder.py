from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from include.catalog.fingerprint import vector_fingerprint
from include.catalog.models import Role, get_model
from include.triton.client import ServedModel, TritonClient, Vectors
from include.triton.embedder import Embedder


class Recorder(TritonClient):
    """Notes what it is asked to embed; serves a model of the catalogue's dimension."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str], str | None]] = []

    def served(self, model: str, *, fingerprint: str | None = None) -> ServedModel:
        return ServedModel(model, 1, "f" * 64, 768, 8192, "fp32", "onnxruntime", 256)

    def embed(self, model: str, items: Sequence[str], *, fingerprint: str | None = None, **_: object) -> Vectors:
        self.asked.append((model, list(items), fingerprint))
        return np.zeros((len(items), 768), np.float32)


@pytest.mark.parametrize(
    ("role", "sent"), [("query", "検索クエリ: 登山"), ("document", "検索文書: 登山"), ("semantic", "登山")]
)
def test_the_prefix_of_the_role_goes_before_the_text_and_into_the_fingerprint(role: Role, sent: str) -> None:
    client = Recorder()
    embedder = Embedder(client, get_model("ruri_v3"))

    embedder.embed(["登山"], role)

    assert client.asked == [("ruri_v3", [sent], "f" * 64)]
    assert embedder.vector_fingerprint(role) == vector_fingerprint("f" * 64, sent.removesuffix("登山"))
