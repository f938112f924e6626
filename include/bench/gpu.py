"""A model served on a GPU, as its users meet it: latency and rate through the client, fill of the packed runs.

The goals are those of an H200-class card with ruri_v3; the clients are processes on the same machine.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from include.bench.figures import Figure
from include.catalog.models import get_model
from include.errors import InputError
from include.model_export.manifest import TOKENIZER, Manifest
from include.settings import PROJECT_ROOT, Settings
from include.sources.generators import Language, generate
from include.triton.client import TritonClient

NAMES = 8_192
SECONDS = 5.0  # of each row
P50_MS = 5.0  # 64 texts, one client
RATES = {(64, 16): 30_000.0, (256, 8): 38_000.0, (1024, 4): 38_000.0}  # (texts, clients): texts/s
FILL = 0.97
COSINE = 0.9999
START_SECONDS = 5.0  # that a client's process needs before all begin together


@dataclass(frozen=True)
class Answered:
    """What one client got in its time."""

    texts: int
    seconds: float
    latencies: tuple[float, ...]  # seconds of each request


def gpu_figures(settings: Settings, export: Path, *, seconds: float = SECONDS) -> list[Figure]:
    """Each figure beside its goal, for the model exported in ``export``, which must be served on a GPU.

    Raises:
        InputError: it is served on a CPU.
    """
    manifest = Manifest.read(export)
    with TritonClient(settings.kserve_url) as client:
        served = client.served(manifest.name)
        if served.runtime not in ("packed", "tensorrt") or served.precision != "fp16":
            msg = (
                f"Model {manifest.name} is served in {served.precision} by {served.runtime}, which is on a CPU: there "
                f"is nothing to measure. On a machine with a GPU deploy it with EMBSEARCH_TRITON_RUNTIME=packed."
            )
            raise InputError(msg)
        found = client.embed(manifest.name, manifest.reference.texts)
    expected = np.array(manifest.reference.vectors)
    cosine = float(((found * expected).sum(1) / np.linalg.norm(expected, axis=1)).min())
    names = _names(manifest.name, settings)
    url, model = settings.kserve_url, manifest.name
    one = clients(url, model, names, size=64, count=1, seconds=seconds)
    p50 = float(np.percentile(list(chain.from_iterable(each.latencies for each in one)), 50)) * 1000
    figures = [
        Figure("smallest cosine to the padded source model", cosine, COSINE, "", 1.0),
        Figure("64 texts, 1 client, median latency", p50, P50_MS, "ms", 1.0, at_most=True),
    ]
    for (size, count), goal in RATES.items():
        rate = texts_per_second(clients(url, model, names, size=size, count=count, seconds=seconds))
        figures.append(Figure(f"{size} texts, {count} clients", rate, goal, "texts/s", 1.0))
    if served.runtime == "packed":
        figures.append(Figure("fill of packed runs", fill(export, names, manifest.max_length), FILL, "", 1.0))
    return figures


def _names(model: str, settings: Settings) -> list[str]:
    spec = get_model(model, settings)
    known: tuple[Language, ...] = ("ja", "en", "ko")
    language: Language = next((each for each in known if each in spec.languages), "en")
    return spec.with_prefix(list(generate("products", NAMES, language=language, seed=7)), "query")


def clients(url: str, model: str, texts: Sequence[str], *, size: int, count: int, seconds: float) -> list[Answered]:
    """``count`` processes, each with one request of ``size`` texts under way at a time, for ``seconds``."""
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        begin = time.time() + START_SECONDS
        running = [
            pool.submit(_client, url, model, list(texts), size=size, begin=begin, seconds=seconds, first=number)
            for number in range(count)
        ]
        return [each.result() for each in running]


def _client(url: str, model: str, texts: list[str], *, size: int, begin: float, seconds: float, first: int) -> Answered:
    latencies = []
    with TritonClient(url, batch_size=size, concurrency=1) as client:
        client.embed(model, texts[:size])
        time.sleep(max(0.0, begin - time.time()))
        began = time.perf_counter()
        place = first * size
        while time.perf_counter() - began < seconds:
            place = place + size if place + 2 * size <= len(texts) else 0
            sent = time.perf_counter()
            client.embed(model, texts[place : place + size])
            latencies.append(time.perf_counter() - sent)
        return Answered(size * len(latencies), time.perf_counter() - began, tuple(latencies))


def texts_per_second(answered: Sequence[Answered]) -> float:
    """The rate of all clients together."""
    return sum(each.texts / each.seconds for each in answered)


def fill(export: Path, names: Sequence[str], max_length: int) -> float:
    """Share of the computed tokens that belong to a text, when requests of 16 clients are joined."""
    sys.path.insert(0, str(PROJECT_ROOT / "triton_models" / "gpu_packed"))
    import packed_batches  # noqa: PLC0415 — found on the path of the line above

    tokenizer = Tokenizer.from_file(str(export / TOKENIZER))
    tokenizer.enable_truncation(max_length)
    lengths = np.array([len(encoding.ids) for encoding in tokenizer.encode_batch_fast(list(names))], np.int64)
    joined = 4_096  # texts of one execution
    runs = [
        run
        for start in range(0, len(lengths), joined)
        for run in packed_batches.plan(lengths[start : start + joined], packed_batches.BUDGETS)
    ]
    return float(packed_batches.fill(runs))
