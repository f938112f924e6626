"""Export one model of the catalogue: graph, tokenizer, gate, manifest; the folder appears whole or not at all."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from transformers import AutoTokenizer

from include.catalog.models import ModelSpec
from include.generations.files import sha256_of, sync_folder
from include.generations.locks import locked
from include.model_export import gate
from include.model_export.graph import export_graph, opset_of
from include.model_export.manifest import MODEL, TOKENIZER, Manifest, Reference, Route
from include.model_export.reference_texts import TEXTS
from include.model_export.request import ExportRequest
from include.model_export.source import resolve

log = logging.getLogger(__name__)

PACKAGES = (
    "torch",
    "transformers",
    "sentence-transformers",
    "optimum",
    "optimum-onnx",
    "onnx",
    "onnxruntime",
    "tokenizers",
)
BATCH = 16
WAIT_SECONDS = 600.0  # for another process that exports the same: its result is ours

MakeGraph = Callable[[ModelSpec, Path, Path], Route]


def export(request: ExportRequest, *, force: bool = False, make_graph: MakeGraph = export_graph) -> Manifest:
    """Export ``request`` unless it stands already; return its manifest.

    Raises:
        GateFailed: the graph does not give the source model's vectors; nothing is written.
        InputError: the source cannot be found.
        Busy: another process is exporting the same.
    """
    folder, spec = request.folder, request.spec
    with locked(folder.with_name(f".{folder.name}.lock"), purpose=f"export of {spec.name}", wait_seconds=WAIT_SECONDS):
        if not force and (standing := request.finished()):
            log.info("%s is exported already: %s", spec.name, folder)
            return standing
        with replacing_folder(folder) as temporary:
            return _export_into(temporary, request, make_graph)


def _export_into(folder: Path, request: ExportRequest, make_graph: MakeGraph) -> Manifest:
    spec = request.spec
    source = resolve(spec)
    log.info("%s: exporting revision %s", spec.name, source.revision)
    route = make_graph(spec, source.folder, folder)
    pad_token_id = write_tokenizer(source.folder, folder / TOKENIZER)
    for scratch in [path for path in folder.iterdir() if path.is_dir()]:
        shutil.rmtree(scratch)
    embedder = source_embedder(spec, source.folder)
    log.info("%s: comparing the graph (%s) with its source on %d texts", spec.name, route, len(TEXTS))
    figures = gate.check(folder, spec, source=embedder, texts=TEXTS, pad_token_id=pad_token_id)
    log.info(
        "%s: accepted, smallest cosine %.7f, norm error %.1e", spec.name, figures.min_cosine, figures.max_norm_error
    )
    manifest = Manifest(
        request=request.key,
        name=spec.name,
        source=spec.source,
        revision=source.revision,
        route=route,
        opset=opset_of(folder / MODEL),
        precision="fp32",
        dimension=spec.dimension,
        pooling=spec.pooling,
        normalize=spec.normalize,
        max_length=spec.max_length,
        pad_token_id=pad_token_id,
        files={path.name: sha256_of(path) for path in sorted(folder.iterdir())},
        gate=figures,
        reference=Reference(texts=TEXTS, vectors=tuple(_rounded(vector) for vector in embedder(TEXTS))),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
    )
    manifest.write(folder)
    return manifest


def _rounded(vector: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 8) for value in vector)


def write_tokenizer(source: Path, target: Path) -> int:
    """Write the fast tokenizer's file; return the id that pads."""
    tokenizer = AutoTokenizer.from_pretrained(str(source), use_fast=True)
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()  # both are the server's, by the manifest
    backend.save(str(target))
    return int(tokenizer.pad_token_id or 0)


def source_embedder(spec: ModelSpec, folder: Path) -> gate.Embedder:
    """The source model as its authors run it: by its own modules, else its encoder with the catalogue's pooling."""
    if (folder / "modules.json").is_file():
        model = SentenceTransformer(str(folder), device="cpu")
    else:
        transformer = Transformer(str(folder))
        pooling = Pooling(transformer.get_word_embedding_dimension(), pooling_mode=spec.pooling)
        model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    model.max_seq_length = spec.max_length

    def embed(texts: Sequence[str]) -> gate.Vectors:
        return np.asarray(
            model.encode(list(texts), batch_size=BATCH, normalize_embeddings=spec.normalize, show_progress_bar=False),
            np.float32,
        )

    return embed


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``target``; on success it takes the place of ``target``, else it is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    try:
        yield temporary
        sync_folder(temporary)
        if target.exists():
            target.rename(old)
        temporary.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
