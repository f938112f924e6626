"""``python -m include.model_export.compare --model NAME``: export every variant of a model and print them side by side.

Speed is that of ONNX Runtime on the CPU with one thread, on product names sorted and cut by tokens as the server cuts
them; the variants take turns, and the best of the rounds counts. Runs in the export environment.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

from include.catalog.models import load_catalogue
from include.errors import GateFailed, InputError
from include.model_export.contract import IDS, MASK
from include.model_export.export import export
from include.model_export.exported import ExportedModel, Feed
from include.model_export.manifest import MODEL, Manifest, Precision
from include.model_export.request import ExportRequest
from include.sources.generators import generate

VARIANTS: tuple[tuple[Precision, bool], ...] = (
    ("fp32", False),
    ("fp32", True),
    ("fp16", False),
    ("fp16", True),
    ("int8", False),
)
NAMES = 512
TOKENS = 512  # padded, of one run
ROUNDS = 5


def main(arguments: list[str]) -> int:
    """Print a table in Markdown; a variant that is refused says why."""
    parser = argparse.ArgumentParser(prog="python -m include.model_export.compare", description="Compare variants.")
    parser.add_argument("--model", default="minilm", help="name in the shipped catalogue")
    options = parser.parse_args(arguments)
    spec = load_catalogue()[options.model]
    with tempfile.TemporaryDirectory() as root:
        requests, refused = [], []
        for precision, fuse in VARIANTS:
            request = ExportRequest(spec, Path(root), precision, fuse)
            try:
                requests.append((request, export(request)))
            except (GateFailed, InputError) as error:
                refused.append(f"{request.variant}: {error}")
        table = [_row(request, manifest) for request, manifest in requests]
        speeds = _texts_per_second([(request, manifest) for request, manifest in requests])
    lines = [
        "| variant | MB | texts/s | min cosine | mean cosine | top-10 overlap | fused |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [row.format(speed=f"{speed:,.0f}") for row, speed in zip(table, speeds, strict=True)]
    sys.stdout.write("\n".join([*lines, *refused]) + "\n")
    return 0


def _row(request: ExportRequest, manifest: Manifest) -> str:
    size = sum(path.stat().st_size for path in request.folder.glob(f"{MODEL}*")) / 1e6
    gate, fused = manifest.gate, ", ".join(f"{number} {name}" for name, number in manifest.fused.items())
    overlap = "" if gate.top10_overlap is None else f"{gate.top10_overlap:.3f}"
    return (
        f"| {request.variant} | {size:.1f} | {{speed}} | {gate.min_cosine:.6f} | {gate.mean_cosine:.6f} | {overlap} "
        f"| {fused} |"
    )


def _texts_per_second(exports: list[tuple[ExportRequest, Manifest]]) -> list[float]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    models = [
        ExportedModel(request.folder, request.spec, pad_token_id=manifest.pad_token_id, preprocess=None)
        for request, manifest in exports
    ]
    for model, (request, _) in zip(models, exports, strict=True):
        model.session = onnxruntime.InferenceSession(str(request.folder / MODEL), options)
    feeds = _feeds(models[0])
    seconds = [[_seconds(model, feeds) for model in models] for _ in range(ROUNDS)]
    return [NAMES / best for best in np.min(seconds, axis=0)]


def _feeds(model: ExportedModel) -> list[Feed]:
    names = list(generate("products", NAMES, language="en"))
    lengths = model.feed(names)[MASK].sum(1)
    order = [names[row] for row in np.argsort(lengths, kind="stable")]
    feeds, start = [], 0
    while start < len(order):
        width = int(model.feed(order[start : start + 64])[IDS].shape[1])
        end = start + max(1, TOKENS // width)
        feeds.append(model.feed(order[start:end]))
        start = end
    return feeds


def _seconds(model: ExportedModel, feeds: list[Feed]) -> float:
    began = time.perf_counter()
    for feed in feeds:
        model.run(feed)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
