"""Marks in texts whose tokens the client made."""

from __future__ import annotations

from include.fulltext.highlights import FRAGMENT_CHARACTERS, FRAGMENTS, highlight
from include.fulltext.tokens import BIGRAM, tokens


def marks(text: str, query: str) -> list[str]:
    return highlight(text, {token.text for token in tokens(query)}, BIGRAM)


def test_pairs_that_touch_become_one_mark() -> None:
    assert marks("軽い登山リュックです", "登山リュック") == ["軽い<em>登山リュック</em>です"]


def test_the_marks_stand_in_the_text_as_it_was_given() -> None:
    assert marks("ＬＥＤ　ﾗｲﾄ", "led ライト") == ["<em>ＬＥＤ</em>　<em>ﾗｲﾄ</em>"]
    assert marks("Two Tents", "tent") == ["Two <em>Tents</em>"]


def test_a_single_character_is_marked_wherever_it_stands() -> None:
    assert marks("子猫と猫", "猫") == ["子<em>猫</em>と<em>猫</em>"]


def test_the_rest_is_escaped_so_that_a_page_may_show_it() -> None:
    assert marks("<b onclick='x'>tent</b> & co", "tent") == [
        "&lt;b onclick=&#x27;x&#x27;&gt;<em>tent</em>&lt;/b&gt; &amp; co"
    ]


def test_of_a_long_text_the_parts_with_the_most_terms_are_shown_in_its_order() -> None:
    filler = "x " * 200
    text = f"tent {filler} tent {filler} rope tent {filler} peg rope tent {filler}"
    shown = marks(text, "tent rope peg")
    assert len(shown) == FRAGMENTS
    assert [part.count("<em>") for part in shown] == [1, 2, 3]
    assert all(len(part.replace("<em>", "").replace("</em>", "")) <= FRAGMENT_CHARACTERS for part in shown)


def test_where_nothing_matches_nothing_is_shown() -> None:
    assert marks("a kettle", "tent") == []
