"""The exported folder run by ONNX Runtime as a server runs it: its own tokenizer or preprocessing, then the graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from include.catalog.models import ModelSpec
from include.model_export.contract import CONTRACTS, IDS, MASK, MEL, PIXELS, VECTOR, WEIGHTS
from include.model_export.items import Encoded, Item, Vectors, largest_weights
from include.model_export.manifest import MEL_FILTERS, MODEL, TOKENIZER, AudioPreprocess, ImagePreprocess, Preprocess
from include.model_export.preprocess import input_features, pixel_values

Feed = dict[str, NDArray[Any]]


class ExportedModel:
    """Items to vectors, and to lexical weights where the graph has them."""

    def __init__(self, folder: Path, spec: ModelSpec, *, pad_token_id: int, preprocess: Preprocess | None) -> None:
        self.session = onnxruntime.InferenceSession(str(folder / MODEL), providers=["CPUExecutionProvider"])
        self.size = sum(path.stat().st_size for path in folder.glob(f"{MODEL}*"))  # bytes of graph and weights
        self.outputs = [tensor.name for tensor in CONTRACTS[spec.kind].outputs]
        self.preprocess = preprocess
        if preprocess is None:
            self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            self.tokenizer.enable_truncation(spec.max_length)
            self.tokenizer.enable_padding(pad_id=pad_token_id)
        elif isinstance(preprocess, AudioPreprocess):
            self.filters = np.load(folder / MEL_FILTERS)

    def __call__(self, items: Sequence[Item]) -> Encoded:
        """All items as one batch, texts padded to the longest."""
        feed = self.feed(items)
        outputs = self.run(feed)
        weights = largest_weights(feed[IDS], outputs[WEIGHTS]) if WEIGHTS in outputs else ()
        return Encoded(outputs[VECTOR], weights)

    def run(self, feed: Feed) -> dict[str, Vectors]:
        """The graph on its inputs."""
        return dict(zip(self.outputs, self.session.run(self.outputs, feed), strict=True))

    def feed(self, items: Sequence[Item]) -> Feed:
        """The graph's inputs for ``items``."""
        if isinstance(self.preprocess, ImagePreprocess):
            settings = self.preprocess.model_dump()
            return {PIXELS: np.stack([pixel_values(cast(bytes, item), settings) for item in items])}
        if isinstance(self.preprocess, AudioPreprocess):
            settings = self.preprocess.model_dump()
            sounds = [input_features(cast(NDArray[Any], item), settings, self.filters) for item in items]
            return {MEL: np.stack(sounds)}
        encodings = self.tokenizer.encode_batch(list(items))
        return {
            IDS: np.array([encoding.ids for encoding in encodings], np.int64),
            MASK: np.array([encoding.attention_mask for encoding in encodings], np.int64),
        }
