"""Tokens of the optional packages, by stand-ins for these.

A stand-in has the calls that the real package documents, over a lexicon of a few words: what is made of a package's
answers is shown here, and nothing of how well it cuts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from include.fulltext import tokens as module
from include.fulltext.analysis import named
from include.fulltext.highlights import highlight
from include.fulltext.tokens import indexed_text, tokens

SUDACHI_WORDS = {  # surface → part of speech, normalised form
    "登山": ("名詞", "登山"),
    "リュック": ("名詞", "リュック"),
    "ＵＳＢ": ("名詞", "ＵＳＢ"),
    "買っ": ("動詞", "買う"),
    "を": ("助詞", "を"),
    "た": ("助動詞", "た"),
    "。": ("補助記号", "。"),
    " ": ("空白", " "),
}
SUDACHI_BYTES = 49_149  # of one request
KIWI_WORDS = {
    "방수": "NNG", "등산": "NNG", "가방": "NNG", "깨끗": "XR", "GPS": "SL", "2": "SN",
    "을": "JKO", "하": "XSA", "다": "EF", ".": "SF",
}  # fmt: skip
JIEBA_WORDS = ("羽绒服", "清洗", "，", "Tents")


def _cut(text: str, words: Any) -> Iterator[re.Match[str]]:
    return re.finditer("|".join(map(re.escape, sorted(words, key=len, reverse=True))), text)


@dataclass
class StandInMorpheme:
    found: re.Match[str]

    def begin(self) -> int:
        return self.found.start()

    def end(self) -> int:
        return self.found.end()

    def part_of_speech(self) -> tuple[str, ...]:
        return (SUDACHI_WORDS[self.found.group()][0], "一般", "*", "*", "*", "*")

    def normalized_form(self) -> str:
        return SUDACHI_WORDS[self.found.group()][1]


class StandInSplitMode(Enum):
    A = "A"
    C = "C"


class StandInDictionary:
    def __init__(self, *, dict: str) -> None:  # noqa: A002 — as the package calls it
        assert dict == "core"

    def create(self, *, mode: StandInSplitMode) -> StandInDictionary:
        assert mode is StandInSplitMode.A
        return self

    def tokenize(self, text: str) -> list[StandInMorpheme]:
        assert len(text.encode()) <= SUDACHI_BYTES
        return [StandInMorpheme(found) for found in _cut(text, SUDACHI_WORDS)]


class StandInKiwi:
    def tokenize(self, text: str) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                form=found.group(), tag=KIWI_WORDS[found.group()], start=found.start(), len=len(found.group())
            )
            for found in _cut(text, KIWI_WORDS)
        ]


def stand_in_for_jieba(text: str, *, mode: str) -> Iterator[tuple[str, int, int]]:
    """In search mode the parts of a long word come before it."""
    assert mode == "search"
    for found in _cut(text, JIEBA_WORDS):
        if found.group() == "羽绒服":
            yield "羽绒", found.start(), found.start() + 2
        yield found.group(), found.start(), found.end()


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the packages, each a stand-in."""
    packages: dict[str, dict[str, Any]] = {
        "sudachipy": {"Dictionary": StandInDictionary, "SplitMode": StandInSplitMode},
        "sudachidict_core": {},
        "kiwipiepy": {"Kiwi": StandInKiwi},
        "jieba": {"tokenize": stand_in_for_jieba, "setLogLevel": lambda level: None},
    }
    monkeypatch.setattr(module, "_cutters", {})
    for name, content in packages.items():
        package = ModuleType(name, "A stand-in of the tests")
        vars(package).update(content)
        monkeypatch.setitem(sys.modules, name, package)


def places(text: str, tokenizer: str) -> list[tuple[str, str]]:
    """Each token beside what stands at its place."""
    return [(token.text, text[token.start : token.end]) for token in tokens(text, tokenizer)]


@pytest.mark.parametrize(
    ("tokenizer", "text", "wanted"),
    [
        ("sudachi", "登山リュックを\n\n買った。", [("登山", "登山"), ("リュック", "リュック"), ("買う", "買っ")]),
        ("sudachi", "ＵＳＢ 登山", [("usb", "ＵＳＢ"), ("登山", "登山")]),
        ("kiwi", "방수 등산가방을\n깨끗하다.", [(one, one) for one in ("방수", "등산", "가방", "깨끗")]),
        ("kiwi", "가방 2 GPS", [("가방", "가방"), ("2", "2"), ("gps", "GPS")]),
        ("jieba", "羽绒服，清洗", [(one, one) for one in ("羽绒", "羽绒服", "清洗")]),
        ("jieba", "清洗 Tents", [("清洗", "清洗"), ("tent", "Tents")]),
    ],
)
def test_words_of_a_stand_in_become_tokens_with_their_places_and_without_particles_and_signs(
    tokenizer: str, text: str, wanted: list[tuple[str, str]]
) -> None:
    assert places(text, tokenizer) == wanted


def test_a_line_longer_than_a_stand_in_takes_at_once_keeps_all_words_and_places() -> None:
    text = "登山" * SUDACHI_BYTES
    assert places(text, "sudachi") == [("登山", "登山")] * SUDACHI_BYTES


def test_documents_and_queries_and_marks_are_made_by_the_same_stand_in() -> None:
    assert indexed_text("등산가방을", "kiwi") == "등산 가방 등 산 가 방 을"
    assert named("tokens", "kiwi").query_text("가방을") == "가방"
    assert highlight("방수 등산가방을 <b>", {"등산", "가방"}, "kiwi") == ["방수 <em>등산가방</em>을 &lt;b&gt;"]


def test_a_stand_in_that_is_slow_to_load_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[StandInKiwi] = []

    def load() -> StandInKiwi:
        loaded.append(StandInKiwi())
        return loaded[-1]

    monkeypatch.setattr(sys.modules["kiwipiepy"], "Kiwi", load)
    for _ in range(3):
        assert places("가방", "kiwi") == [("가방", "가방")]
    assert len(loaded) == 1
