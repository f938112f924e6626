"""The entry by which a model of full size is exported."""

from __future__ import annotations

from pathlib import Path

from include.bench.full_size import MODEL, _write_catalogue
from include.catalog.models import load_catalogue


def test_the_entry_says_all_that_a_source_without_modules_leaves_open(tmp_path: Path) -> None:
    shipped = load_catalogue()["ruri_v3"]
    entry = load_catalogue(_write_catalogue(tmp_path / "models.yaml", tmp_path))[MODEL]
    assert entry.names_pooling
    fields = {"pooling", "dimension", "max_length"}
    assert entry.model_dump(include=fields) == shipped.model_dump(include=fields)
