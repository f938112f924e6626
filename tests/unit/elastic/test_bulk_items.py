"""What is sent, and what an answer means."""

from __future__ import annotations

import json

import pytest

from include.elastic.bulk_items import Outcome, Unsendable, encode, never_fits, outcome
from include.elastic.documents import Document


def test_a_document_is_two_lines_of_json() -> None:
    entry = encode(Document('a\n"é', {"keyword": "登山\n"}), 5)
    action, source, rest = entry.lines.split(b"\n")
    assert json.loads(action) == {"index": {"_id": 'a\n"é', "version": 5, "version_type": "external_gte"}}
    assert json.loads(source) == {"keyword": "登山\n"}
    assert rest == b""


def test_without_a_version_the_last_write_wins() -> None:
    assert encode(Document("a", {}), None).lines == b'{"index":{"_id":"a"}}\n{}\n'


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (Document("", {}), "bad_id"),
        (Document("x" * 513, {}), "bad_id"),
        (Document("登" * 171, {}), "bad_id"),
        (Document("\ud800", {}), "not_encodable"),
        (Document("a", {"keyword": "\udfff"}), "not_encodable"),
        (Document("a", {"keyword": object()}), "not_encodable"),
    ],
)
def test_what_would_spoil_a_request_is_found_before_it_is_sent(document: Document, kind: str) -> None:
    with pytest.raises(Unsendable) as caught:
        encode(document, None)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (200, "", Outcome.INDEXED),
        (201, "", Outcome.INDEXED),
        (409, "version_conflict_engine_exception", Outcome.OLDER),
        (429, "es_rejected_execution_exception", Outcome.LATER),
        (429, "circuit_breaking_exception", Outcome.LATER),
        (503, "unavailable_shards_exception", Outcome.LATER),
        (500, "node_closed_exception", Outcome.LATER),
        (500, "null_pointer_exception", Outcome.DEAD),
        (502, "", Outcome.LATER),
        (403, "cluster_block_exception", Outcome.LATER),
        (403, "security_exception", Outcome.DENIED),
        (400, "strict_dynamic_mapping_exception", Outcome.DEAD),
        (400, "document_parsing_exception", Outcome.DEAD),
        (404, "index_not_found_exception", Outcome.DEAD),
    ],
)
def test_outcome_of_an_item(status: int, kind: str, expected: Outcome) -> None:
    answer = {"status": status, **({"error": {"type": kind, "reason": "…"}} if kind else {})}
    assert outcome(answer) is expected


def test_only_what_is_more_than_the_server_ever_takes_never_fits() -> None:
    reason = "primary operation [coordinating_and_primary_bytes=34, primary_operation_bytes={}, max_primary_bytes=50]"
    assert never_fits(reason.format(51))
    assert not never_fits(reason.format(50))
    assert not never_fits("rejected execution of a search: the queue is full")
