"""One image index from its images: gathered, embedded where that is needed, indexed, checked, served."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from include.catalog.models import get_model
from include.errors import ContractError, GateFailed
from include.faiss_index.assembly import Options
from include.faiss_index.build import build as build_index
from include.faiss_index.manifest import Origin
from include.faiss_index.recipe import choose
from include.faiss_index.storage import FileDigest
from include.faiss_index.training import train
from include.faiss_index.version import Version
from include.faiss_index.versions import Alone
from include.generations.counts import Counts
from include.generations.run import Run
from include.images.collect import Collector, Tally, collecting_folder, forget, remains
from include.images.collected import Collected
from include.images.database import ImageDatabase
from include.images.embedding import ImageEmbedder
from include.images.emptied import without_images
from include.images.first_version import file_rows, store_of_files
from include.images.folders import MISSING, index_folder
from include.images.known import Known
from include.images.metadata import METADATA
from include.images.originals import Originals
from include.images.parameters import ImageIndexParameters
from include.images.pictures import PictureLimits
from include.images.row import ImageRow
from include.images.sources import Sources
from include.objects.store import ObjectStore
from include.settings import Settings
from include.triton.client import TritonClient

log = logging.getLogger(__name__)

PUBLISHED, UNCHANGED = "published", "unchanged"
Pages = Iterable[list[ImageRow]]


def build(image_type: str, parameters: ImageIndexParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Build the index of a type and serve it; when nothing has changed what is served stays as it is.

    Images whose file is missing or broken are listed in ``missing_images.jsonl`` beside the versions. A type that has
    no images is passed over: see :func:`without_images`.

    Returns:
        The figures, small enough for an event.

    Raises:
        InputError: no images of the type are left while an index of them is served; or the model is not loaded, or
            none of images.
        GateFailed: too many images have no usable file, or the version did not pass its check; what was served stays.
        Busy: another process is building this index.
        ServiceUnavailable: the database, the object store or Triton does not answer.
        SetupError: no space is left.
    """
    if parameters.edition == "v1":
        pages = file_rows(settings.images_v1_dir, image_type, page_rows=settings.images_page_rows)
        store = store_of_files(settings)
        return build_from(pages, store, image_type, parameters=parameters, run=run, settings=settings)
    with ImageDatabase.from_settings(settings) as database:
        database.ping()  # once: a wrong address is told at once, while a server that restarts later is waited for
        pages, store = database.pages(image_type), ObjectStore.from_settings(settings)
        return build_from(pages, store, image_type, parameters=parameters, run=run, settings=settings)


def build_from(
    pages: Pages,
    store: ObjectStore,
    image_type: str,
    *,
    parameters: ImageIndexParameters,
    run: Run,
    settings: Settings,
) -> dict[str, Any]:
    """As :func:`build`, of the images in ``pages`` by ascending id, whose files are in ``store``."""
    began = time.monotonic()
    folder = index_folder(image_type, settings, parameters.edition)
    originals = Originals(store, PictureLimits.from_settings(settings))
    with folder.alone("a build") as alone, TritonClient(parameters.kserve_url) as client:
        embedder = ImageEmbedder(client, get_model(parameters.model, settings))
        known = _known(alone, embedder)
        report = folder.root / MISSING
        taken = [] if parameters.force else known
        collector = Collector(originals, embedder, taken, readers=settings.images_readers, report=report)
        collected = collector.collect(pages, collecting_folder(folder.root))
        forget(folder.root, but=collected.folder)
        counts = collector.tally.counts(image_type)
        gathered = time.monotonic()
        if counts.read:
            check_missing(image_type, counts, report, settings.images_missing_share)
            outcome, version = _served(alone, collected, embedder, parameters=parameters, run=run, settings=settings)
        else:
            outcome, version = without_images(alone, image_type, parameters), None
        forget(folder.root)
    seconds = {"collect": gathered - began, "index": time.monotonic() - gathered, "wall": time.monotonic() - began}
    return {
        "type": image_type,
        "edition": parameters.edition,
        "outcome": outcome,
        "model": parameters.model,
        **_figures(version, collector.tally, counts),
        "report": str(report),
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
    }


def check_missing(image_type: str, counts: Counts, report: Path, allowed: float) -> None:
    """Let nobody replace an index by one that lacks much of it.

    Raises:
        GateFailed: more than the share ``allowed`` has no usable file.
    """
    left_out = counts.read - counts.written
    if left_out > allowed * counts.read or not counts.written:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.skipped.items())
        msg = (
            f"{left_out:,} of {counts.read:,} {image_type} images have no usable file ({reasons}), more than the share "
            f"of {allowed:g} that EMBSEARCH_IMAGES_MISSING_SHARE allows: not served. Each is listed in {report}."
        )
        raise GateFailed(msg)


def _served(
    alone: Alone,
    collected: Collected,
    embedder: ImageEmbedder,
    *,
    parameters: ImageIndexParameters,
    run: Run,
    settings: Settings,
) -> tuple[str, Version]:
    """What became of the index, and the version that is served now."""
    served = alone.folder.served_if_whole()
    if served and not parameters.force and _is_same(served, collected, embedder.fingerprint):
        return UNCHANGED, served
    made = index_collected(alone, collected, embedder, parameters=parameters, run=run, settings=settings)
    return PUBLISHED, made


def _known(alone: Alone, embedder: ImageEmbedder) -> list[Known]:
    """Of interrupted builds, the newest first, then of the served version."""
    root, served = alone.folder.root, alone.folder.served_if_whole()
    left = [Known.of_remains(each, embedder.spec.dimension) for each in reversed(_of_model(root, embedder.fingerprint))]
    earlier = Known.of_version(served, embedder.fingerprint) if served else None
    return [each for each in (*left, earlier) if each is not None]


def _of_model(root: Path, fingerprint: str) -> list[Path]:
    """What interrupted builds left, as long as the same model is served; else it is of no use, and is taken away."""
    marker = root / "collecting.model"
    if not marker.is_file() or marker.read_text(encoding="ascii") != fingerprint:
        forget(root)
        marker.write_text(fingerprint, encoding="ascii")
    return remains(root)


def _is_same(served: Version, collected: Collected, fingerprint: str) -> bool:
    """Whether the served version is of these very images, with this metadata, by this model.

    That nothing was embedded now does not say so: a build that was interrupted may have done it.
    """
    if served.manifest.ntotal != len(collected.ids):
        return False
    entry = served.manifest.files.get(METADATA)
    if entry is None or not np.array_equal(served.ids(), collected.ids):
        return False
    try:
        sources = Sources.read(served.folder)
    except ContractError:
        return False
    if sources.fingerprint != fingerprint or sources.marks != collected.marks:
        return False
    with tempfile.TemporaryDirectory(dir=collected.folder) as scratch:
        return collected.write_metadata(Path(scratch)).sha256 == entry.sha256


def index_collected(
    alone: Alone,
    collected: Collected,
    embedder: ImageEmbedder,
    *,
    parameters: ImageIndexParameters,
    run: Run,
    settings: Settings,
) -> Version:
    """Serve what was collected as a new version."""
    memory = settings.faiss_memory_mb << 20
    recipe = choose(len(collected.ids), collected.dimension, memory_budget_bytes=memory)
    log.info("indexing %d images as %s", len(collected.ids), recipe.kind)
    companions: Any = partial(_companions, collected, embedder)
    return build_index(
        alone,
        train(collected.sample(recipe.sample_rows), recipe, thread_count=settings.faiss_threads),
        collected.pages(),
        Origin(key=run.key, day=run.date.date(), table="images", watermark_id=int(collected.ids[-1])),
        options=Options(threads=settings.faiss_threads, min_share=parameters.min_share),
        companions=companions,
    )


def _companions(collected: Collected, embedder: ImageEmbedder, folder: Path, ids: Any) -> dict[str, FileDigest]:
    return collected.write_companions(folder, ids, model=embedder.spec.name, fingerprint=embedder.fingerprint)


def _figures(version: Version | None, tally: Tally, counts: Counts) -> dict[str, Any]:
    manifest = version.manifest if version else None
    recall = manifest.quality.recall_at_10 if manifest else None
    return {
        "version": version.name if version else None,
        "kind": manifest.recipe.kind if manifest else None,
        "rows": manifest.ntotal if manifest else 0,
        "counts": counts.as_dict(),
        "reused": tally.reused,
        "embedded": tally.embedded,
        "missing": {"count": counts.read - counts.written, "for_example": tally.examples},
        "recall_at_10": None if recall is None else round(recall, 4),
    }
