"""The benchmark runs over a database of its own and leaves nothing."""

from __future__ import annotations

import math

from include.bench.faiss import faiss_figures, growth_figures
from tests.integration.music_index.music import Music


def test_every_figure_is_taken_and_nothing_is_left(music: Music) -> None:
    music.database.tell_backup("DROP TABLE embsearch_migrations")  # as in a database that nobody migrated
    figures = [
        *faiss_figures(music.settings, rows=1500, repeats=1),
        *growth_figures(music.settings, (1200, 1600)),
    ]  # fmt: skip
    assert len(figures) == 7
    assert all(math.isfinite(figure.ratio) and figure.ratio > 0 for figure in figures)
    assert figures[2].ours > 0.9
    assert [figure.name.split(",")[0] for figure in figures if figure.goal is None] == ["adding alone"]
    assert music.tell("SHOW DATABASES LIKE 'music\\_bench%%'") == 0
    assert music.database.tell_backup("SHOW TABLES LIKE 'embsearch%'") == 0
    assert not (music.settings.state_dir / "bench" / "faiss").exists()
