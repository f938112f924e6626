"""An index from nothing: trained, filled with all rows, verified, served. Needs nothing that was there before."""

from __future__ import annotations

import time
from typing import Any

from include.catalog.index_types import IndexType
from include.generations.run import Run
from include.music_index.build import check_not_back, filled
from include.music_index.folders import index_folder, training_output
from include.music_index.parameters import FaissRebuildParameters
from include.music_index.train import sized, trained_on
from include.mysql.embedding_table import open_embedding_table
from include.settings import Settings


def rebuild(kind: IndexType, parameters: FaissRebuildParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Train and build; what was served stays served until the new version is, however damaged it may be.

    Raises:
        InputError: the table has no usable rows, a parameter cannot be used, or the run is for an earlier moment than
            what is served.
        GateFailed: the version did not pass its check.
        Busy: another process is changing this index.
        ServiceUnavailable: MySQL does not answer.
        SetupError: no space is left.
    """
    began = time.monotonic()
    kind = sized(kind, parameters.dimension)
    folder = index_folder(kind, settings, parameters.output)
    with folder.alone("faiss_rebuild") as alone, open_embedding_table(settings, kind) as table:
        check_not_back(folder, run, force=parameters.force)
        trained = trained_on(table, parameters, run.date, settings)
        trained.save(training_output(kind, settings))
        found = filled(kind, alone, table, trained, run=run, settings=settings, min_share=parameters.min_share)
    return found | {"seconds": found["seconds"] | {"wall": round(time.monotonic() - began, 2)}}
