"""``settings.json, parameters.json, run name, date``: one indexing in a process that can be killed."""

from __future__ import annotations

import functools
import sys
from datetime import datetime
from pathlib import Path

from include.elastic.bulk import BulkWriter
from include.elastic.pace import BatchLimits
from include.fulltext import indexing
from include.fulltext.parameters import DocumentIndexParameters
from include.generations.names import run_key
from include.generations.run import Run
from include.settings import Settings

FEW = BatchLimits(documents=20, bytes=1_000_000)


def main(settings: str, parameters: str, name: str, date: str) -> None:
    indexing.BulkWriter = functools.partial(BulkWriter, full_batch=FEW)  # type: ignore[misc,assignment]
    indexing.index_documents(
        DocumentIndexParameters.model_validate_json(Path(parameters).read_text(encoding="utf-8")),
        Run(run_key("test", name), datetime.fromisoformat(date)),
        Settings.model_validate_json(Path(settings).read_text(encoding="utf-8")),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
