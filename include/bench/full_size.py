"""ruri_v3 in its true size, with random weights: export, gate, deploy and 1,000 texts, in a folder that goes away.

It starts a Triton of its own, so nothing else needs to run. What the served model does is compared with the same files
in one process, in turn.
"""

from __future__ import annotations

import json
import logging
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from include.bench.figures import REPEATS, Figure, median_pairs, rate
from include.errors import InputError
from include.local_stack import process, triton
from include.local_stack.environments import ensure
from include.local_stack.ports import free_ports
from include.model_export.launch import export_model
from include.model_export.manifest import Manifest
from include.settings import Settings
from include.sources.generators import generate
from include.triton.client import BATCH_SIZE, TritonClient
from include.triton.deploy import deploy
from include.triton.repository import ModelRepository

log = logging.getLogger(__name__)

MODEL = "ruri_v3_random"
PREFIX = "検索クエリ: "
TEXTS = 1_000
TRAINING_NAMES = 20_000
NEEDED = 12 * 10**9  # bytes on disk
GOAL = 0.95
BATCH, CLIENTS = BATCH_SIZE, 8  # as a job has them
SCRIPTS = Path(__file__).parent


def full_size(settings: Settings, *, texts: int = TEXTS, repeats: int = REPEATS) -> list[Figure]:
    """Rate and CPU time of the served model beside the same in process; sizes, seconds and peak memory as details.

    Raises:
        InputError: the disk has no room for it.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(settings.state_dir).free < NEEDED:
        msg = f"{settings.state_dir} has less than {NEEDED / 10**9:.0f} GB free, which this needs for a while."
        raise InputError(msg)
    with tempfile.TemporaryDirectory(prefix="full-size-", dir=settings.state_dir) as folder:
        return _measure(settings, Path(folder), texts, repeats)


def _measure(settings: Settings, folder: Path, texts: int, repeats: int) -> list[Figure]:
    details: dict[str, Any] = {}
    with _timed(details, "source_seconds"):
        source = _write_source(settings, folder / "source")
    ports = triton.Ports(*free_ports(3))
    own = settings.model_copy(
        update={
            "state_dir": folder / "state",
            "model_repository": folder / "repository",
            "catalogue": _write_catalogue(folder / "models.yaml", source),
            "kserve_url": f"http://{triton.ADDRESS}:{ports.http}",
            "kserve_grpc_url": f"{triton.ADDRESS}:{ports.grpc}",
        }
    )
    with _timed(details, "export_seconds"):
        export = export_model(MODEL, own)
    details["export_peak_mb"] = round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    manifest = Manifest.read(export)
    details["gate"] = manifest.gate.model_dump(mode="json")
    details["files_mb"] = {name: round((export / name).stat().st_size / 2**20) for name in manifest.files}
    service = triton.service(
        interpreter=ensure(settings, "triton"),
        repository=own.model_repository,
        ports=ports,
        run_folder=folder / "run",
        log=folder / "triton.log",
    )
    with process.running(service) as server:
        with _timed(details, "deploy_seconds"), _peak(server.pid, details, "deploy_peak_mb"):
            details["deploy"] = asdict(deploy(export, own))
        return _compare(own, server.pid, details, texts, repeats)


def _compare(settings: Settings, server: int, details: dict[str, Any], count: int, repeats: int) -> list[Figure]:
    texts = [PREFIX + name for name in generate("products", count, language="ja", seed=7)]
    repository = ModelRepository(settings.model_repository)
    config = repository.served(MODEL)
    assert config is not None  # noqa: S101 — it was deployed a moment ago
    parameters = {name: str(value) for name, value in asdict(config).items()}
    script = [ensure(settings, "triton"), SCRIPTS / "version_in_process.py", repository.folder(MODEL, config.version)]
    in_process: dict[str, Any] = {}
    cpu: dict[str, list[float]] = {"triton": [], "in_process": []}  # ms of a text
    cores: dict[str, list[float]] = {"triton": [], "in_process": []}  # in use meanwhile

    def noted(side: str, found: float, cpu_seconds: float) -> float:
        cpu[side].append(round(1000 * cpu_seconds / count, 2))
        cores[side].append(round(cpu_seconds * found / count, 2))
        return found

    def baseline() -> float:
        answer = subprocess.run(
            [*script, json.dumps(parameters), str(config.instances)],
            input=json.dumps(texts), capture_output=True, text=True, check=True,
        )  # fmt: skip
        in_process.update(json.loads(answer.stdout))
        return noted("in_process", count / float(in_process["seconds"]), float(in_process["cpu_seconds"]))

    def served() -> float:
        began = _cpu_seconds(server)
        found = rate(count, lambda: client.embed(MODEL, texts))
        return noted("triton", found, _cpu_seconds(server) - began)

    with TritonClient(settings.kserve_url, batch_size=BATCH, concurrency=CLIENTS, deadline_seconds=600) as client:
        client.embed(MODEL, texts[:BATCH])
        with _peak(server, details, "serving_peak_mb"):
            ours, theirs, pairs = median_pairs(served, baseline, repeats)
    details |= {"texts": count, "pairs": pairs, "in_process": in_process, "cpu_ms_a_text": cpu, "cores": cores}
    return [
        Figure("ruri_v3 in full size, served by Triton", ours, theirs, "texts/s", GOAL, details=details),
        # Other work on the machine slows both sides by turns; it adds little to what a text costs.
        Figure("its CPU time of a text", *_medians(cpu), "ms", round(1 / GOAL, 3), at_most=True),
        Figure("cores in use meanwhile", *_medians(cores), "cores", GOAL),
    ]


def _medians(sides: dict[str, list[float]]) -> tuple[float, float]:
    return statistics.median(sides["triton"]), statistics.median(sides["in_process"])


def _write_source(settings: Settings, folder: Path) -> Path:
    names = [PREFIX + name for name in generate("products", TRAINING_NAMES, language="ja", seed=3)]
    command = [ensure(settings, "export"), SCRIPTS / "full_size_source.py", folder]
    subprocess.run(command, input=json.dumps(names), text=True, check=True, capture_output=True)
    return folder


def _write_catalogue(path: Path, source: Path) -> Path:
    entry = {"source": str(source), "pooling": "mean", "dimension": 768, "max_length": 8192, "languages": ["ja"]}
    path.write_text(json.dumps({MODEL: entry}), encoding="utf-8")  # JSON is YAML
    return path


@contextmanager
def _timed(details: dict[str, Any], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    details[name] = round(time.monotonic() - began, 1)
    log.info("%s: %s", name, details[name])


@contextmanager
def _peak(pid: int, details: dict[str, Any], name: str) -> Iterator[None]:
    """Put the largest memory of a process and all below it into ``details``, in MiB, shared pages counted once."""
    done = threading.Event()
    largest = 0

    def watch() -> None:
        nonlocal largest
        while not done.wait(0.2):
            largest = max(largest, _memory(pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        details[name] = round(largest / 2**20)


def _memory(pid: int) -> int:
    total = 0
    try:
        root = psutil.Process(pid)
        for each in (root, *root.children(recursive=True)):
            total += each.memory_full_info().pss
    except psutil.Error:
        return 0  # one has just ended: the next look counts
    return total


def _cpu_seconds(pid: int) -> float:
    """Of a server and all below it, so far."""
    root = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (root, *root.children(recursive=True)))
