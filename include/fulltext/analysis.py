"""How an index takes texts apart: asked from the cluster once, kept in the index, the same for every search of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from elasticsearch import BadRequestError, Elasticsearch

from include.elastic.errors import translated
from include.elastic.index_generations import IndexGenerations
from include.errors import ContractError, InputError
from include.fulltext.tokens import BIGRAM, tokens

log = logging.getLogger(__name__)

ANALYSIS = "analysis"  # the key of _meta
TOKENS = "tokens"
AUTO = "auto"

_ANALYZERS = {  # kind → analyzer of documents, analyzer of queries
    "ik": ("ik_max_word", "ik_smart"),
    "kuromoji": ("kuromoji", "kuromoji"),
    "nori": ("nori", "nori"),
    "smartcn": ("smartcn", "smartcn"),
    "cjk": ("cjk", "cjk"),
    TOKENS: ("whitespace", "whitespace"),
    "standard": ("standard", "standard"),
}
_OF_LANGUAGE = {"ja": "kuromoji", "ko": "nori", "zh": "smartcn"}
_PROBE = "登山 등산 mountain"


@dataclass(frozen=True)
class Analysis:
    """Which analyzers an index has; of the kind ``tokens``, which tokenizer of the client's."""

    kind: str
    index_analyzer: str
    search_analyzer: str
    tokenizer: str = ""

    @property
    def by_client(self) -> bool:
        """Whether the client makes the tokens: they are in ``title_tokens`` and ``content_tokens``."""
        return self.kind == TOKENS

    @property
    def fields(self) -> tuple[str, str]:
        """The fields inside a chunk that are searched: of the title, of the content."""
        return ("title_tokens", "content_tokens") if self.by_client else ("title", "content")

    def query_text(self, text: str) -> str:
        """What a ``match`` on :attr:`fields` must be given so as to search for ``text``."""
        return " ".join(token.text for token in tokens(text, self.tokenizer)) if self.by_client else text

    def as_meta(self) -> dict[str, str]:
        """For ``_meta`` of the index."""
        found = {"kind": self.kind, "index_analyzer": self.index_analyzer, "search_analyzer": self.search_analyzer}
        return {**found, "tokenizer": self.tokenizer} if self.tokenizer else found

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`as_meta`."""
        return cls(**meta)


def named(kind: str, tokenizer: str = BIGRAM) -> Analysis:
    """The analysis of a kind, whether or not a cluster has it.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in _ANALYZERS:
        msg = f"Unknown analysis {kind!r}. There are: {', '.join((AUTO, *_ANALYZERS))}."
        raise InputError(msg)
    return Analysis(kind, *_ANALYZERS[kind], tokenizer if kind == TOKENS else "")


def choose(client: Elasticsearch, language: str, wanted: str = AUTO, tokenizer: str = BIGRAM) -> Analysis:
    """The analysis that ``wanted`` names, or of ``auto`` the first that the cluster has; the log says which and why.

    The order: IK, the plugin of the ``language`` (``ja``: kuromoji, ``ko``: nori, ``zh``: smartcn), ``cjk``, the
    project's own tokens.

    Raises:
        InputError: the cluster lacks what is asked for by name, or the tokenizer's package is missing.
    """
    if wanted != AUTO:
        analysis = named(wanted, tokenizer)
        if lacking := _lacking(client, analysis):
            msg = f"The cluster has no analyzer {lacking!r}: install its plugin on every node, or take analysis auto."
            raise InputError(msg)
        reason = "asked for by name"
    else:
        order = ["ik", *([_OF_LANGUAGE[language]] if language in _OF_LANGUAGE else []), "cjk", TOKENS]
        lacks = []
        for kind in order:
            analysis = named(kind, tokenizer)
            if not _lacking(client, analysis):
                break
            lacks.append(kind)
        reason = f"the cluster lacks {', '.join(lacks)}" if lacks else "the cluster has it"
    if analysis.by_client:
        tokens(_PROBE, analysis.tokenizer)  # its package must be there
    made = f", made by {analysis.tokenizer}" if analysis.tokenizer else ""
    log.info("analysis: %s%s, for language %s (%s)", analysis.kind, made, language, reason)
    return analysis


def analysis_of(generations: IndexGenerations, name: str) -> Analysis:
    """The analysis that the index or alias ``name`` was made with.

    Raises:
        InputError: there is no such index.
        ContractError: it holds no documents.
    """
    meta = generations.meta(name)
    if ANALYSIS not in meta:
        msg = f"{name} holds no documents (its _meta has no {ANALYSIS}). Give the name of a collection of documents."
        raise ContractError(msg)
    return Analysis.from_meta(meta[ANALYSIS])


def _lacking(client: Elasticsearch, analysis: Analysis) -> str | None:
    """The first of its analyzers that the cluster has not."""
    for analyzer in (analysis.index_analyzer, analysis.search_analyzer):
        with translated(client, f"try the analyzer {analyzer}"):
            try:
                client.indices.analyze(analyzer=analyzer, text=_PROBE)
            except BadRequestError:
                return analyzer
    return None
