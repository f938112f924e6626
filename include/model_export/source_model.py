"""The source model as its authors run it, freshly loaded: what an export must equal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from transformers import AutoTokenizer, ClapModel, CLIPModel

from include.catalog.models import ModelSpec
from include.model_export.items import Encoded, Encoder, Item, Vectors
from include.model_export.manifest import AudioPreprocess, Preprocess
from include.model_export.picture_reference import picture_vector, read_shape
from include.model_export.processor import load_feature_extractor, load_image_processor

BATCH = 16


def load_source(spec: ModelSpec, folder: Path, preprocess: Preprocess | None) -> Encoder:
    """The source model of ``spec``, in float32, with its own tokenizer or processor."""
    if spec.kind in ("text", "text_sparse"):
        return _sentence_encoder(spec, folder)
    if spec.kind == "image_features":
        return _picture_features(folder)
    model = (CLIPModel if spec.kind.startswith("clip_") else ClapModel).from_pretrained(str(folder)).eval()
    inputs = _joint_inputs(spec, folder, preprocess)
    features = {
        "text": model.get_text_features,
        "image": getattr(model, "get_image_features", None),
        "audio": getattr(model, "get_audio_features", None),
    }[spec.medium]

    def embed(items: Sequence[Item]) -> Encoded:
        with torch.inference_mode():
            vectors = features(**inputs(items))
        return Encoded(_of_length_one(vectors.numpy()) if spec.normalize else vectors.numpy())

    return embed


def _picture_features(folder: Path) -> Encoder:
    """The definition in numpy, on pictures as the folder's own processor prepares them."""
    shape, inputs = read_shape(folder), _image_inputs(folder)

    def embed(items: Sequence[Item]) -> Encoded:
        pictures = inputs(items)["pixel_values"].numpy()
        return Encoded(np.stack([picture_vector(picture, shape) for picture in pictures]).astype(np.float32))

    return embed


def _image_inputs(folder: Path) -> Any:
    import io  # noqa: PLC0415

    processor = load_image_processor(folder)
    return lambda items: processor(
        images=[Image.open(io.BytesIO(cast(bytes, item))) for item in items], return_tensors="pt"
    )


def _of_length_one(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _joint_inputs(spec: ModelSpec, folder: Path, preprocess: Preprocess | None) -> Any:
    if isinstance(preprocess, AudioPreprocess):
        extractor, rate = load_feature_extractor(folder), preprocess.sample_rate
        longest = preprocess.max_samples  # beyond it the extractor would take a random part

        def of_sounds(items: Sequence[Item]) -> Any:
            waves = [cast(NDArray[np.float32], item)[:longest] for item in items]
            return extractor(waves, sampling_rate=rate, return_tensors="pt")

        return of_sounds
    if preprocess is not None:
        return _image_inputs(folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=True)
    return lambda items: tokenizer(
        list(items), padding=True, truncation=True, max_length=spec.max_length, return_tensors="pt"
    )


def _sentence_encoder(spec: ModelSpec, folder: Path) -> Encoder:
    """By the folder's own modules, else its encoder with the catalogue's pooling."""
    if (folder / "modules.json").is_file():
        model = SentenceTransformer(str(folder), device="cpu")
    else:
        transformer = Transformer(str(folder))
        pooling = Pooling(transformer.get_word_embedding_dimension(), pooling_mode=spec.pooling)
        model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    model.max_seq_length = spec.max_length
    lexical = _lexical_weights(spec, folder, model) if spec.kind == "text_sparse" else None

    def embed(items: Sequence[Item]) -> Encoded:
        vectors = model.encode(
            list(items), batch_size=BATCH, normalize_embeddings=spec.normalize, show_progress_bar=False
        )
        return Encoded(np.asarray(vectors, np.float32), lexical(items) if lexical else ())

    return embed


def _lexical_weights(spec: ModelSpec, folder: Path, model: SentenceTransformer) -> Any:
    """BGE-M3's own rule: a linear layer on each token's vector, special tokens left out, the largest of each id.

    Written out here as FlagEmbedding has it, and not the exporter's: it is what that is judged by.
    """
    layer = torch.load(folder / "sparse_linear.pt", map_location="cpu", weights_only=True)
    named = ("cls_token", "eos_token", "pad_token", "unk_token")
    unused = {getattr(model.tokenizer, f"{name}_id") for name in named}

    def of_text(item: Item) -> dict[int, float]:
        features = model.tokenizer(item, truncation=True, max_length=spec.max_length, return_tensors="pt")
        with torch.inference_mode():
            tokens = model[0].auto_model(**features).last_hidden_state[0]
            found = torch.relu(tokens @ layer["weight"].float().T + layer["bias"].float()).squeeze(-1)
        best: dict[int, float] = {}
        for token, weight in zip(features["input_ids"][0].tolist(), found.tolist(), strict=True):
            if token not in unused and weight > best.get(token, 0.0):
                best[token] = weight
        return best

    return lambda items: tuple(map(of_text, items))
