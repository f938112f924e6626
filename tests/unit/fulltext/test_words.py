"""The words of a query, without a dictionary."""

from __future__ import annotations

import time

import pytest

from include.fulltext.stop_words import stop_words
from include.fulltext.words import ideographs, words

WORDS = {
    # Japanese: where the script changes, and at particles
    "防水の登山リュックの選び方": ["防水", "登山", "リュック", "選び"],
    "リュックを選ぶときに大切なこと": ["リュック", "選ぶ", "大切"],
    "靴をえらぶときに大切なこと": ["靴", "えらぶ", "大切"],
    "おすすめの折りたたみ傘は何ですか": ["おすすめ", "折りたたみ", "傘"],
    "ノートPCが入るバッグ": ["ノート", "pc", "入る", "バッグ"],
    "猫": ["猫"],
    "かさ 軽い": ["かさ", "軽い"],
    "目的地": ["目的地"],
    # Korean: at spaces and before particles
    "등산가방을 고르는 방법은 무엇인가요?": ["등산가방", "고르"],
    "배낭에서 물이 샙니다": ["배낭", "물이", "샙니다"],
    "등산가방을 세탁하려면": ["등산가방", "세탁"],
    "필요한 것을 구매하기는": ["필요", "구매"],
    # Chinese: at words such as 如何
    "如何清洗羽绒服的污渍": ["清洗羽绒服", "污渍"],
    "为什么鞋子会湿": ["鞋子会湿"],
    # English
    "What should I check before buying hiking backpacks?": ["check", "buying", "hiking", "backpacks"],
    "Don't panic, don’t PANIC": ["panic"],
    "USB-C 3.1 充電器": ["usb", "c", "3", "1", "充電器"],
}


@pytest.mark.parametrize("query", WORDS)
def test_the_words_of_a_query_are_found_in_four_languages(query: str) -> None:
    assert words(query, stop_words()) == WORDS[query]


@pytest.mark.parametrize("query", ["これは何ですか", "the of and to", "什么是", "그리고 어떻게", "…!?", " "])
def test_a_query_of_stop_words_has_no_word(query: str) -> None:
    assert words(query, stop_words()) == []


def test_widths_and_cases_are_one() -> None:
    assert words("ＬＥＤ　ﾗｲﾄ", frozenset()) == words("led ライト", frozenset()) == ["led", "ライト"]


def test_a_word_is_named_once_in_the_order_of_the_query() -> None:
    assert words("tent rope tent", frozenset()) == ["tent", "rope"]


def test_of_longer_words_the_chinese_characters_are_known() -> None:
    assert ideographs("折りたたみ傘") == ["折", "傘"]
    assert [ideographs(word) for word in ("選ぶ", "衣服", "傘", "リュック", "red", "가방")] == [
        ["選"], ["衣", "服"], [], [], [], [],
    ]  # fmt: skip


@pytest.mark.parametrize("part", ["では", "には", "의에", "什么", "a ", "の山", "とても、"])
def test_a_long_query_takes_no_longer_than_its_length(part: str) -> None:
    began = time.process_time()
    words(part * 5000 + "ぬ", stop_words())
    assert time.process_time() - began < 5  # what grows with the square or worse takes minutes
