"""Nothing is lost and counts add up, whatever the documents are like and the server does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkCounts, BulkWriter
from include.elastic.connection import connect
from include.elastic.dead_letters import inventory
from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.elastic.pace import BatchLimits
from include.elastic.verify import verify, verify_or_send_again
from include.errors import GateFailed, InputError, ServiceUnavailable
from tests.integration.elastic.conftest import MakeIndex
from tests.integration.elasticsearch_server import ElasticsearchServer, SecuredElasticsearch


def keyword(number: int, text: str | None = None) -> Document:
    return Document(str(number), {"keyword": text or f"keyword {number}", "keyword_id": number})


def named(name: str, number: int = 1) -> Document:
    return Document(document_id(name), {"keyword": name, "keyword_id": number})


def test_all_documents_of_a_stream_are_indexed(es_client: Elasticsearch, writer: BulkWriter) -> None:
    counts = writer.write(keyword(number) for number in range(12_345))
    assert counts == BulkCounts(indexed=12_345)
    verify(es_client, writer.index, [keyword(number) for number in (0, 5000, 12_344)], count=12_345)


def test_nothing_given_is_nothing_written(writer: BulkWriter) -> None:
    assert writer.write([]) == BulkCounts()


def test_several_threads_share_a_writer(es_client: Elasticsearch, writer: BulkWriter) -> None:
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda n: writer.write([keyword(n * 64 + i) for i in range(64)]), range(40)))
    assert sum(part.indexed for part in parts) == 2560
    verify(es_client, writer.index, [], count=2560)


STRANGE_NAMES = {
    "512 bytes": "登" * 170 + "ab",
    "513 bytes": "登" * 171,
    "10,000 characters": "とても長い名前" * 1428 + "だよ!!",
    "10,000 emoji": "🏔" * 10_000,
    "emoji sequences": "👩‍👩‍👧‍👦 🇰🇷 ❤️",
    "control characters": "a\x01b\x1fc\x7f\x85d\u2028e",
    "NUL": "before\x00after",
    "line ends": "a\r\nb\nc\rd",
    "byte order mark": "\ufeffname",
    "a URL's signs": "a/b c?#%&+\\\"'",
    "a single dot": ".",
    "underscore first": "_bulk",
    "only blanks": "   ",
    "like a hashed id": "h:" + "0" * 64,
}


@pytest.mark.parametrize("name", STRANGE_NAMES.values(), ids=STRANGE_NAMES.keys())
def test_strange_names_are_read_back_as_they_were(es_client: Elasticsearch, writer: BulkWriter, name: str) -> None:
    document = named(name)
    assert writer.write([document]).indexed == 1
    verify(es_client, writer.index, [document], count=1)
    assert es_client.get(index=writer.index, id=document.id)["_source"] == document.source
    if len(name) < 8191:
        found = es_client.search(index=writer.index, query={"term": {"keyword.raw": name}})
        assert found["hits"]["total"]["value"] == 1


def test_a_document_that_cannot_be_written_takes_no_other_with_it(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path
) -> None:
    good = [keyword(number) for number in range(10)]
    bad = {
        "not_encodable": [named("lone \ud800 surrogate"), Document("\udfff", {"keyword": "x", "keyword_id": 1})],
        "bad_id": [Document("登" * 171, {"keyword": "x", "keyword_id": 1}), Document("", {"keyword": "empty"})],
        "strict_dynamic_mapping_exception": [Document("s", {"keyword": "x", "colour": "red"})],
        "document_parsing_exception": [Document("t", {"keyword": "x", "keyword_id": 3_000_000_000})],
    }
    mixed = [*good[:5], *(document for documents in bad.values() for document in documents), *good[5:]]
    counts = writer.write(mixed)
    assert counts == BulkCounts(indexed=10, dead=6)
    assert counts.given == len(mixed)
    verify(es_client, writer.index, good, count=10)
    (left,) = inventory(dead_letters)
    assert left.reasons == {kind: len(documents) for kind, documents in bad.items()}


def test_a_request_that_the_server_calls_invalid_is_halved_until_the_culprit_is_found(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.elastic.bulk_items.MAX_ID_BYTES", 10_000)  # let one through that spoils its request
    counts = writer.write([*(keyword(number) for number in range(100)), Document("x" * 600, {"keyword": "x"})])
    assert counts == BulkCounts(indexed=100, dead=1)
    (left,) = inventory(dead_letters)
    assert left.reasons == {"action_request_validation_exception": 1}
    verify(es_client, writer.index, [], count=100)


def test_a_body_larger_than_the_server_takes_is_halved(es_client: Elasticsearch, writer: BulkWriter) -> None:
    huge = BulkWriter(
        es_client,
        writer.index,
        run_id="run",
        dead_letters=Path("unused"),
        in_flight=1,
        full_batch=BatchLimits(1_000_000, 1 << 30),
    )
    documents = [keyword(number, "long " * 20_000) for number in range(1100)]  # 110 MB; the server's limit is 100 MB
    assert huge.write(documents) == BulkCounts(indexed=1100)
    verify(es_client, writer.index, [], count=1100)


def test_an_older_run_never_replaces_what_a_newer_one_wrote(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path
) -> None:
    def write(version: int, text: str) -> BulkCounts:
        versioned = BulkWriter(es_client, writer.index, run_id="run", dead_letters=dead_letters, version=version)
        return versioned.write([keyword(1, text)])

    assert write(2000, "new") == BulkCounts(indexed=1)
    assert write(1000, "old") == BulkCounts(skipped={"older": 1})
    assert write(2000, "new again") == BulkCounts(indexed=1)
    verify(es_client, writer.index, [keyword(1, "new again")], count=1)
    assert inventory(dead_letters) == []


def test_with_refresh_a_batch_is_searchable_as_it_lands(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path
) -> None:
    es_client.indices.put_settings(index=writer.index, settings={"index.refresh_interval": "-1"})
    now = BulkWriter(es_client, writer.index, run_id="run", dead_letters=dead_letters, refresh=True)
    now.write([keyword(1)])
    assert es_client.count(index=writer.index)["count"] == 1


def test_an_index_is_never_made_by_writing_to_it(es_client: Elasticsearch, alias: str, dead_letters: Path) -> None:
    with pytest.raises(InputError, match=f"no index '{alias}'"):
        BulkWriter(es_client, alias, run_id="run", dead_letters=dead_letters)
    assert not es_client.indices.exists(index=alias)


def test_a_server_that_refuses_for_now_gets_smaller_batches_and_then_everything(
    secured_elasticsearch: SecuredElasticsearch, make_index: MakeIndex, dead_letters: Path
) -> None:
    with connect(secured_elasticsearch.connection) as client:
        index = make_index(client)
        before = client.nodes.stats(metric="indexing_pressure")["nodes"].popitem()[1]["indexing_pressure"]
        counts = BulkWriter(client, index, run_id="run", dead_letters=dead_letters, in_flight=4).write(
            keyword(number, "some words " * 10) for number in range(10_000)
        )
        after = client.nodes.stats(metric="indexing_pressure")["nodes"].popitem()[1]["indexing_pressure"]
        assert counts == BulkCounts(indexed=10_000)
        verify(client, index, [keyword(9_999, "some words " * 10)], count=10_000)
    refused = [stats["memory"]["total"]["coordinating_rejections"] for stats in (before, after)]
    assert refused[1] > refused[0]


@pytest.mark.parametrize("characters", [100_000, 300_000])  # too much with what it costs inside, too much as it is
def test_what_a_server_takes_not_even_alone_is_a_dead_letter_at_once(
    secured_elasticsearch: SecuredElasticsearch, make_index: MakeIndex, dead_letters: Path, characters: int
) -> None:
    with connect(secured_elasticsearch.connection) as client:
        writer = BulkWriter(client, make_index(client), run_id="run", dead_letters=dead_letters, deadline_seconds=5)
        counts = writer.write([keyword(1), keyword(2, "some words " * (characters // 11)), keyword(3)])
    assert counts == BulkCounts(indexed=2, dead=1)
    (letters,) = inventory(dead_letters)
    assert letters.reasons == {"es_rejected_execution_exception": 1}


def test_a_restart_in_the_middle_of_a_load_loses_nothing(
    elasticsearch: ElasticsearchServer, es_client: Elasticsearch, make_index: MakeIndex, dead_letters: Path
) -> None:
    index = make_index(es_client)
    writer = BulkWriter(
        es_client, index, run_id="run", dead_letters=dead_letters, full_batch=BatchLimits(100, 1_000_000)
    )
    enough = threading.Event()

    def documents() -> Iterator[Document]:
        for number in range(20_000):
            if number == 5_000:
                enough.set()
            yield keyword(number)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(writer.write, documents())
        assert enough.wait(60)
        elasticsearch.kill()
        time.sleep(3)
        assert not writing.done()
        elasticsearch.start()
        counts = writing.result(timeout=120)
    assert counts == BulkCounts(indexed=20_000)
    verify(es_client, index, [keyword(number) for number in range(0, 20_000, 500)], count=20_000)


def test_what_a_crash_makes_an_index_under_bulk_load_forget_is_sent_again_before_it_is_served(
    elasticsearch: ElasticsearchServer, es_client: Elasticsearch, alias: str, dead_letters: Path
) -> None:
    index = f"{alias}__g1"
    generations = IndexGenerations(es_client, alias)
    generations.create(index, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=True)
    writer = BulkWriter(es_client, index, run_id="run", dead_letters=dead_letters)
    documents = [keyword(number) for number in range(3_000)]
    assert writer.write(documents) == BulkCounts(indexed=3_000)
    elasticsearch.kill()
    elasticsearch.start()
    generations.finalise(index)
    sent: list[BulkCounts] = []
    figures = verify_or_send_again(
        generations, index, documents[:50], count=3_000, send_all=lambda: sent.append(writer.write(documents))
    )
    assert figures.documents == 3_000
    assert len(sent) == 1, "nothing was lost, so this test shows nothing"


def test_a_loss_that_sending_again_does_not_mend_fails_the_gate(es_client: Elasticsearch, alias: str) -> None:
    generations = IndexGenerations(es_client, alias)
    generations.create(f"{alias}__g1", KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=True)
    generations.finalise(f"{alias}__g1")
    with pytest.raises(GateFailed, match="holds 0 documents, written were 5"):
        verify_or_send_again(generations, f"{alias}__g1", [], count=5, send_all=lambda: None)


def test_a_server_that_stays_away_is_a_passing_fault_in_the_end(
    elasticsearch: ElasticsearchServer, es_client: Elasticsearch, make_index: MakeIndex, dead_letters: Path
) -> None:
    writer = BulkWriter(es_client, make_index(es_client), run_id="run", dead_letters=dead_letters, deadline_seconds=1)
    elasticsearch.stop()
    try:
        with pytest.raises(ServiceUnavailable, match="Gave up after 1 s without progress"):
            writer.write(keyword(number) for number in range(20_000))
    finally:
        elasticsearch.start()
    assert inventory(dead_letters) == []


def test_the_gate_tells_a_missing_document_from_a_changed_one_and_a_wrong_count(
    es_client: Elasticsearch, writer: BulkWriter
) -> None:
    documents = [keyword(number) for number in range(200)]
    writer.write(documents)
    assert verify(es_client, writer.index, documents, count=200).checked == 200
    with pytest.raises(GateFailed, match="holds 200 documents, written were 201"):
        verify(es_client, writer.index, documents, count=201)
    with pytest.raises(GateFailed, match=r"1 of 200 documents .* \['199'\]"):
        verify(es_client, writer.index, [*documents[:-1], keyword(199, "changed")])
    with pytest.raises(GateFailed, match=r"1 of 1 documents .* \['200'\]"):
        verify(es_client, writer.index, [keyword(200)])
