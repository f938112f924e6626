"""What Elasticsearch is asked, and what its answer means.

Each keyword is a clause that a chunk's title or content may fulfil; a chunk must fulfil 80 % of them, rounded down, at
least one. A keyword is itself taken apart by the index's analysis, and a good part of it is enough, so that compounds
are found by what they are made of, inflected words by what stays of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.errors import InputError
from include.fulltext.analysis import Analysis
from include.fulltext.documents import FILTERED
from include.fulltext.highlights import REQUEST, highlight
from include.fulltext.results import FULLTEXT, VECTOR, DocumentWithScore, Filters, best_first
from include.fulltext.words import ideographs

LEAST_SHARE = 80  # % of the keywords
# Of the tokens of one keyword: both of two, two of three, three of four and five, then 40 %; any of a query that finds
# nothing otherwise. Of its single Chinese characters, beside its pairs, 60 %: they raised nDCG@10 of the samples from
# 0.91 to 0.97 in Chinese, from 0.91 to 0.93 in Japanese.
PART, ANY = "2<-40% 5<40%", "1"
IDEOGRAPHS, IDEOGRAPH_BOOST = "60%", 0.5
BOTH = 0.3  # what the worse of title and content adds
TOKENS_OF_A_KEYWORD = 64
TOKENS_IN_ALL = 400  # in two fields: below 1,024, the fewest clauses that any Elasticsearch takes
MOST = 100  # results; Elasticsearch gives no more inner hits
PARENT_FIELDS = ["document_id", "title", "metadata"]

Body = dict[str, Any]


@dataclass(frozen=True)
class Terms:
    """Keywords as an index is asked for them."""

    clauses: Sequence[tuple[str, str]]  # tokens of a keyword; its Chinese characters where the client makes the tokens

    @classmethod
    def of(cls, keywords: Sequence[str], analysis: Analysis) -> Terms:
        """Without keywords that have no token; what is beyond :data:`TOKENS_IN_ALL` is left out."""
        clauses: list[tuple[str, str]] = []
        room = TOKENS_IN_ALL
        for keyword in keywords:
            parts = list(dict.fromkeys(analysis.query_text(keyword).split()))[: min(room, TOKENS_OF_A_KEYWORD)]
            if not parts:
                continue
            single = ideographs(keyword)[: room - len(parts)] if analysis.by_client else []
            room -= len(parts) + len(single)
            clauses.append((" ".join(parts), " ".join(single)))
        return cls(clauses)

    def marked(self, text: str, tokenizer: str) -> list[str]:
        """The parts of ``text`` that have them; single Chinese characters only where nothing else is there."""
        for texts in zip(*self.clauses, strict=True):
            if found := highlight(text, {token for one in texts for token in one.split()}, tokenizer):
                return found
        return []


def checked_top_k(top_k: int) -> int:
    """``top_k`` when it can be asked for.

    Raises:
        InputError: it is not between 1 and :data:`MOST`.
    """
    if not 1 <= top_k <= MOST:
        msg = f"top_k is {top_k}. Give 1 to {MOST}."
        raise InputError(msg)
    return top_k


def filter_clauses(filters: Filters | None) -> list[Body]:
    """Clauses on the document.

    Raises:
        InputError: documents cannot be filtered by one of the keys.
    """
    for key in filters or {}:
        if key not in FILTERED:
            msg = f"Documents cannot be filtered by {key!r}, only by {' and '.join(FILTERED)}."
            raise InputError(msg)
    return [{"term": {f"metadata.{key}": value}} for key, value in (filters or {}).items()]


def text_body(terms: Terms, analysis: Analysis, top_k: int, filters: Filters | None, *, any_of: bool = False) -> Body:
    """The request for the chunks that have the keywords; with ``any_of``, any token of any of them."""
    clauses = [_clause(analysis, text, single, any_of=any_of) for text, single in terms.clauses]
    least = 1 if any_of else max(1, len(clauses) * LEAST_SHARE // 100)
    query = {"bool": {"should": clauses, "minimum_should_match": least}}
    shown = {} if analysis.by_client else {"highlight": {**REQUEST, "fields": {"chunks.content": {}}}}
    return _body(query, top_k, filters, shown)


def hash_body(scores: Mapping[str, float], top_k: int, filters: Filters | None) -> Body:
    """The request for the chunks whose texts have the hashes ``scores``, ranked by these (cosines)."""
    clauses = [
        {"constant_score": {"filter": {"term": {"chunks.hash": one}}, "boost": 2.0 + score}}  # never negative
        for one, score in scores.items()
    ]
    return _body({"bool": {"should": clauses}}, top_k, filters, {})


def _clause(analysis: Analysis, text: str, single: str, *, any_of: bool) -> Body:
    asked = [
        {"match": {f"chunks.{field}": {"query": tokens, "minimum_should_match": least, "boost": boost}}}
        for tokens, least, boost in (
            (text, ANY if any_of else PART, 1.0),
            (single, ANY if any_of else IDEOGRAPHS, IDEOGRAPH_BOOST),
        )
        if tokens
        for field in analysis.fields
    ]
    return {"dis_max": {"queries": asked, "tie_breaker": BOTH}}


def _body(query: Body, top_k: int, filters: Filters | None, shown: Body) -> Body:
    """The best ``top_k`` documents hold the best ``top_k`` chunks, as each ranks by its best chunk."""
    nested = {"path": "chunks", "score_mode": "max", "query": query, "inner_hits": {"size": top_k, **shown}}
    return {
        "size": top_k,
        "track_total_hits": False,
        "_source": PARENT_FIELDS,
        "sort": [{"_score": "desc"}, {"document_id": "asc"}],
        "query": {"bool": {"must": [{"nested": nested}], "filter": filter_clauses(filters)}},
    }


def text_results(
    answer: Body, collection: str, terms: Terms, analysis: Analysis, top_k: int
) -> list[DocumentWithScore]:
    """The best ``top_k`` chunks, with what matched marked."""
    found = best_first([_result(collection, FULLTEXT, hit, inner) for hit, inner in _chunks(answer)])[:top_k]
    if analysis.by_client:
        for result in found:
            result.metadata["highlight"] = terms.marked(result.text, analysis.tokenizer)
    return found


def hash_results(answer: Body, collection: str, scores: Mapping[str, float]) -> list[DocumentWithScore]:
    """The chunks that were found, with the scores of their texts."""
    return best_first(
        [
            _result(collection, VECTOR, hit, {**inner, "_score": scores[inner["_source"]["hash"]]})
            for hit, inner in _chunks(answer)
        ]
    )


def _chunks(answer: Body) -> list[tuple[Body, Body]]:
    return [(hit, inner) for hit in answer["hits"]["hits"] for inner in hit["inner_hits"]["chunks"]["hits"]["hits"]]


def _result(collection: str, recall_type: str, hit: Body, inner: Body) -> DocumentWithScore:
    document, chunk = hit["_source"], inner["_source"]
    ours = {
        "recall_type": recall_type,
        "collection": collection,
        "document_id": document["document_id"],
        "chunk_id": chunk["chunk_id"],
        "title": document["title"],
        "start": chunk["start"],
    }
    if "highlight" in inner:
        ours["highlight"] = inner["highlight"].get("chunks.content", [])
    return DocumentWithScore(chunk["content"], float(inner["_score"]), {**document.get("metadata", {}), **ours})
