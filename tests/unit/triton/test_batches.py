from __future__ import annotations

import numpy as np
import pytest

from include.triton.batches import REQUEST_BYTES, cut
from include.triton.tensors import encode


def test_every_row_is_in_one_request_of_at_most_the_wanted_size() -> None:
    texts = ["長い" * (number % 50) for number in range(1000)]

    parts = list(cut(texts, "text", most=64))

    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert max(map(len, parts)) == 64
    assert len(parts) == 16


def test_texts_of_about_one_length_share_a_request_and_the_longest_come_first() -> None:
    texts = ["x" * (1000 if number % 4 == 0 else 10) for number in range(256)]

    parts = list(cut(texts, "text", most=64))

    assert [{len(texts[row]) for row in rows} for rows in parts] == [{1000}, {10}, {10}, {10}]


def test_a_padded_request_is_bounded_but_for_one_giant_alone() -> None:
    texts = ["x" * 1_000_000, *["y" * 30_000] * 20, *["z" * 20] * 100]

    parts = list(cut(texts, "text", most=64))

    sizes = [(len(rows), len(texts[rows[0]])) for rows in parts]
    assert sizes == [(1, 1_000_000), (8, 30_000), (8, 30_000), (8, 30_000), (64, 20), (32, 20)]
    assert all(count * longest <= REQUEST_BYTES["text"] for count, longest in sizes[1:])


def test_no_items_are_no_request_and_empty_texts_are_some() -> None:
    assert list(cut([], "text", most=64)) == []
    assert [len(rows) for rows in cut([""] * 70, "text", most=64)] == [64, 6]


def test_images_and_sounds_are_cut_by_their_bytes() -> None:
    images = [b"i" * (6 << 20)] * 5
    sounds = [np.zeros(480_000, np.float32)] * 40

    assert [len(rows) for rows in cut(images, "image", most=64)] == [2, 2, 1]
    assert [len(rows) for rows in cut(sounds, "audio", most=64)] == [17, 17, 6]
    assert encode("audio", sounds[:17])["AUDIO"].nbytes <= REQUEST_BYTES["audio"]


@pytest.mark.parametrize("wrong", [3, None])
def test_an_item_of_a_wrong_type_is_left_to_the_encoder_which_names_it(wrong: object) -> None:
    assert [rows.tolist() for rows in cut(["a", wrong], "text", most=64)] == [[0, 1]]
