"""A document as its index holds it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.fulltext.analysis import named
from include.fulltext.chunks import CHARACTERS, Chunker, Chunking
from include.fulltext.documents import SourceDocument
from include.fulltext.entries import EntryMaker, TooLarge, as_kept
from include.fulltext.mapping import KEPT_OUT, document_mapping

DOCUMENT = SourceDocument("d", "テント", "二人用のテント。" * 20, {"chat_id": "c"})


def maker(kind: str = "tokens", size: int = 40, max_chunks: int = 1000) -> EntryMaker:
    return EntryMaker(named(kind), Chunker(Chunking(CHARACTERS, size, 5)), max_chunks)


@pytest.mark.parametrize("kind", ["tokens", "cjk"])
def test_an_entry_has_the_fields_of_the_mapping_and_no_other(kind: str) -> None:
    entry = maker(kind).entry(DOCUMENT, "hash")
    mapping = document_mapping(named(kind))["properties"]
    assert set(entry.source) == set(mapping)
    assert all(set(chunk) == set(mapping["chunks"]["properties"]) for chunk in entry.source["chunks"])
    kept = {f"chunks.{name}" for name in entry.source["chunks"][0]} - set(KEPT_OUT)
    assert {f"chunks.{name}" for name in as_kept(entry).source["chunks"][0]} == kept


def test_the_hash_changes_with_all_that_the_entry_is_made_of_and_with_nothing_else() -> None:
    same = SourceDocument("d", DOCUMENT.title, DOCUMENT.text, {"chat_id": "c"})
    assert maker().content_hash(same) == maker().content_hash(DOCUMENT)
    others = [
        maker().content_hash(SourceDocument("d", "other", DOCUMENT.text, DOCUMENT.metadata)),
        maker().content_hash(SourceDocument("d", DOCUMENT.title, "other", DOCUMENT.metadata)),
        maker().content_hash(SourceDocument("d", DOCUMENT.title, DOCUMENT.text, {})),
        maker("cjk").content_hash(DOCUMENT),
        maker(size=50).content_hash(DOCUMENT),
    ]
    assert len({maker().content_hash(DOCUMENT), *others}) == len(others) + 1


def test_an_entry_of_too_many_chunks_or_bytes_is_refused() -> None:
    with pytest.raises(TooLarge, match="5 chunks, allowed are 4"):
        maker(max_chunks=4).entry(DOCUMENT, "hash")
    with pytest.raises(TooLarge, match=r"bytes with its tokens, Elasticsearch takes 1,000 at once: give it more heap"):
        replace(maker(), max_bytes=1000).entry(DOCUMENT, "hash")
