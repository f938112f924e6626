"""Documents searched from the command line, in three modes, beside the keywords."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from include.fulltext.places import vectors_of
from include.local_stack.ports import free_ports
from tests.integration.cli.conftest import CommandLine

DOCUMENTS = {
    "tent.md": "# Tents\nA shelter for camping in the mountains.",
    "kettle.md": "# Kettles\nAn appliance that boils water for tea.",
    "リュック.md": "# 登山リュック\n雨の日には防水のリュックが安心です。",
}


@pytest.fixture
def documents(command_line: CommandLine) -> Iterator[CommandLine]:
    """The command line with a collection of its own."""
    name = f"documents-{uuid4().hex[:8]}"
    folder = command_line.folder / name
    folder.mkdir()
    for file, text in DOCUMENTS.items():
        (folder / file).write_text(text, encoding="utf-8")
    own = command_line.with_settings(documents=str(folder), fulltext_collection=name)
    own.run("fulltext", "index", "--chunk-unit", "characters")
    yield own
    with own.client as client:
        for index in client.indices.get(index=f"{name}__*"):
            client.indices.delete(index=index)


def test_documents_are_found_by_words_by_meaning_and_by_both(documents: CommandLine) -> None:
    collection = documents.settings.fulltext_collection
    found = documents.run("search", "--mode", "text", "リュックの選び方")
    assert re.search(
        r"リュック\.md:0 +│ 登山リュック +│ 雨の日には防水のリュックが安心です。 +│ text +│ \d+\.\d{4} ", found
    )
    assert documents.run("fulltext", "search", "--mode", "text", "リュックの選び方") == found
    assert documents.run("search", "--mode", "text", "zeppelin") == "zeppelin: nothing found\n"

    said = documents.run("search", "--mode", "vector", "tea", status=1)
    assert f"search: {collection} has no vectors ({vectors_of(collection)})" in said
    documents.run("fulltext", "vectors", "--collection", collection)
    by_meaning = documents.run("search", "--mode", "vector", "--top-k", "1", "somewhere to sleep outdoors")
    assert re.search(r"tent\.md:0 .* vector +│ 0\.\d{4} ", by_meaning)
    by_both = documents.run("fulltext", "search", "a shelter for camping")
    assert re.search(r"tent\.md:0 .* vector 1, text 1 +│ 0\.0328 ", by_both)

    away = documents.with_settings(es_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    for mode in ("text", "vector", "hybrid"):
        said = away.run("search", "--mode", mode, "tent", status=75)
        assert re.fullmatch(r"search: Elasticsearch at http://127\.0\.0\.1:\d+ cannot be reached.*\n", said)
    soft = away.run("fulltext", "search", "--mode", "text", "--faults", "soft", "tent")
    assert soft == "tent: nothing found\n"


def test_several_queries_one_chat_and_other_collections(documents: CommandLine) -> None:
    collection = documents.settings.fulltext_collection
    both = documents.run("search", "--mode", "text", "-", stdin=b"kettle\n\ntent\n")
    assert [line for line in both.splitlines() if line.endswith(":")] == ["kettle:", "tent:"]
    nobody = documents.run("search", "--mode", "text", "--chat-id", "nobody", "kettle")
    assert nobody == "kettle: nothing found\n"
    said = documents.run("search", "--mode", "text", "--collection", f"{collection},nowhere", "kettle", status=1)
    assert "No collection 'nowhere' of documents is served" in said
    said = documents.run("search", "--mode", "text", "--top-k", "101", "kettle", status=1)
    assert "Invalid input for param top_k: 101 is greater than the maximum of 100" in said


def test_without_a_mode_keywords_are_searched_as_ever(documents: CommandLine) -> None:
    found = documents.run("search", "--top-k", "2", "backpack")
    assert "┃ keyword" in found
    assert len(re.findall(r" \d\.\d{4} ", found)) == 2
