"""Images: embedded in batches beside one by one, rebuilt unchanged, searched under load, promoted meanwhile."""

from __future__ import annotations

import logging
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from include.bench.figures import REPEATS, Figure, median_pairs, rate
from include.bench.image_server import BenchServer, Load, read_load, served
from include.catalog.models import get_model
from include.faiss_index.version import Version
from include.generations.names import run_key
from include.generations.run import Run
from include.images.build import build, index_collected
from include.images.collected import CollectedWriter
from include.images.embedding import ImageEmbedder
from include.images.folders import index_folder
from include.images.generator import drawings
from include.images.parameters import ImageIndexParameters
from include.images.row import ImageRow
from include.settings import Settings
from include.triton.client import TritonClient

log = logging.getLogger(__name__)

PICTURES = 2_000
SEARCHED = 100_000
CALLERS = (1, 8, 32)
LOAD_SECONDS = 15.0
PROMOTES = 10
PAUSE_SECONDS = 3.0  # between two promotes: a server looks for a new version every two seconds
KIND = "defect"
BLOCK = 5_000


def image_figures(
    settings: Settings, *, pictures: int = PICTURES, searched: int = SEARCHED, repeats: int = REPEATS
) -> list[Figure]:
    """All figures of images, in a folder of their own; needs Triton with the model of images.

    Raises:
        InputError: the model is not deployed.
    """
    folder = settings.state_dir / "bench" / "images"
    shutil.rmtree(folder, ignore_errors=True)
    own = settings.model_copy(
        update={
            "state_dir": folder / "state", "images_v1_dir": folder / "pictures", "use_index_v2": False,
            "images_roots": str(folder / "pictures"), "images_stores": "", "images_rebuild_at_start": False,
        }
    )  # fmt: skip
    try:
        _draw(own.images_v1_dir, pictures)
        found = [_embedding(own, repeats), _rebuild(own)]
        return [*found, *_searches(own, folder, searched)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _draw(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for drawing in drawings(count):
        (folder / drawing.name).write_bytes(drawing.draw())


def _embedding(settings: Settings, repeats: int) -> Figure:
    """Batches, several under way, against one request for each image."""
    images = [path.read_bytes() for path in sorted(settings.images_v1_dir.iterdir())]
    few = images[: max(1, len(images) // 4)]
    name = settings.images_model
    with (
        TritonClient(settings.kserve_url) as ours,
        TritonClient(settings.kserve_url, batch_size=1, concurrency=1) as one,
    ):
        one.embed(name, few[:10])
        batched, single, pairs = median_pairs(
            lambda: rate(len(images), lambda: ours.embed(name, images)),
            lambda: rate(len(few), lambda: [one.embed(name, [image]) for image in few]),
            repeats,
        )
    details = {"model": name, "images": len(images), "pairs": pairs}
    return Figure("images embedded, against one request for each", batched, single, "images/s", None, details=details)


def _rebuild(settings: Settings) -> Figure:
    """A build of all images, and one that finds all of them unchanged."""
    parameters = _parameters(settings)

    def seconds(name: str) -> tuple[float, dict[str, Any]]:
        began = time.monotonic()
        told = build(KIND, parameters, Run(run_key("bench", name), datetime.now(UTC)), settings)
        return time.monotonic() - began, told

    whole, first = seconds("whole")
    again = [seconds(f"again {number}") for number in range(REPEATS)]
    details = {"images": first["rows"], "whole": first["seconds"], "unchanged": [told["outcome"] for _, told in again]}
    unchanged = statistics.median(taken for taken, _ in again)
    return Figure("rebuild with nothing changed", unchanged, whole, "s", 0.1, at_most=True, details=details)


def _searches(settings: Settings, folder: Path, rows: int) -> list[Figure]:
    versions = [_large_index(settings, rows, seed) for seed in range(2)]
    with served(settings, settings.images_v1_dir, folder) as server:
        server.load(2, 5, folder / "warm")
        alone = _alone(settings)
        loads = [server.load(callers, LOAD_SECONDS, folder / f"load_{callers}") for callers in CALLERS]
        promoted, followed = _promoting(server, settings, versions, folder / "promoting")
    one = loads[0]
    figures = [_load_figure(load, one, rows) for load in loads[1:]]
    first = Figure(
        f"POST /similarity, {rows:,} images, 1 client, p50, against embedding alone", one.p50_ms, alone, "ms", None,
        at_most=True, details=asdict(one),
    )  # fmt: skip
    told, good = asdict(promoted) | {"promotes_followed": followed}, promoted.requests - promoted.failures
    answered = Figure(
        f"searches answered during {PROMOTES} promotes", good, promoted.requests, "searches", 1, details=told
    )  # fmt: skip
    return [first, *figures, answered]


def _load_figure(load: Load, one: Load, rows: int) -> Figure:
    name = f"POST /similarity, {rows:,} images, {load.callers} clients, p95, against one after the other"
    return Figure(name, load.p95_ms, load.callers * one.p50_ms, "ms", None, at_most=True, details=asdict(load))


def _alone(settings: Settings) -> float:
    """Milliseconds to embed one image, the median, without an API."""
    image = next(iter(sorted(settings.images_v1_dir.iterdir()))).read_bytes()
    with TritonClient(settings.kserve_url) as client:
        client.embed(settings.images_model, [image])
        return 1000 * statistics.median(
            _seconds(lambda: client.embed(settings.images_model, [image])) for _ in range(50)
        )


def _promoting(server: BenchServer, settings: Settings, versions: list[Version], folder: Path) -> tuple[Load, int]:
    """Eight callers, while the two versions take turns; and how many of the turns the server had taken by the next."""
    index, followed = index_folder(KIND, settings, "v1"), 0
    with server.loading(8, (PROMOTES + 2) * PAUSE_SECONDS, folder) as callers:
        for number in range(PROMOTES):
            time.sleep(PAUSE_SECONDS)
            followed += number > 0 and server.version() == versions[(number - 1) % 2].name
            with index.alone("bench"):
                index.promote(versions[number % 2])
        time.sleep(PAUSE_SECONDS)
        followed += server.version() == versions[(PROMOTES - 1) % 2].name
        callers.wait(timeout=60)
    return read_load(folder, 8), followed


def _large_index(settings: Settings, rows: int, seed: int) -> Version:
    """An index of vectors around those of the pictures that were built; it is served."""
    folder = index_folder(KIND, settings, "v1")
    base = folder.current()
    assert base is not None  # noqa: S101 — built before
    near = np.load(base.folder / "embeddings.npy")
    scratch = settings.state_dir / f"large_{seed}"
    scratch.mkdir(parents=True)
    parameters = ImageIndexParameters(
        edition="v1", model=settings.images_model, kserve_url=settings.kserve_url, force=True
    )
    run = Run(run_key("bench", "large", str(seed)), datetime.now(UTC))
    with TritonClient(settings.kserve_url) as client, folder.alone("bench") as alone:
        embedder = ImageEmbedder(client, get_model(settings.images_model, settings))
        with CollectedWriter.open(scratch, embedder.spec.dimension) as writer:
            for images, vectors in _made_up(near[-2000:], rows, seed):
                writer.add(images, ["bench"] * len(images), list(vectors))
            collected = writer.finished()
        return index_collected(alone, collected, embedder, parameters=parameters, run=run, settings=settings)


def _made_up(near: Any, rows: int, seed: int) -> Iterator[tuple[list[ImageRow], Any]]:
    random = np.random.default_rng(seed)
    for start in range(0, rows, BLOCK):
        ids = range(start + 1, min(start + BLOCK, rows) + 1)
        noise = random.standard_normal((len(ids), near.shape[1])).astype(np.float32) * 0.3 / np.sqrt(near.shape[1])
        vectors = near[random.integers(len(near), size=len(ids))] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        images = [
            ImageRow(number, f"/pictures/{number}.jpg", None, "P001", "product", "scratch", "scratch", KIND)
            for number in ids
        ]
        yield images, vectors


def _parameters(settings: Settings) -> ImageIndexParameters:
    return ImageIndexParameters(edition="v1", model=settings.images_model, kserve_url=settings.kserve_url)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
