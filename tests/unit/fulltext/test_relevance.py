"""A relevance set is read as it is or refused; the one that is shipped fits the shipped documents."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from include.errors import InputError
from include.fulltext.documents import Columns, SourceDocument
from include.fulltext.reading import read_documents
from include.fulltext.relevance import read_relevance_set
from include.settings import PROJECT_ROOT

SAMPLES, SET = PROJECT_ROOT / "samples" / "documents", PROJECT_ROOT / "samples" / "relevance" / "documents.jsonl"
LANGUAGES = {"en", "ja", "ko", "zh"}


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def line(query: str = "tent", language: str = "en", **more: object) -> str:
    return json.dumps({"query": query, "language": language, "relevant": {"en/tent.md": 2}, **more})


def test_queries_come_with_their_grades_and_blank_lines_and_other_keys_do_no_harm(tmp_path: Path) -> None:
    found = read_relevance_set(written(tmp_path / "set.jsonl", line(kind="word"), "", line("Zelt", "de")))
    assert [(one.query, one.language, one.relevant) for one in found.queries] == [
        ("tent", "en", {"en/tent.md": 2}),
        ("Zelt", "de", {"en/tent.md": 2}),
    ]
    assert found.documents == ["en/tent.md"]


def test_another_content_has_another_fingerprint(tmp_path: Path) -> None:
    one = read_relevance_set(written(tmp_path / "one.jsonl", line()))
    other = read_relevance_set(written(tmp_path / "other.jsonl", line(relevant={"en/tent.md": 1})))
    assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["{"], ":1: not JSON"),
        ([line(), "[]"], ":2: give query and language"),
        ([line(" ")], ":1: give query and language"),
        ([line(relevant={})], ":1: give relevant"),
        ([line(relevant={"a": 0})], "grades from 1"),
        ([line(relevant={"a": True})], "grades from 1"),
        ([line(), line()], "asks 'tent' .en. twice"),
        ([""], "has no query"),
    ],
)
def test_a_line_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_relevance_set(written(tmp_path / "set.jsonl", *lines))


def test_a_file_that_is_not_there_or_not_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl cannot be read"):
        read_relevance_set(tmp_path / "none.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        read_relevance_set(tmp_path / "bytes.jsonl")


def test_the_shipped_set_has_twenty_queries_and_more_in_each_of_four_languages() -> None:
    counts = Counter(query.language for query in read_relevance_set(SET).queries)
    assert set(counts) == LANGUAGES
    assert min(counts.values()) >= 20


def test_each_query_of_the_shipped_set_has_an_answer_among_the_documents_of_its_language() -> None:
    there = {
        one.id for one in read_documents(SAMPLES, Columns(), max_bytes=1_000_000) if isinstance(one, SourceDocument)
    }
    for query in read_relevance_set(SET).queries:
        assert set(query.relevant) <= there
        assert max(query.relevant.values()) == 2
        assert {document.split("/")[0] for document in query.relevant} == {query.language}


def test_each_shipped_document_has_a_title_and_a_text_of_its_own() -> None:
    found = [one for one in read_documents(SAMPLES, Columns(), max_bytes=1_000_000) if isinstance(one, SourceDocument)]
    assert {one.id.split("/")[0] for one in found} == LANGUAGES
    assert min(Counter(one.id.split("/")[0] for one in found).values()) >= 24
    assert len({one.title for one in found}) == len({one.text for one in found}) == len(found)
    assert all(len(one.text) > 300 and not one.text.startswith("#") for one in found)
