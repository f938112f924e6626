"""What is known of the links where Elasticsearch is away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.elastic.linked_keywords import KEYWORDS, linked_keywords
from include.generations.run import Run
from include.settings import Settings
from include.sources.builds import begin
from include.sources.files import Source

AWAY = "http://127.0.0.1:9"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, state_dir=tmp_path / "state", es_url=AWAY)


def begun(settings: Settings, folder: Path, **facts: str) -> None:
    """A build with the facts of a linking, or of something else."""
    (folder / "in.txt").write_text("a\n")
    parameters = {"index": "product_keywords", "es_url": settings.es_url}
    begin(
        settings, "kind", "product_keywords", Source(folder / "in.txt", "text"), Run("key", datetime.now(UTC)),
        limit=0, shard_rows=1, facts={"parameters": parameters, **facts},
    )  # fmt: skip


def test_where_nothing_was_ever_linked_no_keywords_are_needed_and_elasticsearch_need_not_run(
    settings: Settings, tmp_path: Path
) -> None:
    begun(settings, tmp_path)
    assert linked_keywords(settings) == frozenset()


def test_where_there_are_links_and_elasticsearch_is_away_it_is_not_known_what_they_lead_to(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun(settings, tmp_path, **{KEYWORDS: "keywords__1"})
    assert linked_keywords(settings) is None
    assert "so all that are there stay: Elasticsearch at http://127.0.0.1:9" in caplog.text
