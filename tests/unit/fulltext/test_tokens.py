"""The project's own tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import InputError
from include.fulltext import tokens as module
from include.fulltext.tokens import indexed_text, singular, tokens


def words(text: str) -> list[str]:
    return [token.text for token in tokens(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("登山リュック", ["登山", "山リ", "リュ", "ュッ", "ック"]),
        ("방수등산가방을 샀다", ["방수", "수등", "등산", "산가", "가방", "방을", "샀다"]),
        ("中华 人民", ["中华", "人民"]),
        ("茶", ["茶"]),
        ("USB-C ケーブル 2m", ["usb", "c", "ケー", "ーブ", "ブル", "2m"]),
        ("カメラ・レンズ", ["カメ", "メラ", "レン", "ンズ"]),
        ("Batteries, boxes & glass", ["battery", "box", "glass"]),
        ("", []),
        ("!? …\n", []),
    ],
)
def test_pairs_of_east_asian_characters_and_whole_words(text: str, wanted: list[str]) -> None:
    assert words(text) == wanted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ＷＨ－１０００", "wh-1000"),
        ("ｶﾞﾗｽ", "ガラス"),
        ("①", "1"),
        ("cafe\u0301", "CAFÉ"),
        ("㌔", "キロ"),
        ("한글", "한글"),
    ],
)
def test_what_looks_the_same_gives_the_same_tokens(one: str, other: str) -> None:
    assert words(one) == words(other)


def test_a_particle_or_an_ending_keeps_no_word_from_being_found() -> None:
    assert set(words("등산가방")) <= set(words("방수등산가방을"))
    assert set(words("tent")) <= set(words("Two tents"))


@pytest.mark.parametrize(
    "text", ["登山リュックを買う", "ｶﾞﾗｽ製の Ｃup、𠮷野家", "Les cafés de Zoë", "İstanbul ﬁne", "①②③"]
)
def test_each_token_says_where_it_stands_in_the_text_as_given(text: str) -> None:
    for token in tokens(text):
        assert token.start < token.end
        assert token.text in words(text[token.start : token.end])


def test_a_lone_surrogate_is_no_word_and_breaks_nothing() -> None:
    assert words("ab \ud800 cd") == ["ab", "cd"]


def test_the_index_also_gets_single_characters_behind_the_rest_once_each() -> None:
    assert indexed_text("茶と茶器 tea") == "茶と と茶 茶器 tea 茶 と 器"


@given(
    st.text(
        st.one_of(st.sampled_from("aSéｶﾞがんはﾟ登山茶등산각ㄱ，！ＵßİΣ ́̈ﬁ①㍻ 　s\ud800"), st.characters()), max_size=60
    )
)
def test_documents_and_queries_have_the_same_tokens_whatever_the_text(text: str) -> None:
    indexed, wanted = indexed_text(text).split(), words(text)
    assert indexed[: len(wanted)] == wanted
    assert all(len(single) == 1 for single in indexed[len(wanted) :])


def test_a_word_that_no_query_has_is_cut() -> None:
    assert len(tokens("a" * 5000)[0].text) == module.LONGEST


@pytest.mark.parametrize(
    ("plural", "wanted"),
    [
        *(("shoes", "shoe"), ("berries", "berry"), ("watches", "watch"), ("boxes", "box"), ("cases", "case")),
        *(("headaches", "headach"), ("headache", "headach"), ("bus", "bus"), ("glass", "glass"), ("gas", "gas")),
        *(("campus", "campus"), ("tent", "tent"), ("ties", "tie")),
    ],
)
def test_plurals_become_singular(plural: str, wanted: str) -> None:
    assert singular(plural) == wanted


def test_an_unknown_tokenizer_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="Unknown tokenizer 'mecab'. There are: bigram, sudachi, kiwi, jieba"):
        tokens("text", "mecab")


@pytest.mark.parametrize(("name", "package"), [("sudachi", "sudachipy"), ("kiwi", "kiwipiepy"), ("jieba", "jieba")])
def test_a_package_that_is_not_installed_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setattr(module, "_cutters", {})
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(InputError, match=f"needs the package {package}, which is not installed.*pip install"):
        tokens("text", name)
