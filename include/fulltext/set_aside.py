"""What a run could not index, kept for whoever mends the input."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from include.fulltext.documents import SetAside
from include.generations.files import replacing

log = logging.getLogger(__name__)

SET_ASIDE_FILE = "set_aside.jsonl"
TOLD, TOLD_CHARACTERS = 5, 200


def tell_set_aside(found: Sequence[SetAside], folder: Path) -> dict[str, Any]:
    """Keep all of a run in a file, one JSON a line; return its path and the first ones, for the figures."""
    path = folder / SET_ASIDE_FILE
    if not found:
        path.unlink(missing_ok=True)
        return {}
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(one)) + "\n" for one in found)
    faults = [one for one in found if not one.passed_over]
    if not faults:
        log.info("%d files are passed over: see %s", len(found), path)
        return {"set_aside": str(path)}
    log.warning("%d documents are set aside: see %s", len(faults), path)
    first = [f"{one.id}: {one.reason}: {one.detail}"[:TOLD_CHARACTERS] for one in faults[:TOLD]]
    return {"set_aside": str(path), "for_example": first}
