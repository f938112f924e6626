from __future__ import annotations

from include.model_export.reference_texts import BY_LANGUAGE, COMMON, TEXTS, ranking_texts, texts_for


def test_a_model_is_compared_on_texts_of_the_languages_that_it_names() -> None:
    japanese = texts_for(["ja"])

    assert set(japanese) == {*BY_LANGUAGE["ja"], *COMMON}
    assert all(len(texts) >= 8 for texts in BY_LANGUAGE.values())


def test_a_model_that_names_no_language_we_have_is_compared_on_all() -> None:
    assert texts_for([]) == texts_for(["fr"]) == TEXTS


def test_some_texts_are_longer_than_a_model_takes() -> None:
    assert max(len(text.split()) for text in COMMON) > 512


def test_ranks_are_compared_among_many_similar_names() -> None:
    assert len(ranking_texts(["ja"])) >= 100 + len(texts_for(["ja"]))
    assert len(set(ranking_texts(["en", "ja", "ko", "zh"]))) >= 360
