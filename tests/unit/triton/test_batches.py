from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from include.triton.batches import REQUEST_BYTES, REQUEST_TOKENS, cut
from include.triton.served import ServedModel
from include.triton.tensors import encode

TEXTS = ServedModel("ruri_v3", 1, "f" * 64, 768, 8192, "fp32", "onnxruntime", 256)
IMAGES = replace(TEXTS, kind="clip_image")
SOUNDS = replace(TEXTS, kind="clap_audio")


def test_every_row_is_in_one_request_of_at_most_the_wanted_size() -> None:
    texts = ["長い" * (number % 50) for number in range(1000)]

    parts = list(cut(texts, TEXTS, most=64))

    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert max(map(len, parts)) == 64


def test_texts_of_about_one_length_share_a_request_and_the_longest_come_first() -> None:
    texts = ["x" * (240 if number % 4 == 0 else 10) for number in range(256)]

    parts = list(cut(texts, TEXTS, most=64))

    assert [{len(texts[row]) for row in rows} for rows in parts] == [{240}, {10}, {10}, {10}]


def test_a_request_is_a_few_seconds_of_work_but_for_one_giant_alone() -> None:
    texts = ["x" * 1_000_000, *["y" * 8_000] * 5, *["漢" * 600] * 20, *["z" * 20] * 100]

    parts = list(cut(texts, TEXTS, most=64))

    sizes = [(len(rows), len(texts[rows[0]])) for rows in parts]
    assert sizes == [(1, 1_000_000), *[(2, 8_000)] * 3, *[(10, 600)] * 2, (64, 20), (35, 20)]
    assert all(count * longest / 4 <= REQUEST_TOKENS for count, longest in sizes[1:4])


def test_what_the_model_does_not_read_is_not_counted() -> None:
    short = replace(TEXTS, max_length=128)
    assert [len(rows) for rows in cut(["x" * 100_000] * 64, short, most=64)] == [32, 32]


def test_a_gpu_gets_larger_requests() -> None:
    packed = replace(TEXTS, runtime="packed", max_batch_size=1024)
    assert [len(rows) for rows in cut(["贅沢 登山リュック M"] * 1024, packed, most=1024)] == [1024]


def test_no_items_are_no_request_and_empty_texts_are_some() -> None:
    assert list(cut([], TEXTS, most=64)) == []
    assert [len(rows) for rows in cut([""] * 70, TEXTS, most=64)] == [64, 6]


def test_images_and_sounds_are_cut_by_their_bytes() -> None:
    images = [b"i" * (6 << 20)] * 5
    sounds = [np.zeros(480_000, np.float32)] * 40

    assert [len(rows) for rows in cut(images, IMAGES, most=64)] == [2, 2, 1]
    assert [len(rows) for rows in cut(sounds, SOUNDS, most=64)] == [17, 17, 6]
    assert encode("audio", sounds[:17])["AUDIO"].nbytes <= REQUEST_BYTES["audio"]


@pytest.mark.parametrize("wrong", [3, None])
def test_an_item_of_a_wrong_type_is_left_to_the_encoder_which_names_it(wrong: object) -> None:
    assert [rows.tolist() for rows in cut(["a", wrong], TEXTS, most=64)] == [[0, 1]]
