"""Words that say nothing of what is searched for: lists of the project's own, and the user's beside them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

from include.errors import InputError

LISTS = Path(__file__).with_name("stop_word_lists")
LANGUAGES = ("en", "ja", "ko", "zh")


def plain(word: str) -> str:
    """A word as it is compared: NFKC, lower case."""
    return unicodedata.normalize("NFKC", word).lower().strip()


@lru_cache(maxsize=8)
def stop_words(own: Path | None = None) -> frozenset[str]:
    """The stop words of all four languages, and those of the file ``own``: one a line, ``#`` begins a comment.

    Raises:
        InputError: ``own`` does not exist or is not UTF-8.
    """
    files = [LISTS / f"{language}.txt" for language in LANGUAGES]
    return frozenset(word for path in [*files, *([own] if own else [])] for word in _read(path))


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"The stop words in {path} cannot be read: {error}. Correct EMBSEARCH_FULLTEXT_STOP_WORDS, or unset it."
        raise InputError(msg) from error
    return [word for line in lines if (word := plain(line.partition("#")[0]))]
