from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from include.catalog.models import Medium
from include.errors import InputError
from include.triton.tensors import encode, inputs_of, outputs_of, sparse_rows


def test_every_kind_has_its_inputs_and_outputs() -> None:
    assert [tensor.name for tensor in inputs_of("clip_text")] == ["TEXT"]
    assert [tensor.name for tensor in inputs_of("clip_image")] == ["IMAGE"]
    assert [(tensor.name, tensor.optional) for tensor in inputs_of("clap_audio")] == [
        ("AUDIO", False),
        ("LENGTH", True),
    ]
    assert [tensor.name for tensor in outputs_of("text", 8)] == ["EMBEDDING"]
    assert [tensor.name for tensor in outputs_of("text_sparse", 8)] == [
        "EMBEDDING",
        "SPARSE_INDICES",
        "SPARSE_WEIGHTS",
    ]


def test_texts_keep_every_byte_that_utf_8_can_hold() -> None:
    column = encode("text", ["", "nul\x00", "お茶", "\ud800"])["TEXT"]

    assert column.shape == (4, 1)
    assert column[:, 0].tolist() == [b"", b"nul\x00", "お茶".encode(), b"?"]


def test_sounds_are_padded_and_their_lengths_told() -> None:
    inputs = encode("audio", [np.ones(2, np.float64), np.full(3, 2, np.float32)])

    assert inputs["AUDIO"].dtype == np.float32
    assert inputs["AUDIO"].tolist() == [[1, 1, 0], [2, 2, 2]]
    assert inputs["LENGTH"].tolist() == [[2], [3]]


@pytest.mark.parametrize(
    ("medium", "items", "reason"),
    [
        ("text", ["a", b"b"], "Item 1 is not a text, but bytes"),
        ("text", [None], "Item 0 is not a text, but NoneType"),
        ("image", ["a.png"], "Item 0 is not an encoded image, as bytes, but str"),
        ("audio", [np.ones(3, np.int16)], r"Item 0 is not one row of float samples, at least one, but int16 \[3\]"),
        ("audio", [np.ones(1, np.float32), np.ones((2, 2), np.float32)], r"Item 1 .* float32 \[2, 2\]"),
        ("audio", [np.ones(0, np.float32)], r"Item 0 .* float32 \[0\]"),
    ],
)
def test_an_item_of_another_medium_is_refused_by_its_number(medium: Medium, items: list[Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        encode(medium, items)


def test_padding_is_no_token() -> None:
    indices = np.array([[5, 9], [7, -1], [-1, -1]], np.int32)
    weights = np.array([[0.5, 0.25], [1.0, 0.0], [0.0, 0.0]], np.float32)

    assert sparse_rows(indices, weights) == [{5: 0.5, 9: 0.25}, {7: 1.0}, {}]
