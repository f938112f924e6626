"""An index is read as of one moment, all of it, however it changes meanwhile, and nothing is left open."""

from __future__ import annotations

from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkWriter
from include.elastic.documents import Document
from include.elastic.paging import every, pages
from include.elastic.removal import remove_documents
from include.errors import InputError
from tests.integration.elastic.conftest import MakeIndex

FIELD = ["keyword"]


def keywords(first: int, end: int) -> list[Document]:
    return [Document(str(n), {"keyword": f"keyword {n}", "keyword_id": n}) for n in range(first, end)]


@pytest.fixture
def writer(es_client: Elasticsearch, make_index: MakeIndex, dead_letters: Path) -> BulkWriter:
    """Of an index with ten keywords; what is written can be searched at once."""
    found = BulkWriter(es_client, make_index(es_client), run_id="run", dead_letters=dead_letters, refresh=True)
    found.write(keywords(0, 10))
    return found


def still_open(client: Elasticsearch, index: str) -> int:
    """Searches that hold on to what the index was."""
    found = client.indices.stats(index=index, metric="search")["indices"][index]
    return int(found["total"]["search"]["open_contexts"])


def test_all_documents_are_read_in_pages_with_the_fields_that_were_asked_for(
    es_client: Elasticsearch, writer: BulkWriter
) -> None:
    read = list(pages(es_client, writer.index, FIELD, page=4))
    assert [len(page) for page in read] == [4, 4, 2]
    assert sorted(one["keyword"] for page in read for one in page) == [f"keyword {n}" for n in range(10)]
    assert all(one.keys() == {"keyword"} for page in read for one in page)
    assert list(every(es_client, writer.index, FIELD, page=4)) == [one for page in read for one in page]


def test_only_what_fits_a_query_is_read(es_client: Elasticsearch, writer: BulkWriter) -> None:
    read = list(pages(es_client, writer.index, FIELD, query={"range": {"keyword_id": {"gte": 8}}}, page=1))
    assert sorted(one["keyword"] for page in read for one in page) == ["keyword 8", "keyword 9"]


def test_what_is_written_or_deleted_while_it_is_read_changes_nothing(
    es_client: Elasticsearch, writer: BulkWriter
) -> None:
    reading = every(es_client, writer.index, FIELD, page=3)
    found = [next(reading)]
    writer.write(keywords(10, 20))
    remove_documents(es_client, writer.index, map(str, range(5)), version=1)
    es_client.indices.refresh(index=writer.index)
    found += reading
    assert sorted(one["keyword"] for one in found) == [f"keyword {n}" for n in range(10)]
    assert len(list(every(es_client, writer.index, FIELD))) == 15


def test_reading_leaves_nothing_open_even_when_it_is_given_up(es_client: Elasticsearch, writer: BulkWriter) -> None:
    list(pages(es_client, writer.index, FIELD))
    reading = pages(es_client, writer.index, FIELD, page=3)
    next(reading)
    assert still_open(es_client, writer.index) == 1
    reading.close()  # type: ignore[attr-defined]
    assert still_open(es_client, writer.index) == 0


def test_an_index_that_is_not_there_is_named(es_client: Elasticsearch, alias: str) -> None:
    with pytest.raises(InputError, match=f"read all documents of {alias}"):
        list(pages(es_client, alias, FIELD))
