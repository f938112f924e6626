"""Whether a model knows the language of a query, told by the script that it is written in."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

from include.fulltext.results import DocumentWithScore, Filters, Runner
from include.fulltext.words import HAN, HANGUL, HIRAGANA, KATAKANA

log = logging.getLogger(__name__)

# Each script with the languages one of which must be known; Latin letters and all others pass.
_SCRIPTS = (
    (re.compile(f"[{HANGUL}]"), frozenset({"ko"})),
    (re.compile(f"[{HIRAGANA}{KATAKANA}]"), frozenset({"ja"})),
    (re.compile(f"[{HAN}]"), frozenset({"ja", "zh"})),
)


def readable(query: str, languages: Collection[str]) -> bool:
    """Whether a model of ``languages`` (none: not known) can make sense of ``query``."""
    known = frozenset(languages)
    return not known or all(known & needed for script, needed in _SCRIPTS if script.search(query))


class InLanguages:
    """A runner that is left out for queries in a script that its model does not know: what it finds would be chance."""

    def __init__(self, runner: Runner, languages: Collection[str]) -> None:
        self._runner, self._languages = runner, tuple(languages)
        self._told = False

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        """What the runner finds, or nothing.

        Raises:
            EmbsearchError: what the runner raises.
        """
        if readable(query, self._languages):
            return self._runner.search(query, top_k, filters)
        if not self._told:  # once for all queries of that kind
            log.info("the model knows only %s: other queries are searched by words alone", ", ".join(self._languages))
            self._told = True
        return []
