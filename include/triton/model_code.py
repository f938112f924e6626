"""The Python files that serve a version: they lie beside its graph, and import nothing else of this project."""

from __future__ import annotations

from pathlib import Path

from include.catalog.models import Kind, medium_of
from include.model_export.manifest import MODEL, PACKED_SHAPE, PACKED_WEIGHTS, Manifest
from include.settings import PROJECT_ROOT
from include.triton.config_pbtxt import Runtime

CPU = PROJECT_ROOT / "triton_models" / "cpu_embedder"
PACKED = PROJECT_ROOT / "triton_models" / "gpu_packed"
TOKENIZER = PROJECT_ROOT / "triton_models" / "gpu_tokenizer"
# The very file that the gate of the export ran: an image or a sound is prepared in one way only.
PREPROCESS = PROJECT_ROOT / "include" / "model_export" / "preprocess.py"


def version_files(manifest: Manifest, folder: Path, runtime: Runtime) -> dict[str, Path]:
    """Name in the version's folder → source: of the export in ``folder`` what ``runtime`` reads, and the code."""
    packed = {PACKED_SHAPE, PACKED_WEIGHTS}
    unused = {name for name in manifest.files if name.startswith(MODEL)} if runtime == "packed" else packed
    names = [name for name in manifest.files if name not in unused]
    return {name: folder / name for name in names} | code_files(manifest.kind, runtime)


def code_files(kind: Kind, runtime: Runtime) -> dict[str, Path]:
    """Name in the version's folder → source, of a model of ``kind``."""
    if runtime == "tensorrt":
        return {"model.py": TOKENIZER / "model.py", "texts.py": CPU / "texts.py"}
    if runtime == "packed":
        shared = {name: CPU / name for name in ("model.py", "texts.py")}
        return shared | {path.name: path for path in sorted(PACKED.glob("*.py"))}
    own = ["texts.py"] if medium_of(kind) == "text" else ["media.py"]
    files = {name: CPU / name for name in ("model.py", "graph.py", *own)}
    return files if medium_of(kind) == "text" else files | {PREPROCESS.name: PREPROCESS}
