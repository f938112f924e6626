"""Which refusals may pass and which will not; the same for a whole request as for one document of it."""

from __future__ import annotations

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig, SerializationError
from elasticsearch import ApiError

from include.elastic.bulk_items import Outcome, outcome
from include.elastic.errors import meaning
from include.errors import AccessDenied, FatalError, TransientError


def refusal(status: int, kind: str) -> ApiError:
    node = NodeConfig("http", "localhost", 9200)
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.1, node)
    return ApiError(kind, meta, {"error": {"type": kind, "reason": "…"}, "status": status})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "es_rejected_execution_exception"),
        (503, "unavailable_shards_exception"),
        (502, ""),
        (500, "node_closed_exception"),
        (403, "cluster_block_exception"),
    ],
)
def test_what_may_pass_is_sent_again_alone_or_with_others(status: int, kind: str) -> None:
    assert isinstance(meaning(refusal(status, kind), "write to a", "http://a"), TransientError)
    assert outcome({"status": status, "error": {"type": kind}}) is Outcome.LATER


@pytest.mark.parametrize(("status", "kind"), [(500, "null_pointer_exception"), (400, "mapper_parsing_exception")])
def test_what_will_not_pass_is_given_up_alone_or_with_others(status: int, kind: str) -> None:
    assert isinstance(meaning(refusal(status, kind), "write to a", "http://a"), FatalError)
    assert outcome({"status": status, "error": {"type": kind}}) is Outcome.DEAD


def test_a_missing_right_is_the_login_s_fault() -> None:
    assert isinstance(meaning(refusal(403, "security_exception"), "write to a", "http://a"), AccessDenied)


def test_an_answer_that_is_no_json_is_told_with_what_to_check() -> None:
    found = meaning(SerializationError("Unable to deserialize as JSON: <html>"), "count a", "http://proxy:80")
    assert isinstance(found, FatalError)
    assert "http://proxy:80 does not answer as Elasticsearch does (count a)" in str(found)
    assert "Check EMBSEARCH_ES_URL" in str(found)
