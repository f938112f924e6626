"""A model served on a GPU, as its users meet it: latency and rate through the client, and how full runs are planned.

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
from threading import BrokenBarrierError
from typing import Protocol

import numpy as np
from tokenizers import Tokenizer

from include.bench.figures import Figure
from include.catalog.models import get_model
from include.errors import EmbsearchError, InputError
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
START_SECONDS = 120.0  # at most, until every client's process is ready and all begin together


class Barrier(Protocol):
    """Of processes or of threads."""

    def wait(self, timeout: float) -> int:
        """Until all are there."""

    def abort(self) -> None:
        """Let all fail who wait."""


@dataclass(frozen=True)
class Answered:
    """What one client got in its time; its moments are of one clock for all processes of the machine."""

    texts: int
    ready: float  # when it had its first answer, which does not count
    began: float
    ended: float
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
        joined = served.max_batch_size
        planned = fill(export, names, manifest.max_length, joined=joined)
        figures.append(Figure(f"fill of runs as planned for {joined:,} joined texts", planned, FILL, "", 1.0))
    return figures


def _names(model: str, settings: Settings) -> list[str]:
    spec = get_model(model, settings)
    known: tuple[Language, ...] = ("ja", "en", "ko")
    language: Language = next((each for each in known if each in spec.languages), "en")
    return spec.with_prefix(list(generate("products", NAMES, language=language, seed=7)), "query")


def clients(url: str, model: str, texts: Sequence[str], *, size: int, count: int, seconds: float) -> list[Answered]:
    """``count`` processes, each with one request of ``size`` texts under way at a time, for the same ``seconds``.

    Raises:
        EmbsearchError: what a client raises.
    """
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(count)
    with ProcessPoolExecutor(count, mp_context=context, initializer=_starts_by, initargs=(start,)) as pool:
        running = [
            pool.submit(_in_process, url, model, list(texts), size=size, seconds=seconds, first=number)
            for number in range(count)
        ]
        failures = [failure for each in running if (failure := each.exception()) is not None]
        for failure in sorted(failures, key=lambda one: isinstance(one, BrokenBarrierError)):
            raise failure  # of one client that failed, not of those who waited for it
        return [each.result() for each in running]


_start: Barrier | None = None  # of this process, which is a client: a barrier can only be inherited


def _starts_by(start: Barrier) -> None:
    global _start  # noqa: PLW0603 — an initializer has no other way
    _start = start


def _in_process(url: str, model: str, texts: list[str], *, size: int, seconds: float, first: int) -> Answered:
    assert _start is not None  # noqa: S101 — for the type checker
    return one_client(url, model, texts, size=size, seconds=seconds, first=first, start=_start)


def one_client(
    url: str, model: str, texts: list[str], *, size: int, seconds: float, first: int, start: Barrier
) -> Answered:
    """One request of ``size`` texts after the other, for ``seconds`` from the moment that all are at ``start``.

    Raises:
        BrokenBarrierError: another client failed before.
        EmbsearchError: the server gave no vectors.
    """
    latencies = []
    try:
        with TritonClient(url, batch_size=size, concurrency=1) as client:
            client.embed(model, texts[:size])
            ready = time.monotonic()
            start.wait(START_SECONDS)
            began = time.monotonic()
            place = first * size
            while time.monotonic() - began < seconds:
                place = place + size if place + 2 * size <= len(texts) else 0
                sent = time.perf_counter()
                client.embed(model, texts[place : place + size])
                latencies.append(time.perf_counter() - sent)
            return Answered(size * len(latencies), ready, began, time.monotonic(), tuple(latencies))
    except EmbsearchError:
        start.abort()  # the others wait for nobody
        raise


def texts_per_second(answered: Sequence[Answered]) -> float:
    """The rate of all clients together: their texts over the time from the first one's begin to the last one's end."""
    seconds = max(each.ended for each in answered) - min(each.began for each in answered)
    return sum(each.texts for each in answered) / seconds


def fill(export: Path, names: Sequence[str], max_length: int, *, joined: int) -> float:
    """Share of the computed tokens that belong to a text, when ``joined`` texts come to one execution.

    Planned here by the server's own packer, for the server counts no tokens: it says how runs are cut, not how many
    texts really came together.
    """
    sys.path.insert(0, str(PROJECT_ROOT / "triton_models" / "gpu_packed"))
    import packed_batches  # noqa: PLC0415 — found on the path of the line above

    tokenizer = Tokenizer.from_file(str(export / TOKENIZER))
    tokenizer.enable_truncation(max_length)
    lengths = np.array([len(encoding.ids) for encoding in tokenizer.encode_batch_fast(list(names))], np.int64)
    runs = [
        run
        for start in range(0, len(lengths), joined)
        for run in packed_batches.plan(lengths[start : start + joined], packed_batches.BUDGETS)
    ]
    return float(packed_batches.fill(runs))
