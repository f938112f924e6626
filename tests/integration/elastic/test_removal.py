"""Deletions that the server refuses for now: waited for up to the deadline, nothing lost, nothing taken for done."""

from __future__ import annotations

from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkCounts, BulkWriter
from include.elastic.documents import Document
from include.elastic.removal import Removed, remove_documents
from include.errors import ServiceUnavailable
from tests.integration.elastic.conftest import MakeIndex

KEYWORDS = [Document(str(number), {"keyword": f"keyword {number}", "keyword_id": number}) for number in range(3)]
IDS = [document.id for document in KEYWORDS]


@pytest.fixture
def index(es_client: Elasticsearch, make_index: MakeIndex, dead_letters: Path) -> str:
    """An index with three keywords of version 1."""
    name = make_index(es_client)
    writer = BulkWriter(es_client, name, run_id="run", dead_letters=dead_letters, version=1)
    assert writer.write(KEYWORDS) == BulkCounts(indexed=3)
    return name


def block(client: Elasticsearch, index: str, kind: str, *, on: bool) -> None:
    client.indices.put_settings(index=index, settings={f"index.blocks.{kind}": on or None})


# What an operator sets; what the server sets by itself while its disk is full.
@pytest.mark.parametrize("kind", ["write", "read_only_allow_delete"])
def test_deletions_of_a_blocked_index_are_given_up_at_the_deadline_and_done_when_it_is_free(
    es_client: Elasticsearch, index: str, kind: str
) -> None:
    block(es_client, index, kind, on=True)
    requests = 0
    bulk = es_client.bulk

    def counting(**named: object) -> object:
        nonlocal requests
        requests += 1
        assert requests < 50, "it would never end"
        return bulk(**named)  # type: ignore[arg-type]

    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(ServiceUnavailable, match="3 deletions of .* are refused for now .*Gave up after 0 s without"),
    ):
        patch.setattr(es_client, "bulk", counting)
        remove_documents(es_client, index, IDS, version=2, deadline_seconds=0.2)

    block(es_client, index, kind, on=False)
    es_client.indices.refresh(index=index)
    assert es_client.count(index=index)["count"] == 3
    assert remove_documents(es_client, index, [*IDS, "other"], version=2) == Removed(deleted=3, missing=1)
    es_client.indices.refresh(index=index)
    assert es_client.count(index=index)["count"] == 0
