"""Export one model of the catalogue: graph, tokenizer, gate, manifest; the folder appears whole or not at all."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transformers import AutoTokenizer

from include.errors import Busy
from include.generations.files import sha256_of, sync_folder
from include.generations.locks import locked
from include.model_export import gate
from include.model_export.examples import examples_for, write_reference
from include.model_export.floors import FLOORS
from include.model_export.graph import Graph, build_graph, opset_of
from include.model_export.manifest import MODEL, TOKENIZER, GateFigures, Manifest, Preprocess, Reference
from include.model_export.packed import write_packed
from include.model_export.processor import write_preprocess
from include.model_export.request import ExportRequest
from include.model_export.source import check_pooling, resolve
from include.model_export.source_model import load_source

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
    "pillow",
)
WAIT_SECONDS = 600.0  # for another process that exports the same: its result is ours

MakeGraph = Callable[[ExportRequest, Path, Path, Preprocess | None], Graph]


def export(request: ExportRequest, *, force: bool = False, make_graph: MakeGraph = build_graph) -> Manifest:
    """Export ``request`` unless it stands already; return its manifest.

    Raises:
        GateFailed: the graph does not give the source model's vectors; nothing is written.
        InputError: the source cannot be found, or is of another kind than the catalogue says.
        Busy: another process is exporting the same.
    """
    folder, spec = request.folder, request.spec
    sweep(folder.parent)
    with locked(_lock_of(folder), purpose=f"export of {spec.name}", wait_seconds=WAIT_SECONDS):
        if not force and (standing := request.finished()):
            log.info("%s is exported already: %s", spec.name, folder)
            return standing
        with replacing_folder(folder) as temporary:
            return _export_into(temporary, request, make_graph)


def _export_into(folder: Path, request: ExportRequest, make_graph: MakeGraph) -> Manifest:
    spec = request.spec
    source = resolve(spec)
    check_pooling(spec, source.folder)
    log.info("%s: exporting revision %s in %s", spec.name, source.revision, request.variant)
    preprocess = write_preprocess(spec, source.folder, folder)
    pad_token_id = write_tokenizer(source.folder, folder / TOKENIZER) if spec.medium == "text" else 0
    graph = make_graph(request, source.folder, folder, preprocess)
    for scratch in [path for path in folder.iterdir() if path.is_dir()]:
        shutil.rmtree(scratch)
    figures, reference = _through_gate(folder, request, source.folder, pad_token_id, preprocess)
    if spec.kind in ("text", "text_sparse") and request.precision != "int8":
        write_packed(spec, source.folder, folder, reference)
    manifest = Manifest(
        request=request.key,
        name=spec.name,
        kind=spec.kind,
        source=spec.source,
        revision=source.revision,
        route=graph.route,
        opset=opset_of(folder / MODEL),
        precision=request.precision,
        fused=graph.fused,
        dimension=spec.dimension,
        pooling=spec.pooling,
        normalize=spec.normalize,
        max_length=spec.max_length if spec.medium == "text" else 0,
        pad_token_id=pad_token_id,
        preprocess=preprocess,
        files={path.name: sha256_of(path) for path in sorted(folder.iterdir())},
        gate=figures,
        reference=reference,
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
    )
    manifest.write(folder)
    return manifest


def _through_gate(
    folder: Path, request: ExportRequest, source: Path, pad_token_id: int, preprocess: Preprocess | None
) -> tuple[GateFigures, Reference]:
    spec, floors = request.spec, FLOORS[request.precision]
    exported = gate.open_export(folder, spec, pad_token_id=pad_token_id, preprocess=preprocess)
    model, examples = load_source(spec, source, preprocess), examples_for(spec, preprocess, folder)
    log.info("%s: comparing the graph with its source on %d examples", spec.name, len(examples.items))
    answer = model(examples.items)
    figures = gate.check(exported, spec, source=model, reference=answer, examples=examples, floors=floors)
    log.info(
        "%s: accepted, smallest cosine %.7f, norm error %.1e", spec.name, figures.min_cosine, figures.max_norm_error
    )
    return figures, write_reference(folder, examples.items, answer)


def write_tokenizer(source: Path, target: Path) -> int:
    """Write the fast tokenizer's file; return the id that pads."""
    tokenizer = AutoTokenizer.from_pretrained(str(source), use_fast=True)
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    backend.no_truncation()  # both are the server's, by the manifest
    backend.save(str(target))
    return int(tokenizer.pad_token_id or 0)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def sweep(parent: Path) -> None:
    """Remove what killed exports below ``parent`` left: folders of a temporary name, of an export that nobody makes."""
    for left in [*parent.glob(".*.tmp"), *parent.glob(".*.old")]:
        name = left.name[1:].rsplit(".", 2)[0]  # .<folder>.<process>.tmp
        with suppress(Busy), locked(_lock_of(parent / name), purpose="sweep"):
            shutil.rmtree(left, ignore_errors=True)


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
