"""Embedding over Triton against the same graph in ONNX Runtime in process, in turn, on the same texts."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from include.bench.figures import REPEATS, rate
from include.local_stack.environments import ensure
from include.model_export.manifest import TOKENIZER, Manifest
from include.settings import Settings
from include.sources.generators import generate
from include.triton.client import TritonClient

BATCH = 64  # of the baseline
SIZES = (64, 256)  # of the client
TEXTS = 2048
CLIENTS = 8  # requests under way at once, as many as the indexing of keywords has
TOKENS = range(5, 31)
SCRIPT = Path(__file__).with_name("onnx_in_process.py")


def embed_figures(settings: Settings, export: Path, *, count: int = TEXTS, repeats: int = REPEATS) -> dict[str, Any]:
    """Texts a second of the model exported in ``export``, which must be the served one.

    Returns ``{"texts", "mean_tokens", "runtime", "precision", "in_process": [...], "triton_64": [...], "triton_256":
    [...], "median": {...}, "ratio": {"triton_64": …, "triton_256": …}}``, all rates in texts/s.
    """
    manifest = Manifest.read(export)
    texts, mean_tokens = names(export, count)
    rates: dict[str, list[float]] = {"in_process": [], **{f"triton_{size}": [] for size in SIZES}}
    for _ in range(repeats):
        rates["in_process"].append(_in_process(settings, export, manifest.max_length, texts))
        for size in SIZES:
            rates[f"triton_{size}"].append(_over_triton(settings, manifest.name, texts, size))
    median = {name: round(statistics.median(values), 1) for name, values in rates.items()}
    with TritonClient(settings.kserve_url) as client:
        served = client.served(manifest.name)
    return {
        "texts": count,
        "mean_tokens": mean_tokens,
        "runtime": served.runtime,
        "precision": served.precision,
        **{name: [round(value, 1) for value in values] for name, values in rates.items()},
        "median": median,
        "ratio": {f"triton_{size}": round(median[f"triton_{size}"] / median["in_process"], 2) for size in SIZES},
    }


def names(export: Path, count: int) -> tuple[list[str], float]:
    """English product names of 5–30 tokens, one to four names long in turn, and their mean number of tokens."""
    tokenizer = Tokenizer.from_file(str(export / TOKENIZER))
    found: list[str] = []
    tokens = 0
    products = generate("products", 20 * count, language="en", seed=7)
    lengths = itertools.cycle((1, 2, 3, 4))
    while len(found) < count:
        text = " ".join(itertools.islice(products, next(lengths)))
        length = len(tokenizer.encode(text).ids)
        if length in TOKENS:
            found.append(text)
            tokens += length
    return found, round(tokens / count, 1)


def _over_triton(settings: Settings, model: str, texts: Sequence[str], size: int) -> float:
    with TritonClient(settings.kserve_url, batch_size=size, concurrency=CLIENTS) as client:
        client.embed(model, texts[:size])
        return rate(len(texts), lambda: client.embed(model, texts))


def _in_process(settings: Settings, export: Path, max_length: int, texts: Sequence[str]) -> float:
    answer = subprocess.run(
        [ensure(settings, "triton"), SCRIPT, export, str(max_length), str(BATCH)],
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        check=True,
    )
    return len(texts) / float(json.loads(answer.stdout)["seconds"])
