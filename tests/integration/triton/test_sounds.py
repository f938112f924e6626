"""Samples in, vectors out."""

from __future__ import annotations

import numpy as np
import pytest
from tritonclient import http

from include.catalog.models import ModelSpec
from include.errors import InputError
from include.triton.check import check_model, rows_of
from include.triton.client import TritonClient
from tests.integration.triton.raw_requests import assert_refused, infer
from tests.integration.triton.small_served import SmallModels

RATE = 48_000


def tone(seconds: float, pitch: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


GOOD = {"AUDIO": tone(0.5)[None]}


def test_vectors_are_those_of_the_source_model(small: SmallModels, client: TritonClient) -> None:
    reference = small.manifest("clap_audio").reference
    sounds = [np.load(small.export("clap_audio") / name) for name in reference.files]

    vectors = client.embed(small.serve("clap_audio"), sounds)

    assert vectors.shape == (len(sounds), 24)
    np.testing.assert_allclose(vectors, np.array(reference.vectors), atol=1e-4)


def test_sounds_of_other_lengths_share_a_request_and_do_not_disturb_each_other(
    small: SmallModels, client: TritonClient
) -> None:
    model = small.serve("clap_audio")
    sounds = [tone(0.2 + 0.3 * (number % 7), 110.0 * (1 + number % 5)) for number in range(40)]

    together = client.embed(model, sounds)

    for row in (0, 6, 39):
        np.testing.assert_allclose(together[row], client.embed(model, [sounds[row]])[0], atol=1e-5)


def test_silence_and_one_sample_have_vectors_too(small: SmallModels, client: TritonClient) -> None:
    model = small.serve("clap_audio")

    vectors = client.embed(model, [np.zeros(RATE, np.float32), np.zeros(1, np.float32), tone(0.001)])

    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-3
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


def test_only_the_first_ten_seconds_are_heard(small: SmallModels, client: TritonClient) -> None:
    sound = tone(12)
    other = sound.copy()
    other[10 * RATE :] = 0

    first, second = client.embed(small.serve("clap_audio"), [sound, other])

    np.testing.assert_array_equal(first, second)


def test_without_length_whole_rows_count(small: SmallModels, connection: http.InferenceServerClient) -> None:
    model = small.serve("clap_audio")
    padded = np.zeros((1, RATE), np.float32)
    padded[0, : RATE // 2] = tone(0.5)

    cut = infer(connection, model, AUDIO=padded, LENGTH=np.array([[RATE // 2]], np.int32))["EMBEDDING"]
    whole = infer(connection, model, AUDIO=padded)["EMBEDDING"]

    np.testing.assert_allclose(cut, infer(connection, model, **GOOD)["EMBEDDING"], atol=1e-5)
    assert np.abs(cut - whole).max() > 1e-4


@pytest.mark.parametrize(
    ("reason", "sound", "length"),
    [
        ("AUDIO 0: some samples are not finite", np.full(100, np.nan, np.float32), None),
        ("AUDIO 0: some samples are not finite", np.full(100, np.inf, np.float32), None),
        ("AUDIO 0: samples are far outside -1 to 1", np.full(100, 1e38, np.float32), None),
        ("AUDIO has rows of 2,880,001 samples, at most 2,880,000", np.zeros(60 * RATE + 1, np.float32), None),
        ("LENGTH 0 is not between 1 and the 100 samples", tone(1)[:100], 0),
        ("LENGTH 101 is not between 1 and the 100 samples", tone(1)[:100], 101),
        ("data-type is 'FP64'", np.zeros(100), None),
    ],
    ids=["not a number", "infinite", "far too loud", "too long", "no length", "longer than its row", "float64"],
)
def test_what_is_no_sound_is_refused_and_the_server_lives_on(
    small: SmallModels, connection: http.InferenceServerClient, reason: str, sound: np.ndarray, length: int | None
) -> None:
    inputs = {"AUDIO": sound[None]} | ({} if length is None else {"LENGTH": np.array([[length]], np.int32)})

    assert_refused(connection, small.serve("clap_audio"), reason, then=GOOD, **inputs)


@pytest.mark.parametrize("sound", [np.zeros(0, np.float32), np.zeros((2, 100), np.float32), np.zeros(9, np.int16)])
def test_a_client_that_sends_no_sounds_hears_of_it(small: SmallModels, client: TritonClient, sound: np.ndarray) -> None:
    with pytest.raises(InputError, match="Item 1 is not one row of float samples"):
        client.embed(small.serve("clap_audio"), [tone(0.1), sound])


def test_check_model_measures_sounds_too(small: SmallModels, client: TritonClient) -> None:
    spec = ModelSpec(name=small.serve("clap_audio"), source="./clap", dimension=24, kind="clap_audio")

    check = check_model(client, spec, rounds=2)

    assert (check.ready, check.dimension) == (True, 24)
    assert ("throughput", f"{check.texts_per_second:,.0f} sounds/s") in rows_of(check)
