"""A checkpoint's own preprocessing of images or sounds, read into the plain values of the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoConfig, AutoFeatureExtractor, AutoImageProcessor

from include.catalog.models import ModelSpec
from include.errors import InputError
from include.model_export.manifest import MEL_FILTERS, AudioPreprocess, ImagePreprocess, Preprocess


def write_preprocess(spec: ModelSpec, source: Path, target: Path) -> Preprocess | None:
    """Read the preprocessing of ``source``; its mel filters are written into ``target``. ``None`` for texts.

    Raises:
        InputError: it is one that the plain values cannot say.
    """
    if spec.medium == "image":
        return _image(spec, load_image_processor(source))
    if spec.medium == "audio":
        return _audio(spec, source, target)
    return None


def load_image_processor(source: Path) -> Any:
    """Transformers' processor, the one that works with Pillow."""
    return AutoImageProcessor.from_pretrained(str(source), use_fast=False)


def load_feature_extractor(source: Path) -> Any:
    """Transformers' processor of sounds."""
    return AutoFeatureExtractor.from_pretrained(str(source))


def _image(spec: ModelSpec, processor: Any) -> ImagePreprocess:
    steps = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")
    missing = [step for step in steps if getattr(processor, step, False) is not True]
    edge, crop = processor.size.get("shortest_edge"), getattr(processor, "crop_size", {})
    if missing or edge is None or edge < max(crop["height"], crop["width"]):
        detail = f"missing steps {missing}, size {processor.size}, crop {crop}"
        msg = f"Model {spec.name}: images of this checkpoint are prepared in a way that is not supported: {detail}."
        raise InputError(msg)
    return ImagePreprocess(
        shortest_edge=edge,
        resample=int(processor.resample),
        crop=(crop["height"], crop["width"]),
        scale=processor.rescale_factor,
        mean=tuple(processor.image_mean),
        std=tuple(processor.image_std),
    )


def _audio(spec: ModelSpec, source: Path, target: Path) -> AudioPreprocess:
    extractor = load_feature_extractor(source)
    fused = AutoConfig.from_pretrained(str(source)).audio_config.enable_fusion
    if fused or (extractor.truncation, extractor.padding) != ("rand_trunc", "repeatpad"):
        msg = (
            f"Model {spec.name}: only unfused CLAP checkpoints are supported, whose sounds are one crop; this one has "
            f"fusion {fused}, truncation {extractor.truncation!r}, padding {extractor.padding!r}."
        )
        raise InputError(msg)
    filters = np.asarray(extractor.mel_filters_slaney, np.float64)
    np.save(target / MEL_FILTERS, filters)
    return AudioPreprocess(
        sample_rate=extractor.sampling_rate,
        max_samples=extractor.nb_max_samples,
        n_fft=extractor.fft_window_size,
        hop=extractor.hop_length,
        mels=filters.shape[1],
    )
