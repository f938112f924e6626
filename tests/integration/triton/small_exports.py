"""Run in the export environment: export a small random model of each kind, and write pictures in several formats.

What stands in the given folder is not made again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from include.catalog.models import ModelSpec
from include.generations.files import write_json
from include.model_export import graph
from include.model_export.export import export
from include.model_export.reference_media import pictures
from include.model_export.request import ExportRequest
from tests.integration.model_export.export_cases import SPECS
from tests.integration.model_export.small_models import MODELS, make

FORMS = dict.fromkeys(SPECS, "fp32") | {"ruri_fp16": "fp16", "ruri_int8": "int8"}
EXTERNAL = "e5"  # its weights lie in a file of their own, as those of a model past 2 GB do
FORMATS = {"png": {}, "webp": {"lossless": True}, "jpeg": {"quality": 95}, "gif": {}, "eps": {}}


def main(root: Path) -> None:
    """Write ``exports.json`` last: name → folder."""
    sources = {name: root / "sources" / name for name in MODELS}
    for name, source in sources.items():
        if not (source / "tokenizer.json").exists():
            make(name, source.parent)
    folders = {}
    for name, precision in FORMS.items():
        entry = SPECS.get(name) or SPECS["ruri"]
        source = sources.get(name) or sources[name.split("_", maxsplit=1)[0]]
        spec = ModelSpec.model_validate({"name": f"small_{name}", "source": str(source), **entry})
        request = ExportRequest(spec, root / "models", precision)
        graph.MAX_PROTOBUF = 10_000 if name == EXTERNAL else 2**31
        export(request)
        folders[name] = str(request.folder)
    picture = Image.effect_mandelbrot((400, 300), (-2, -1.5, 1, 1.5), 100).convert("RGB")
    for ending, options in FORMATS.items():
        picture.save(root / f"picture.{ending}", **options)
    (root / "transparent.png").write_bytes(pictures()[2])
    write_json(root / "exports.json", folders)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
