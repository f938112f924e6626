"""Search of documents by their words, in one collection or several."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from elasticsearch import Elasticsearch

from include.elastic.connection import EsConnection
from include.elastic.errors import translated
from include.errors import EmbsearchError, InputError
from include.fulltext.cluster import SearchCluster, Served
from include.fulltext.deadline import ends_within
from include.fulltext.keywords import AnalyzeKeywords, Chain, KeywordMaker, RawQuery
from include.fulltext.llm import LanguageModelKeywords
from include.fulltext.merge import best_of
from include.fulltext.query import (
    Terms,
    checked_top_k,
    filter_clauses,
    hash_body,
    hash_results,
    text_body,
    text_results,
)
from include.fulltext.results import DocumentWithScore, Filters
from include.fulltext.stop_words import stop_words
from include.settings import Settings

log = logging.getLogger(__name__)

QUERY_CHARACTERS = 10_000  # what is behind them is not looked at


@dataclass(frozen=True)
class _Question:
    text: str
    keywords: Sequence[str]  # of a language model, if it has some
    collections: Sequence[str]
    top_k: int
    filters: Filters | None


def clean(query: str) -> str:
    """``query`` as it can be sent: valid Unicode, no control characters, at most :data:`QUERY_CHARACTERS`.

    Raises:
        InputError: nothing is left.
    """
    if len(query) > QUERY_CHARACTERS:
        log.info("a query of %d characters is cut to %d", len(query), QUERY_CHARACTERS)
    valid = query[:QUERY_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    text = "".join(character if character.isprintable() else " " for character in valid).strip()
    if not text:
        msg = "The query is empty. Give some words."
        raise InputError(msg)
    return text


def softly(faults: str, what: str, search: Callable[[], list[DocumentWithScore]]) -> list[DocumentWithScore]:
    """What ``search`` finds; when ``faults`` is ``soft`` and it fails, nothing, and an error in the log.

    Raises:
        InputError: the question itself is wrong, in either case.
        EmbsearchError: any other failure, when ``faults`` is ``strict``.
    """
    try:
        return search()
    except InputError:
        raise
    except EmbsearchError as error:
        if faults == "strict":
            raise
        log.error("%s finds nothing, because it failed: %s", what, error)  # noqa: TRY400 — the sentence is enough
        return []


def _relaxed(result: DocumentWithScore) -> DocumentWithScore:
    return replace(result, metadata={**result.metadata, "relaxed": True})


class DocumentSearch:
    """Searches with one client, made at the first search and used again. Share it between threads; close it.

    A search that fails in a way that may pass is tried again while its time lasts; keywords, tries and waits together
    have the settings' time-out. ``keyword_makers`` come before the indexes' own analysis; by default the settings'
    language model, if there is one. Makers of yours must end by themselves.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        es_url: str | None = None,
        faults: str | None = None,
        keyword_makers: Sequence[KeywordMaker] | None = None,
    ) -> None:
        self.faults = faults or settings.fulltext_faults
        self._stop = stop_words(settings.fulltext_stop_words)
        self._most_keywords = settings.fulltext_max_keywords
        self._model = LanguageModelKeywords.from_settings(settings) if keyword_makers is None else None
        self._makers = [self._model] if self._model else list(keyword_makers or [])
        self._seconds = settings.fulltext_timeout_seconds
        self._cluster = SearchCluster(
            EsConnection.from_settings(settings, urls=es_url),
            seconds=self._seconds,
            retries=settings.fulltext_retries,
        )

    def search(
        self, query: str, *, collections: Sequence[str], top_k: int = 10, filters: Filters | None = None
    ) -> list[DocumentWithScore]:
        """The ``top_k`` chunks of all ``collections`` that fit the words of ``query`` best, best first.

        When nothing has enough of the keywords, what has any of them is given; its metadata say so: ``relaxed``.
        BM25 depends on how texts are taken apart and on what else a collection has, so that scores can be compared
        only within one collection; several are merged by :func:`best_of`.

        Raises:
            InputError: the query is empty, there is no such collection or filter, or ``top_k`` is not 1–100.
            EmbsearchError: the search failed, and faults are ``strict``.
        """
        text = clean(query)
        filter_clauses(filters)
        names = list(dict.fromkeys(collections))
        checked_top_k(top_k)

        def search() -> list[DocumentWithScore]:
            with ends_within(self._seconds):
                keywords = Chain(self._makers).keywords(text) if self._makers else []
                question = _Question(text, keywords, names, top_k, filters)
                return self._cluster.within(lambda client: self._search(client, question))

        return softly(self.faults, "full-text search", search)

    def having(
        self, collection: str, scores: Mapping[str, float], top_k: int, filters: Filters | None
    ) -> list[DocumentWithScore]:
        """The ``top_k`` chunks whose texts have the hashes ``scores``, with these scores, best first.

        Raises:
            InputError: there is no such collection.
            EmbsearchError: the search failed.
        """
        if not scores:
            return []
        body = hash_body(scores, checked_top_k(top_k), filters)

        def ask(client: Elasticsearch) -> list[DocumentWithScore]:
            (answer,) = self._cluster.ask(client, [(self._cluster.served(client, collection), body)])
            return hash_results(answer, collection, scores)[:top_k]

        return self._cluster.within(ask)

    def count(self, collection: str) -> int:
        """How many documents ``collection`` serves.

        Raises:
            InputError: there is no such collection.
            EmbsearchError: the cluster does not say.
        """

        def ask(client: Elasticsearch) -> int:
            served = self._cluster.served(client, collection)
            with translated(client, f"count {collection}"):
                return int(client.count(index=served.generation)["count"])

        return self._cluster.within(ask)

    def close(self) -> None:
        """Close all connections."""
        self._cluster.close()
        if self._model is not None:
            self._model.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _search(self, client: Elasticsearch, question: _Question) -> list[DocumentWithScore]:
        served = [self._cluster.served(client, name) for name in question.collections]
        terms = [(one, Terms.of(self._keywords(client, question, one), one.analysis)) for one in served]
        asked = [(one, its) for one, its in terms if its.clauses]
        found = self._found(client, question, asked)
        if not any(found.values()):
            relaxed = self._found(client, question, asked, any_of=True)
            found = {name: [_relaxed(one) for one in each] for name, each in relaxed.items()}
        return best_of(found, score="bm25")[: question.top_k]

    def _found(
        self,
        client: Elasticsearch,
        question: _Question,
        asked: Sequence[tuple[Served, Terms]],
        *,
        any_of: bool = False,
    ) -> dict[str, list[DocumentWithScore]]:
        """By collection, best first."""
        bodies = [
            (one, text_body(its, one.analysis, question.top_k, question.filters, any_of=any_of)) for one, its in asked
        ]
        return {
            one.collection: text_results(answer, one.collection, its, one.analysis, question.top_k)
            for (one, its), answer in zip(asked, self._cluster.ask(client, bodies), strict=True)
        }

    def _keywords(self, client: Elasticsearch, question: _Question, served: Served) -> Sequence[str]:
        """A language model's, else those of the collection's analysis, else the query."""
        analyze = AnalyzeKeywords(client, served.generation, served.analysis, self._stop)
        found = question.keywords or Chain([analyze, RawQuery()]).keywords(question.text)
        if len(found) > self._most_keywords:
            log.info("of %d keywords of a query the first %d are searched for", len(found), self._most_keywords)
        return found[: self._most_keywords]
