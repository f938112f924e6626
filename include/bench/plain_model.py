"""The same exported model served the plain way, under a name of its own, for as long as a benchmark runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from include.model_export.manifest import Manifest
from include.settings import PROJECT_ROOT, Settings
from include.triton.control import ServerControl
from include.triton.repository import ModelRepository

TEMPLATE = PROJECT_ROOT / "triton_models" / "bench_plain" / "model.py"


@contextmanager
def plain_model(settings: Settings, export: Path) -> Iterator[str]:
    """Serve the export in ``export`` by the plain model; yield its name. The real one must be served already."""
    manifest = Manifest.read(export)
    repository = ModelRepository(settings.model_repository)
    server = ServerControl(settings.kserve_grpc_url.split(","))
    served = repository.served(manifest.name)
    assert served is not None, f"deploy {manifest.name} first"  # noqa: S101 — the benchmark has just used it
    name = f"{manifest.name}_bench_plain"
    folder = repository.folder(name, 1)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for file in manifest.files:
            shutil.copyfile(export / file, folder / file)
        shutil.copyfile(TEMPLATE, folder / "model.py")
        repository.pin(replace(served.of(model=name, version=1), instances=1))
        server.load(name)
        yield name
    finally:
        server.unload(name)
        shutil.rmtree(repository.folder(name), ignore_errors=True)
