"""The project's own tokens: the same in every cluster, and good for Japanese, Korean, Chinese and English alike.

A text becomes NFKC in lower case; runs of Chinese characters, kana and Hangul become overlapping pairs
(`登山リュック` → `登山 山リ リュ ュッ ック`), so that a word is found wherever it stands, without a dictionary and
whatever particle follows; other words stay whole, English plurals are made singular. The client makes them for
documents and queries alike; in Elasticsearch they are words between spaces.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from include.errors import InputError

BIGRAM = "bigram"
# Chinese characters, kana, Hangul, and the marks that repeat or lengthen; not the middle dot, which separates words.
_PAIRED = (
    "\u3005\u3007\u3041-\u3096\u309d\u309e\u30a1-\u30fa\u30fc-\u30fe\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3\U00020000-\U0003ffff"
)
_RUNS = re.compile(f"([{_PAIRED}]+)|([^\\W_{_PAIRED}]+)")
_PAIRED_CHARACTER = re.compile(f"[{_PAIRED}]")
_JOINED = re.compile(f"[{chr(0xFF9E)}{chr(0xFF9F)}\u1160-\u11ff]")  # they become one with what is before them
_MARKS = re.compile("[\u0300-\u036f]")  # accents that no letter has taken in
LONGEST = 255  # characters of a word: what is longer is nobody's query


@dataclass(frozen=True, slots=True)
class Token:
    """What is searched for, and where it stands in the text as it was given."""

    text: str
    start: int  # character offsets
    end: int


def tokens(text: str, tokenizer: str = BIGRAM) -> list[Token]:
    """The tokens of ``text`` in order; a run of one character is a token of its own.

    Raises:
        InputError: there is no such tokenizer, or its package is not installed.
    """
    if tokenizer == BIGRAM:
        return list(_pairs_and_words(text))
    return list(_dictionary(tokenizer)(text))


def indexed_text(text: str, tokenizer: str = BIGRAM) -> str:
    """What the index gets of ``text``: its tokens, and behind them each of its paired characters once.

    The latter are for queries of a single character; behind the rest they spoil no phrase.
    """
    found = _terms(text) if tokenizer == BIGRAM else [token.text for token in tokens(text, tokenizer)]
    singles = dict.fromkeys(_PAIRED_CHARACTER.findall(unicodedata.normalize("NFKC", text)))
    return " ".join([*found, *singles])


def _pairs_and_words(text: str) -> Iterator[Token]:
    plain, places = _normalised(text)
    for run in _RUNS.finditer(plain):
        first, end = run.span()
        if run.group(2) is not None:
            yield Token(_word_term(run.group()), *_span(places, first, end))
        elif end - first == 1:
            yield Token(run.group(), *_span(places, first, end))
        else:
            for place in range(first, end - 1):
                yield Token(plain[place : place + 2], *_span(places, place, place + 2))


def _terms(text: str) -> list[str]:
    """The texts of :func:`_pairs_and_words` without their places, three times as fast."""
    found: list[str] = []
    for run in _RUNS.finditer(_plain(text)):
        characters = run.group()
        if run.group(2) is not None:
            found.append(_word_term(characters))
        elif len(characters) == 1:
            found.append(characters)
        else:
            found += map(operator.add, characters, characters[1:])
    return found


def _plain(text: str) -> str:
    """The text of :func:`_normalised`."""
    distinct = set(text)
    lower = text.lower()
    if (len(lower) == len(text) and unicodedata.is_normalized("NFKC", lower)) or any(
        map(_belongs_to_previous, distinct)
    ):
        return _normalised(text)[0]
    return text.translate({ord(one): _normal_of_one(one) for one in distinct})


def _normal(cluster: str) -> str:
    """A character, with the marks behind it, as it is compared."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", cluster).lower())


_normal_of_one = lru_cache(maxsize=10_000)(_normal)  # of a character without marks: of a cluster there is no end


def _word_term(word: str) -> str:
    return singular(_without_accents(word))[:LONGEST]


def _span(places: list[tuple[int, int]] | None, first: int, end: int) -> tuple[int, int]:
    return (first, end) if places is None else (places[first][0], places[end - 1][1])


def _normalised(text: str) -> tuple[str, list[tuple[int, int]] | None]:
    """NFKC in lower case, and for each of its characters its place in ``text``; ``None`` when nothing has moved."""
    lower = text.lower()
    if len(lower) == len(text) and unicodedata.is_normalized("NFKC", lower):
        return lower, None
    plain: list[str] = []
    places: list[tuple[int, int]] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _belongs_to_previous(text[end]):
            continue
        normal = _normal(text[start:end])
        plain.append(normal)
        places += [(start, end)] * len(normal)
        start = end
    return "".join(plain), places


def _belongs_to_previous(character: str) -> bool:
    return unicodedata.combining(character) != 0 or _JOINED.match(character) is not None


def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c)) or word


def singular(word: str) -> str:
    """An English word without the ending of its plural; other words as they are.

    Source: D. Harman, "How effective is suffixing?", JASIS 42 (1991): the S stemmer; besides, `watches` and `boxes`
    become `watch` and `box`, and so that `headaches` goes with it, `headache` becomes `headach`.
    """
    if len(word) < 4 or not word.isascii():
        return word
    if len(word) > 4 and word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if word.endswith("che") or (word.endswith("s") and not word.endswith(("us", "ss"))):
        return word[:-1]
    return word


Cutter = Callable[[str], Iterator[Token]]
_cutters: dict[str, Cutter] = {}


def _dictionary(name: str) -> Cutter:
    """The cutter of an optional package, loaded once."""
    if name not in _MAKERS:
        msg = f"Unknown tokenizer {name!r}. There are: {', '.join((BIGRAM, *_MAKERS))}."
        raise InputError(msg)
    if name not in _cutters:
        _cutters[name] = _MAKERS[name]()
    return _cutters[name]


def _package(name: str, tokenizer: str, install: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        msg = (
            f"The tokenizer {tokenizer!r} needs the package {name}, which is not installed ({error}). Install it "
            f"(pip install {install}) wherever documents are indexed or searched, or set EMBSEARCH_FULLTEXT_TOKENIZER="
            f"{BIGRAM} and index anew."
        )
        raise InputError(msg) from error


def _sudachi() -> Cutter:
    package = _package("sudachipy", "sudachi", "sudachipy sudachidict_core")
    _package("sudachidict_core", "sudachi", "sudachidict_core")
    # The shortest units find the most; one request is limited in bytes, so long texts go in line by line.
    cutter = package.Dictionary(dict="core").create(mode=package.SplitMode.A)

    def cut(text: str) -> Iterator[Token]:
        for start, line in _lines(text):
            for word in cutter.tokenize(line):
                if word.part_of_speech()[0] not in {"助詞", "助動詞", "補助記号", "空白", "記号"}:
                    yield from _word(word.normalized_form(), start + word.begin(), start + word.end())

    return cut


def _kiwi() -> Cutter:
    cutter = _package("kiwipiepy", "kiwi", "kiwipiepy").Kiwi()

    def cut(text: str) -> Iterator[Token]:
        for start, line in _lines(text):
            for word in cutter.tokenize(line):
                if word.tag[0] not in "JESX" or word.tag in {"SL", "SN", "SH", "XR"}:
                    yield from _word(word.form, start + word.start, start + word.start + word.len)

    return cut


def _jieba() -> Cutter:
    package = _package("jieba", "jieba", "jieba")
    package.setLogLevel("WARNING")

    def cut(text: str) -> Iterator[Token]:
        for word, start, end in package.tokenize(text, mode="search"):
            yield from _word(word, start, end)

    return cut


_MAKERS: dict[str, Callable[[], Cutter]] = {"sudachi": _sudachi, "kiwi": _kiwi, "jieba": _jieba}
_LINE = re.compile(r"[^\n]{1,4000}")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for line in _LINE.finditer(text):
        yield line.start(), line.group()


def _word(word: str, start: int, end: int) -> Iterator[Token]:
    """One token of a dictionary's word, when it holds a letter or a digit; a space inside would make it two."""
    plain = unicodedata.normalize("NFKC", word).lower()
    parts = [run.group() for run in _RUNS.finditer(plain)]
    if parts:
        yield Token(singular("".join(parts))[:LONGEST], start, end)
