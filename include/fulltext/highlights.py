"""The places where a text has the words of a query, as HTML; made here where Elasticsearch knows only our tokens."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterator

from include.fulltext.stop_words import plain
from include.fulltext.tokens import tokens

FRAGMENTS = 3
FRAGMENT_CHARACTERS = 160
BEFORE = 40  # characters shown in front of a match
OPEN, CLOSE = "<em>", "</em>"

# What Elasticsearch is asked for where it makes the tokens.
REQUEST = {
    "encoder": "html",
    "pre_tags": [OPEN],
    "post_tags": [CLOSE],
    "fragment_size": FRAGMENT_CHARACTERS,
    "number_of_fragments": FRAGMENTS,
}


def highlight(text: str, terms: Collection[str], tokenizer: str) -> list[str]:
    """At most :data:`FRAGMENTS` parts of ``text``, in its order, with the tokens ``terms`` marked: escaped HTML.

    Chosen are those with the most different terms.
    """
    matches = sorted(_matches(text, frozenset(terms), tokenizer))
    fragments: list[tuple[int, int]] = []
    for start, _, _ in matches:
        if not fragments or start >= fragments[-1][1]:
            first = max(start - BEFORE, fragments[-1][1] if fragments else 0)
            fragments.append((first, min(first + FRAGMENT_CHARACTERS, len(text))))
    wealth = [
        len({term for start, end, term in matches if first <= start and end <= last}) for first, last in fragments
    ]
    best = sorted(range(len(fragments)), key=lambda number: -wealth[number])[:FRAGMENTS]
    spans = _joined([(start, end) for start, end, _ in matches])
    return [_marked(text, *fragments[number], spans) for number in sorted(best)]


def _matches(text: str, terms: frozenset[str], tokenizer: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and term of each."""
    for token in tokens(text, tokenizer):
        if token.text in terms:
            yield token.start, token.end, token.text
    if alone := {term for term in terms if len(term) == 1 and not term.isascii()}:
        for place, character in enumerate(text):
            if (normal := plain(character)) in alone:
                yield place, place + 1, normal


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap or touch as one."""
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _marked(text: str, first: int, last: int, spans: list[tuple[int, int]]) -> str:
    parts, place = [], first
    for start, end in spans:
        begin, stop = max(start, first), min(end, last)
        if begin < stop:
            parts += [html.escape(text[place:begin]), OPEN, html.escape(text[begin:stop]), CLOSE]
            place = stop
    return "".join([*parts, html.escape(text[place:last])])
