"""The stop words: the project's lists and the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import InputError
from include.fulltext.stop_words import LANGUAGES, LISTS, plain, stop_words


def test_there_are_words_of_every_language() -> None:
    assert {"the", "です", "무엇", "什么"} <= stop_words()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_list_names_a_word_twice_or_otherwise_than_it_is_compared(language: str) -> None:
    lines = (LISTS / f"{language}.txt").read_text(encoding="utf-8").splitlines()
    listed = [line for line in lines if not line.startswith("#")]
    assert len(listed) == len(set(listed)) > 80
    assert listed == [plain(word) for word in listed]


def test_a_file_of_the_user_adds_its_words(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("\ufeff# ours\nＡＣＭＥ  # the shop's name\n\n特価\n", encoding="utf-8")
    assert stop_words(own) - stop_words() == {"acme", "特価"}


def test_a_file_that_is_missing_or_not_utf_8_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt.*EMBSEARCH_FULLTEXT_STOP_WORDS"):
        stop_words(tmp_path / "nowhere.txt")
    (tmp_path / "other.txt").write_bytes("が".encode("shift_jis"))
    with pytest.raises(InputError, match="other.txt"):
        stop_words(tmp_path / "other.txt")
