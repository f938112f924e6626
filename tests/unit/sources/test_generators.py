from itertools import islice

import pytest

from include.sources.generators import Kind, Language, generate


@pytest.mark.parametrize("language", ["en", "ja", "ko"])
@pytest.mark.parametrize("kind", ["keywords", "products"])
def test_texts_are_unique_even_past_the_last_combination_of_words(kind: Kind, language: Language) -> None:
    texts = list(generate(kind, 100_000, language=language))
    assert len(set(texts)) == len(texts)
    assert all(text == " ".join(text.split()) for text in texts[:1000])


def test_the_same_seed_gives_the_same_texts_and_a_smaller_count_their_beginning() -> None:
    many = list(generate("products", 500, seed=3))
    assert list(islice(generate("products", 500, seed=3), 500)) == many
    assert list(generate("products", 20, seed=3)) == many[:20]
    assert list(generate("products", 20, seed=4)) != many[:20]
