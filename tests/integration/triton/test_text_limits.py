"""Texts that are too many, too long or no texts: right answers or clear errors, and the server lives on."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
from tritonclient import http

from include.errors import InputError
from include.triton.client import TritonClient
from tests.integration.triton.raw_requests import assert_refused, column, infer
from tests.integration.triton.small_served import SmallModels

GOOD = {"TEXT": column(b"tent")}


def test_ten_thousand_texts_come_back_in_their_order(small: SmallModels, client: TritonClient) -> None:
    model = small.serve("e5")
    texts = [f"tent {number} {'blue ' * (number % 11)}" for number in range(10_000)]

    vectors = client.embed(model, texts)

    assert vectors.shape == (10_000, 48)
    rows = [0, 1, 255, 256, 4_999, 9_999]
    np.testing.assert_allclose(vectors[rows], client.embed(model, [texts[row] for row in rows]), atol=1e-5)


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("batch-size must be <= 256", column(*[b"tent"] * 257)),
        ("TEXT 1 is not UTF-8", column(b"tent", b"\xff\xfe")),
        ("TEXT 0 has 1,000,001 bytes, at most 1,000,000 are taken", column(b"x" * 1_000_001)),
        ("data-type is 'FP32', but .* expects 'BYTES'", np.zeros((1, 1), np.float32)),
        (r"unexpected shape for input 'TEXT'.*got \[1,2\]", np.full((1, 2), b"tent", dtype=object)),
        (r"unexpected shape for input 'TEXT'.*got \[2\]", np.full(2, b"tent", dtype=object)),
    ],
    ids=["too many", "not UTF-8", "too long", "no bytes", "two columns", "no batch"],
)
def test_what_is_no_text_is_refused_and_the_server_lives_on(
    small: SmallModels, connection: http.InferenceServerClient, reason: str, values: np.ndarray
) -> None:
    assert_refused(connection, small.serve("e5"), reason, then=GOOD, TEXT=values)


def test_an_input_that_the_model_does_not_have_is_refused(
    small: SmallModels, connection: http.InferenceServerClient
) -> None:
    assert_refused(connection, small.serve("e5"), "unexpected .*'IMAGE'", then=GOOD, IMAGE=column(b"tent"))


def test_no_text_is_an_empty_text_and_a_long_one_is_cut(
    small: SmallModels, connection: http.InferenceServerClient
) -> None:
    model = small.serve("e5")

    vectors = infer(connection, model, TEXT=column(b"", b"\xe3\x83\x86" * 300_000, "テ".encode() * 5_000))["EMBEDDING"]

    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(vectors[1], vectors[2], atol=1e-5)


def test_a_model_takes_only_items_of_its_kind(small: SmallModels, client: TritonClient) -> None:
    with pytest.raises(InputError, match="Item 1 is not a text, but bytes"):
        client.embed(small.serve("e5"), ["tent", b"tent"])


def test_a_long_text_is_embedded_whole_and_its_memory_given_back(small: SmallModels, client: TritonClient) -> None:
    model = small.serve("ruri")
    text = "お茶 " * 2_000  # 4,002 tokens
    client.embed(model, ["tent"])
    before = memory(model)

    long, cut_early = client.embed(model, [text, text[:3_000]])

    assert abs(np.linalg.norm(long) - 1) < 1e-3
    assert np.abs(long - cut_early).max() > 1e-4
    assert memory(model) - before < 300e6  # attention alone takes 256 MB a tensor, of which there are some


def memory(model: str) -> int:
    """Resident bytes of the processes that serve ``model``."""
    stubs = [process for process in psutil.process_iter() if f"/{model}/1/model.py" in " ".join(command(process))]
    assert stubs
    return sum(process.memory_info().rss for process in stubs)


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
