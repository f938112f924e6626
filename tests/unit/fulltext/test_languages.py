"""A model is not asked about a query whose script it does not know."""

from __future__ import annotations

import pytest

from include.fulltext.languages import InLanguages, readable
from include.fulltext.results import DocumentWithScore, Filters


class One:
    """Finds always the same passage."""

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        return [DocumentWithScore(query, 1.0, {"top_k": top_k, "filters": filters})]


@pytest.mark.parametrize(
    ("query", "languages", "known"),
    [
        ("washing a backpack", ["en"], True),
        ("Rucksack waschen", ["en"], True),
        ("リュックの洗い方", ["en"], False),
        ("등산가방", ["en"], False),
        ("등산가방", ["en", "ko"], True),
        ("冲锋衣", ["en"], False),
        ("包丁", ["ja"], True),
        ("保温杯", ["zh"], True),
        ("USB-C 充電器", ["en"], False),
        ("リュック", ["zh"], False),
        ("등산가방", [], True),
    ],
)
def test_the_script_tells_whether_a_query_is_known(query: str, languages: list[str], known: bool) -> None:
    assert readable(query, languages) is known


def test_a_runner_is_left_out_for_what_its_model_does_not_know() -> None:
    runner = InLanguages(One(), ["en"])
    assert runner.search("tent", 5, {"chat_id": "7"}) == One().search("tent", 5, {"chat_id": "7"})
    assert runner.search("テント", 5) == []
