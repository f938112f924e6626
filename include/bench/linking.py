"""The whole linking beside the documented design: 4 workers, embed 64, 64 single searches, ``async_bulk`` of 64."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr

from include.bench import documented
from include.bench.figures import REPEATS, Figure, median_pairs, rate
from include.bench.plain_model import plain_model
from include.catalog.models import get_model
from include.elastic.connection import EsConnection, connect
from include.generations.names import run_key
from include.generations.run import Run
from include.keywords.parameters import VectorIndexParameters
from include.linking.parameters import LinkingParameters
from include.model_export.launch import exported_folder
from include.settings import PROJECT_ROOT, Settings, get_settings
from include.sources.generators import generate, write_texts
from include.triton.client import TritonClient
from include.vector_store.collection import keyword_table
from include.vector_store.open import open_store
from include.vector_store.protocol import KeywordStore
from include.workflow import run_workflow

KEYWORDS = 96_000
PRODUCTS = 10_000
COLLECTION = "bench-keywords"
BATCHES = (64, 256)  # the default, and what bulk work gains by; the form offers both


def linking(
    settings: Settings, *, keywords: int = KEYWORDS, products: int = PRODUCTS, repeats: int = REPEATS
) -> list[Figure]:
    """Products a second, from reading the file to the index that has its name, one figure for each size of batch."""
    folder = settings.state_dir / "bench"
    generation = index_keywords(settings, folder, keywords)
    path = folder / "products.txt"
    write_texts(path, "products", products, language="en", seed=1)
    names = list(generate("products", products, language="en", seed=1))
    store = open_store(settings.qdrant_url, api_key=settings.qdrant_api_key)

    def timed(baseline: _Documented, batch: int) -> Figure:
        ours, theirs, pairs = median_pairs(
            lambda: rate(products, lambda: link(settings, path, batch)),
            lambda: rate(products, lambda: baseline.link(names)),
            repeats,
        )
        details = {"products": products, "keywords": keywords, "pairs": pairs}
        name = f"whole linking, batches of {batch}"
        return Figure(name, ours, theirs, "products/s", goal=4.0, details=details)

    try:
        with plain_model(settings, exported_folder(settings.model, settings)) as plain:
            baseline = _Documented(settings, store, generation, plain)
            return [timed(baseline, batch) for batch in BATCHES]
    finally:
        store.close()
        _clean(settings)


def memory(
    settings: Settings, *, keywords: int = KEYWORDS, small: int = PRODUCTS, large: int = 10 * PRODUCTS
) -> Figure:
    """Peak resident memory of linking ``large`` products over that of ``small``, each in a process of its own."""
    folder = settings.state_dir / "bench"
    index_keywords(settings, folder, keywords)
    peaks = [_peak(settings, folder, count) for count in (small, large)]
    _clean(settings)
    details = {"keywords": keywords, "small": small, "large": large}
    return Figure("peak memory", peaks[1], peaks[0], "MiB", goal=1.2, at_most=True, details=details)


def index_keywords(settings: Settings, folder: Path, count: int) -> str:
    """The generation of the benchmark's own collection, built when it is not there."""
    path = folder / f"keywords_{count}.txt"
    if not path.exists():
        write_texts(path, "keywords", count, language="en", seed=0)
    run = Run(run_key("bench", str(count), settings.model), datetime.now(UTC))
    parameters = VectorIndexParameters(input=str(path), collection=COLLECTION, batch_size=max(BATCHES), workers=4)
    return str(run_workflow("include.keywords.vectors", parameters, run, settings)[1]["generation"])


def link(settings: Settings, products: Path, batch: int = max(BATCHES)) -> dict[str, Any]:
    """One linking of the whole file into an index of its own name, as the DAG and the command do it."""
    parameters = LinkingParameters(
        products=str(products), limit=0, collection=COLLECTION, index="bench-links", batch_size=batch
    )
    run = Run(run_key("bench", uuid4().hex), datetime.now(UTC))
    return run_workflow("include.linking.workflow", parameters, run, settings)[1]


class _Documented:
    """The documented design over the same servers."""

    def __init__(self, settings: Settings, store: KeywordStore, generation: str, model: str) -> None:
        self._settings, self._store, self._generation, self._model = settings, store, generation, model
        self._keywords = keyword_table(store, generation)
        self._spec = get_model(settings.model)
        self._hosts = EsConnection.from_settings(settings).hosts

    def link(self, names: Sequence[str]) -> None:
        index = f"bench-documented-{uuid4().hex[:8]}"
        with (
            connect(EsConnection.from_settings(self._settings)) as client,
            TritonClient(self._settings.kserve_url, batch_size=documented.BATCH) as triton,
        ):
            client.indices.create(index=index, mappings=documented.LINK_MAPPING)

            def embed(texts: Sequence[str]) -> NDArray[np.float32]:
                return triton.embed(self._model, self._spec.with_prefix(texts, "query"))

            documented.link(self._hosts, index, names, embed, self._search_one)
            client.indices.delete(index=index)

    def _search_one(self, vector: NDArray[np.float32]) -> list[dict[str, Any]]:
        found = self._store.search(self._generation, vector[None, :], 30)
        return [
            {"keyword": self._keywords[int(i)], "keyword_id": int(i), "score": float(score)}
            for i, score in zip(found.ids[0], found.scores[0], strict=True)
        ]


def _peak(settings: Settings, folder: Path, count: int) -> float:
    """MiB at the highest of a process that links ``count`` products."""
    path = folder / f"products_{count}.txt"
    write_texts(path, "products", count, language="en", seed=2)
    done = subprocess.run(
        [sys.executable, "-m", "include.bench.linking", str(path)],
        cwd=PROJECT_ROOT, input=settings.model_dump_json(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout.splitlines()[-1])


def _clean(settings: Settings) -> None:
    with connect(EsConnection.from_settings(settings)) as client:
        for index in client.indices.get(index="bench-links__*"):
            client.indices.delete(index=index)


def _with_logins(told: str) -> Settings:
    """The settings that the process before wrote; its secrets, which it masks, come from the environment."""
    given, own = Settings.model_validate_json(told), get_settings()
    secrets = [name for name, value in given if isinstance(value, SecretStr)]
    return given.model_copy(update={name: getattr(own, name) for name in secrets})


if __name__ == "__main__":
    link(_with_logins(sys.stdin.read()), Path(sys.argv[1]))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
