"""Seeded products and keywords of any size, each text once, in English, Japanese or Korean.

Text ``i`` is the combination of words whose number is an affine permutation of ``i``, so texts are unique, look mixed,
and are made one at a time. Past the last combination the texts go on with a number behind them.
"""

from __future__ import annotations

import math
import random
import string
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml

from include.generations.files import replacing

Kind = Literal["keywords", "products"]
Language = Literal["en", "ja", "ko"]

VOCABULARY = Path(__file__).with_name("vocabulary.yaml")


@lru_cache(maxsize=1)
def _vocabulary() -> dict[str, dict[str, Any]]:
    vocabulary: dict[str, dict[str, Any]] = yaml.safe_load(VOCABULARY.read_text(encoding="utf-8"))
    return vocabulary


def _slots(kind: Kind, language: Language) -> tuple[str, dict[str, list[str]]]:
    """The pattern of a text and the words for each of its places."""
    words = _vocabulary()[language]
    groups = words["groups"]
    pattern: str = words["keyword" if kind == "keywords" else "product"]
    slots = {
        "adjective": words["adjectives"],
        "audience": words["audiences"],
        "colour": words["colours"],
        "size": words["sizes"],
        "category": [group["category"] for group in groups],
        "theme": [theme for group in groups for theme in group["themes"]],
        "topic": [f"{group['category']} {theme}" for group in groups for theme in group["themes"]],
        "item": [item for group in groups for item in group["items"]],
    }
    used = {name for _, name, _, _ in string.Formatter().parse(pattern) if name}
    return pattern, {name: slots[name] for name in slots if name in used}


def generate(kind: Kind, count: int, *, language: Language = "ja", seed: int = 0) -> Iterator[str]:
    """``count`` texts; the same arguments give the same texts, and a smaller count gives the beginning of a larger."""
    pattern, slots = _slots(kind, language)
    total = math.prod(len(words) for words in slots.values())
    shuffle = random.Random(seed)  # noqa: S311 — test data, not secrets
    factor = next(f for f in iter(lambda: shuffle.randrange(total // 3, total), None) if math.gcd(f, total) == 1)
    offset = shuffle.randrange(total)
    for i in range(count):
        series, position = divmod(i, total)
        chosen = _words(slots, (factor * position + offset) % total)
        text = " ".join(pattern.format(**chosen).split())
        yield f"{text} {series + 1}" if series else text


def _words(slots: dict[str, list[str]], number: int) -> dict[str, str]:
    """The words of combination ``number``, read as a number with one digit a place."""
    chosen = {}
    for name, words in slots.items():
        number, digit = divmod(number, len(words))
        chosen[name] = words[digit]
    return chosen


def write_texts(path: Path, kind: Kind, count: int, *, language: Language, seed: int) -> None:
    """Write ``count`` texts to ``path``, one a line."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(text + "\n" for text in generate(kind, count, language=language, seed=seed))
