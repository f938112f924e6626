"""Sounds and images as a model's input; that they equal transformers' is shown in tests/integration/model_export."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from include.model_export.preprocess import input_features, pixel_values

SETTINGS = {"max_samples": 4800, "n_fft": 256, "hop": 120}
IMAGES = {"shortest_edge": 16, "crop": [16, 24], "resample": 0, "scale": 1 / 255, "mean": [0, 0, 0], "std": [1, 1, 1]}
FILTERS = np.ones((129, 4)) / 129
RANDOM = np.random.default_rng(0)


def noise(samples: int) -> np.ndarray:
    return RANDOM.normal(0, 0.1, samples).astype(np.float32)


def test_a_sound_of_any_length_has_the_same_shape() -> None:
    for samples in (1, 300, 4800, 10_000):
        features = input_features(noise(samples), SETTINGS, FILTERS)
        assert (features.shape, features.dtype) == ((1, 41, 4), np.float32)


def test_a_short_sound_is_repeated_whole_then_padded_with_silence() -> None:
    short = noise(2000)
    twice = np.concatenate([short, short, np.zeros(800, np.float32)])

    assert np.array_equal(input_features(short, SETTINGS, FILTERS), input_features(twice, SETTINGS, FILTERS))


def test_of_a_long_sound_the_beginning_counts() -> None:
    long = noise(9000)

    assert np.array_equal(input_features(long, SETTINGS, FILTERS), input_features(long[:4800], SETTINGS, FILTERS))


def test_silence_is_the_least_that_has_a_logarithm() -> None:
    assert (input_features(np.zeros(100, np.float32), SETTINGS, FILTERS) == -100.0).all()  # dB


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (np.zeros(0, np.float32), "at least one"),
        (np.zeros((2, 100), np.float32), r"not of shape \(2, 100\)"),
        (np.array([0.1, np.nan], np.float32), "not finite"),
        (np.array([0.1, np.inf], np.float32), "not finite"),
    ],
)
def test_what_is_no_sound_is_refused_in_words(samples: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        input_features(samples, SETTINGS, FILTERS)


def test_an_image_is_read_upright() -> None:
    tall = Image.effect_noise((24, 48), 80).convert("RGB")
    assert np.array_equal(pixel_values(png(tall), IMAGES), pixel_values(png(lying(tall), turned=True), IMAGES))
    assert not np.array_equal(pixel_values(png(tall), IMAGES), pixel_values(png(lying(tall)), IMAGES))


def lying(picture: Image.Image) -> Image.Image:
    """As a camera stores it that is held upright."""
    return picture.transpose(Image.Transpose.ROTATE_90)


def png(picture: Image.Image, *, turned: bool = False) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    if turned:
        exif[0x0112] = 6  # to be shown a quarter turn clockwise
    picture.save(buffer, "PNG", exif=exif)
    return buffer.getvalue()
