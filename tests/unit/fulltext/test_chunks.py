"""Texts cut into chunks."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE, WordLevel
from tokenizers.pre_tokenizers import ByteLevel, Whitespace

from include.errors import InputError
from include.fulltext.chunks import BLOCK_CHARACTERS, CHARACTERS, CHARACTERS_OF_A_TOKEN, TOKENS, Chunker, Chunking
from include.sources.rows import Unusable, as_row


def characters(size: int = 100, overlap: int = 20) -> Chunker:
    return Chunker(Chunking(CHARACTERS, size, overlap))


def by_words(size: int, overlap: int) -> Chunker:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return Chunker(Chunking(TOKENS, size, overlap, "words"), tokenizer)


def by_bytes(size: int, overlap: int) -> Chunker:
    alphabet = {character: number for number, character in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Tokenizer(BPE(alphabet, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return Chunker(Chunking(TOKENS, size, overlap, "bytes"), tokenizer)


def test_chunks_of_characters_have_the_size_and_share_the_overlap() -> None:
    text = "".join(chr(0x4E00 + number) for number in range(250))
    chunks = characters().chunks(text)
    assert [(chunk.number, chunk.start, len(chunk.text)) for chunk in chunks] == [
        (0, 0, 100),
        (1, 80, 100),
        (2, 160, 90),
    ]


def test_no_chunk_is_only_the_overlap_of_the_one_before() -> None:
    assert len(characters().chunks("x" * 100)) == 1
    assert len(characters().chunks("x" * 101)) == 2


def test_white_space_around_a_chunk_is_not_part_of_it_and_a_blank_text_has_none() -> None:
    (chunk,) = characters().chunks("  \n tent \n")
    assert (chunk.start, chunk.text) == (4, "tent")
    assert characters().chunks(" \n\u3000") == []


@pytest.mark.parametrize(
    "chunker", [characters(), by_words(10, 3), by_bytes(50, 5)], ids=["characters", "words", "bytes"]
)
def test_together_the_chunks_are_the_text_and_each_stands_where_it_says(chunker: Chunker) -> None:
    text = "登山用のリュックは 40 litres, 등산 가방 추천! " * 40
    chunks = chunker.chunks(text)
    covered = set()
    for chunk in chunks:
        assert text[chunk.start : chunk.start + len(chunk.text)] == chunk.text
        covered |= set(range(chunk.start, chunk.start + len(chunk.text)))
    assert {place for place, character in enumerate(text) if not character.isspace()} <= covered
    assert chunker.chunks(text) == chunks


def test_chunks_of_tokens_have_that_many_words() -> None:
    chunks = by_words(10, 2).chunks(" ".join(f"w{number}" for number in range(24)))
    assert [chunk.text.split()[0] for chunk in chunks] == ["w0", "w8", "w16"]
    assert [len(chunk.text.split()) for chunk in chunks] == [10, 10, 8]


def test_no_chunk_has_more_tokens_than_asked_where_a_character_is_several() -> None:
    chunker = by_bytes(40, 4)
    chunks = chunker.chunks("登山用のリュック" * 50)
    counts = [len(chunker.tokenizer.encode(chunk.text).ids) for chunk in chunks if chunker.tokenizer]
    assert max(counts) <= 40
    assert min(counts[:-1]) > 30


def test_a_text_longer_than_a_block_is_cut_as_evenly_as_a_short_one() -> None:
    text = "word " * (BLOCK_CHARACTERS // 2)
    chunks = by_words(100, 10).chunks(text)
    assert {len(chunk.text.split()) for chunk in chunks[:-1]} == {100}


def test_a_word_without_end_is_one_token_and_yet_no_endless_chunk() -> None:
    chunks = by_words(20, 2).chunks("x" * 100_000)
    assert max(len(chunk.text) for chunk in chunks) <= 20 * CHARACTERS_OF_A_TOKEN


LARGEST = 8192  # that a chunk may be asked to have


@pytest.mark.parametrize(
    ("chunker", "text"),
    [
        (by_words(LARGEST, 20), f"{'登' * 9} " * 3 * LARGEST),
        (by_words(LARGEST, 20), "𠮷" * 200_000),
        (by_words(LARGEST, 20), f"short words and then {'𠮷' * 60_000} and again short words"),
        (characters(LARGEST, 20), "𠮷" * 3 * LARGEST),
    ],
    ids=["long-words", "one-word", "one-long-word", "characters"],
)
def test_no_chunk_is_longer_than_a_text_that_vectors_are_made_of(chunker: Chunker, text: str) -> None:
    chunks = chunker.chunks(text)
    assert [row for row in (as_row(0, chunk.text.encode()) for chunk in chunks) if isinstance(row, Unusable)] == []
    covered = {at for chunk in chunks for at in range(chunk.start, chunk.start + len(chunk.text))}
    assert {at for at, character in enumerate(text) if not character.isspace()} <= covered


def test_a_chunk_that_vectors_can_be_made_of_is_not_cut_for_its_length() -> None:
    (chunk,) = by_words(LARGEST, 20).chunks("seven77 " * LARGEST)
    assert len(chunk.text) == LARGEST * 8 - 1


def test_equal_texts_have_equal_hashes() -> None:
    first, second = (characters().chunks(text)[0] for text in ("tent", "  tent "))
    assert first.hash == second.hash
    assert len(first.hash) == 32


def test_an_overlap_of_more_than_half_is_refused() -> None:
    with pytest.raises(InputError, match="An overlap of 60 is more than half of a chunk of 100"):
        Chunking(CHARACTERS, 100, 60)
