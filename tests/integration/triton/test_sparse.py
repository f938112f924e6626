"""Lexical weights beside the vector, as BGE-M3 gives them."""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient import http

from include.triton.client import TritonClient
from tests.integration.triton.raw_requests import column, infer, tensors
from tests.integration.triton.small_served import SmallModels


def test_weights_and_vectors_are_those_of_the_source_model(small: SmallModels, client: TritonClient) -> None:
    reference = small.manifest("bge_m3").reference

    found = client.embed_sparse(small.serve("bge_m3"), reference.texts)

    np.testing.assert_allclose(found.vectors, np.array(reference.vectors), atol=1e-5)
    assert len(found.weights) == len(reference.texts)
    for mine, wanted in zip(found.weights, reference.weights, strict=True):
        assert mine.keys() == wanted.keys()
        assert list(mine.values()) == pytest.approx([wanted[token] for token in mine], rel=1e-3, abs=1e-5)


def test_rows_are_padded_to_the_longest_of_the_answer(
    small: SmallModels, connection: http.InferenceServerClient
) -> None:
    model = small.serve("bge_m3")
    reference = small.manifest("bge_m3").reference
    longest = max(range(len(reference.texts)), key=lambda row: len(reference.weights[row]))
    texts = [b"", reference.texts[longest].encode(), reference.texts[longest - 1].encode()]

    found = infer(connection, model, TEXT=column(*texts))
    alone = infer(connection, model, TEXT=column(b""))

    indices, weights = found["SPARSE_INDICES"], found["SPARSE_WEIGHTS"]
    assert (indices.dtype, weights.dtype) == (np.int32, np.float32)
    assert indices.shape == weights.shape
    assert indices.shape[1] == (indices >= 0).sum(1).max() == len(reference.weights[longest]) > 1
    assert ((indices == -1) == (weights == 0)).all()
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in indices)
    assert alone["SPARSE_INDICES"].tolist() == [[-1]]
    assert alone["SPARSE_WEIGHTS"].tolist() == [[0.0]]


def test_a_text_has_the_same_weights_whatever_stands_beside_it(small: SmallModels, client: TritonClient) -> None:
    model = small.serve("bge_m3")
    texts = [f"tent {'blue waterproof ' * (number % 9)}{number}" for number in range(300)]

    together = client.embed_sparse(model, texts).weights

    for row in (0, 8, 299):
        alone = client.embed_sparse(model, [texts[row]]).weights[0]
        assert together[row] == pytest.approx(alone, rel=1e-4)


def test_who_wants_vectors_alone_gets_them(small: SmallModels, client: TritonClient) -> None:
    assert client.embed(small.serve("bge_m3"), ["tent"]).shape == (1, 48)
    assert client.embed_sparse(small.serve("e5"), ["tent"]).weights == [{}]


def test_requests_that_the_server_joins_are_padded_each_for_itself(small: SmallModels) -> None:
    model, reference = small.serve("bge_m3"), small.manifest("bge_m3").reference
    longest = max(range(len(reference.texts)), key=lambda row: len(reference.weights[row]))
    texts = ["", reference.texts[longest]] * 16
    url = small.server.settings.kserve_url.removeprefix("http://")
    connection = http.InferenceServerClient(url, concurrency=33)
    try:
        # Long enough for the others to wait, and so to be joined.
        busy = connection.async_infer(model, tensors(TEXT=column(*[b"tent " * 600] * 256)))
        sent = [connection.async_infer(model, tensors(TEXT=column(text.encode()))) for text in texts]
        busy.get_result()
        rows = [request.get_result().as_numpy("SPARSE_INDICES") for request in sent]
    finally:
        connection.close()

    assert [row.shape for row in rows[::2]] == [(1, 1)] * 16
    assert [row.shape for row in rows[1::2]] == [(1, len(reference.weights[longest]))] * 16
