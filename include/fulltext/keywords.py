"""What a query is searched by: a language model's keywords, else those of the index's own analysis, else itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from elasticsearch import Elasticsearch

from include.elastic.errors import translated
from include.errors import EmbsearchError
from include.fulltext.analysis import Analysis
from include.fulltext.stop_words import plain
from include.fulltext.tokens import BIGRAM, tokens
from include.fulltext.words import words

log = logging.getLogger(__name__)

ANALYZED_CHARACTERS = 5000  # Elasticsearch makes at most 10,000 tokens of one text


class KeywordMaker(Protocol):
    """Finds the keywords of queries."""

    name: str  # for the log

    def keywords(self, query: str) -> list[str]:
        """The keywords of ``query``, none when it has none.

        Raises:
            EmbsearchError: they cannot be found now; the message says why.
        """
        ...


class RawQuery:
    """The query as it stands."""

    name = "raw query"

    def keywords(self, query: str) -> list[str]:
        """One keyword."""
        return [query] if query.strip() else []


class AnalyzeKeywords:
    """The words that an index's own analysis finds in a query, without stop words."""

    name = "analysis"

    def __init__(self, client: Elasticsearch, index: str, analysis: Analysis, stop: frozenset[str]) -> None:
        self._client, self._index, self._analysis, self._stop = client, index, analysis, stop

    def keywords(self, query: str) -> list[str]:
        """In the order of the query, each once.

        Raises:
            EmbsearchError: Elasticsearch does not answer, or refuses.
        """
        text = query[:ANALYZED_CHARACTERS]
        if self._analysis.by_client:
            if self._analysis.tokenizer == BIGRAM:
                return words(text, self._stop)
            found = [token.text for token in tokens(text, self._analysis.tokenizer)]
        else:
            with translated(self._client, f"analyse a query for {self._index}"):
                answer = self._client.indices.analyze(
                    index=self._index, analyzer=self._analysis.search_analyzer, text=text
                )
            found = [token["token"] for token in answer["tokens"]]
        return [word for word in dict.fromkeys(found) if plain(word) not in self._stop]


class Chain:
    """The keywords of the first maker that has some; the log says why one before it has none."""

    name = "chain"

    def __init__(self, makers: Sequence[KeywordMaker]) -> None:
        self._makers = makers

    def keywords(self, query: str) -> list[str]:
        """Those of the first that has some; none when no maker has."""
        for maker in self._makers:
            try:
                found = maker.keywords(query)
            except EmbsearchError as error:
                log.warning("no keywords by %s: %s", maker.name, error)
                continue
            if found:
                log.debug("keywords by %s: %s", maker.name, found)
                return found
            log.info("no keywords by %s: it finds only stop words, or nothing", maker.name)
        return []
