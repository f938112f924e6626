"""``python -m include.model_export --spec JSON --root FOLDER``: export in this interpreter.

Log lines go to standard error; the last line of standard output is the exported folder. Exit status 2 means that the
input or the gate refused, 3 that trying again later may help.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import get_args

from include.catalog.models import ModelSpec
from include.errors import EmbsearchError, TransientError
from include.model_export.manifest import Precision
from include.model_export.request import ExportRequest

FATAL = 2
TRANSIENT = 3

log = logging.getLogger("include.model_export")


def main(arguments: list[str]) -> int:
    """Export as asked; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m include.model_export", description="Export a model to ONNX.")
    parser.add_argument("--spec", required=True, help="the catalogue's entry with its name, as JSON")
    parser.add_argument("--root", required=True, type=Path, help="folder of exported models")
    parser.add_argument("--precision", choices=get_args(Precision), default="fp32")
    parser.add_argument("--fuse", action="store_true", help="attention and the like as one operator each")
    parser.add_argument("--force", action="store_true", help="export again although it stands")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        spec = ModelSpec.model_validate_json(options.spec)
        request = ExportRequest(spec, options.root, options.precision, options.fuse)
        if options.force or request.finished() is None:
            from include.model_export.export import export  # noqa: PLC0415 — imports torch, for seconds

            export(request, force=options.force)
    except EmbsearchError as error:
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400 — the message says it all
        return TRANSIENT if isinstance(error, TransientError) else FATAL
    sys.stdout.write(f"{request.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
