"""The words of a query, found without a dictionary: by the script they are written in, and by what stands between them.

Japanese is cut where the script changes and where particles stand, Korean at spaces and before particles, Chinese at
words such as 什么 and 如何. A word that is cut a little short does no harm: it is searched for by pairs of characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from include.fulltext.stop_words import plain

HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HIRAGANA = "\u3041-\u3096\u309d\u309e"
KATAKANA = "\u30a1-\u30fa\u30fc-\u30fe\u31f0-\u31ff"
HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"
_RUNS = re.compile(
    f"(?P<hangul>[{HANGUL}]+)|(?P<east>[{HAN}{HIRAGANA}{KATAKANA}]+)"
    f"|(?P<word>[^\\W_{HAN}{HIRAGANA}{KATAKANA}{HANGUL}]+(?:['’][a-z]+)?)"
)
_SCRIPTS = re.compile(f"(?P<han>[{HAN}]+)|(?P<hiragana>[{HIRAGANA}]+)|(?P<katakana>[{KATAKANA}]+)")
_KANA = re.compile(f"[{HIRAGANA}{KATAKANA}]")
_IDEOGRAPH = re.compile(f"[{HAN}]")
_LEADING = re.compile("^[をのはにへ]+")  # no ending of a verb or an adjective begins with these
LONGEST_PARTICLE = 12
SINGLE_PARTICLES = frozenset("をのにはがでともへやかなねよ")
SHORT_KANA = 4  # a word that stands alone, or a stop word, but no sentence
LONG_HAN = 5  # characters: in a shorter run 的 or 是 may well be part of a word, as in 目的

# Korean particles, the longest first; two syllables must be left.
_PARTICLES = re.compile(
    "(?<=..)(?:에서부터|으로부터|이라도|에서는|에서도|으로는|으로도|에게서|이라는|이란|라는|에서|에게|한테|께서|으로|부터|까지"
    "|처럼|보다|마다|조차|마저|밖에|이나|라도|에는|에도|와의|과의|로는|하고|이랑|랑|을|를|은|는|이|가|에|의|와|과|도|만|로)$"
)
# Forms of 하다, which makes verbs and adjectives of nouns: 세탁 of 세탁하려면.
_MADE_VERB = re.compile(
    "(?<=..)(?:하려면|하려고|하면|하는|하기|해서|해야|합니다|하나요|할까요|해요|했어요|했는데|하다|한다|한|할)$"
)


def words(text: str, stop: frozenset[str]) -> list[str]:
    """The words of ``text`` in order, each once, in NFKC and lower case, without those of ``stop``."""
    return [word for word in dict.fromkeys(_words(plain(text), stop)) if word and word not in stop]


def ideographs(word: str) -> list[str]:
    """The Chinese characters of a longer word, each once: 選 stays of 選ぶ in all its forms, 衣 and 服 of 衣服."""
    return list(dict.fromkeys(_IDEOGRAPH.findall(word))) if len(word) > 1 else []


def _words(text: str, stop: frozenset[str]) -> Iterator[str]:
    for run in _RUNS.finditer(text):
        if run.lastgroup == "word":
            yield run.group().replace("’", "'")
        elif run.lastgroup == "hangul":
            yield run.group() if run.group() in stop else _korean(run.group())
        elif _KANA.search(run.group()):
            yield from _japanese(run.group(), stop)
        else:
            yield from _chinese(run.group(), stop)


def _korean(run: str) -> str:
    """Without a particle, and without 하다."""
    noun = _MADE_VERB.sub("", run)
    return noun if noun != run else _MADE_VERB.sub("", _PARTICLES.sub("", run))


def _chinese(run: str, stop: frozenset[str]) -> Iterator[str]:
    if run in stop:
        return
    yield from _han_words(stop, single=len(run) >= LONG_HAN).split(run)


@lru_cache(maxsize=16)
def _han_words(stop: frozenset[str], *, single: bool) -> re.Pattern[str]:
    """The stop words that Chinese is cut at; single characters only where they are hardly ever part of a word."""
    alone = set("的了吗呢吧嗎是") if single else set()
    cut = [word for word in stop if re.fullmatch(f"[{HAN}]+", word) and (len(word) > 1 or word in alone)]
    return re.compile("|".join(sorted(cut, key=lambda word: (-len(word), word))) or "(?!)")


def _japanese(run: str, stop: frozenset[str]) -> Iterator[str]:
    before = ""  # a run of Chinese characters, whose word may end in kana
    for part in _SCRIPTS.finditer(run):
        text = part.group()
        if text == run and len(run) <= SHORT_KANA:
            yield run  # かさ is an umbrella, not か and さ
        elif part.lastgroup == "hiragana":
            kept = _without_particles(text, stop, alone=part.start() == 0)
            if before and kept and text.startswith(kept):
                yield before + kept
            else:
                yield before
                yield kept if len(kept) > 1 or kept == run else ""
            before = ""
        else:
            yield before
            before = text if part.lastgroup == "han" else ""
            yield text if part.lastgroup == "katakana" else ""
    yield before


def _without_particles(text: str, stop: frozenset[str], *, alone: bool) -> str:
    """A run of hiragana without the particles around it; nothing when there is nothing else."""
    kept = text[: _particles_from(text, stop)]
    if not kept:
        return ""
    if alone:
        return kept if len(kept) > 1 else text
    return _LEADING.sub("", kept)


def _particles_from(text: str, stop: frozenset[str]) -> int:
    """The first place from which on ``text`` is stop words and nothing else."""
    length = len(text)
    ends = [False] * length + [True]
    for start in range(length - 1, -1, -1):
        last = min(start + LONGEST_PARTICLE, length)
        ends[start] = any(ends[end] and _is_particle(text[start:end], stop) for end in range(start + 1, last + 1))
    return ends.index(True)


def _is_particle(text: str, stop: frozenset[str]) -> bool:
    """Of one character only what is no ending of a verb or an adjective, as い, た and て are."""
    return text in stop and (len(text) > 1 or text in SINGLE_PARTICLES)
