"""A text cut into chunks of equal length that overlap a little: the same text, the same chunks."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from include.errors import InputError
from include.sources.rows import MAX_TEXT_BYTES

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

CHARACTERS, TOKENS = "characters", "tokens"
HASH_CHARACTERS = 32  # of a hex SHA-256
BLOCK_CHARACTERS = 20_000  # taken apart at once, so that memory does not grow with the text
BYTES_OF_A_CHARACTER = 4  # at most, in UTF-8
CHARACTERS_OF_A_TOKEN = 20  # at most on average: a word that the model does not know is one token however long


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document's text, without white space around it."""

    number: int  # from 0
    start: int  # character offset of its first character
    text: str

    @property
    def hash(self) -> str:
        """The same for equal texts."""
        return text_hash(self.text)


def text_hash(text: str) -> str:
    """The field ``hash`` of all chunks with this text, by which they are found: the beginning of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:HASH_CHARACTERS]


def chunk_id(document_id: str, number: int) -> str:
    """``document:chunk``."""
    return f"{document_id}:{number}"


@dataclass(frozen=True)
class Chunking:
    """How an index's texts are cut; kept in its ``_meta``."""

    unit: str
    size: int
    overlap: int
    tokenizer: str = ""  # of tokens: which model's, and the beginning of the SHA-256 of its tokenizer.json

    def __post_init__(self) -> None:
        if self.overlap * 2 > self.size:
            msg = f"An overlap of {self.overlap} is more than half of a chunk of {self.size}. Give a smaller one."
            raise InputError(msg)

    def as_meta(self) -> dict[str, Any]:
        """For ``_meta`` of the index."""
        return asdict(self)

    @classmethod
    def from_meta(cls, meta: dict[str, Any]) -> Self:
        """The inverse of :meth:`as_meta`."""
        return cls(**meta)


@dataclass(frozen=True)
class Chunker:
    """Cuts texts as ``chunking`` says; of tokens, by ``tokenizer``."""

    chunking: Chunking
    tokenizer: Tokenizer | None = None

    def chunks(self, text: str) -> list[Chunk]:
        """The chunks of ``text``; none when there is only white space."""
        found: list[Chunk] = []
        for start, end in self._spans(text):
            part = text[start:end]
            stripped = part.strip()
            if stripped:
                found.append(Chunk(len(found), start + len(part) - len(part.lstrip()), stripped))
        return found

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        if self.tokenizer is not None:
            return self._token_spans(text)
        return _windows(len(text), self.chunking.size, self.chunking.overlap)

    def _token_spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Windows of tokens, each of which has no more than the size of them when it is taken apart on its own.

        None is longer than a text that vectors are made of: it would not be found by meaning.
        """
        edges = self._edges(text)
        size = self.chunking.size
        longest = size * CHARACTERS_OF_A_TOKEN

        def measure(first: int, end: int) -> int:
            part = text[edges[first] : edges[end]]
            if len(part) > longest:
                return -(-len(part) // CHARACTERS_OF_A_TOKEN)
            if (count := _bytes(part)) > MAX_TEXT_BYTES:
                return -(-size * count // MAX_TEXT_BYTES)
            return self._count(part.strip())

        for first, last in _windows(len(edges) - 1, size, self.chunking.overlap, measure):
            start, end = edges[first], edges[last]  # a single token may be longer than any word
            fits = _bytes(text[start:end]) <= MAX_TEXT_BYTES
            step = longest if fits else min(longest, MAX_TEXT_BYTES // BYTES_OF_A_CHARACTER)
            yield from ((at, min(at + step, end)) for at in range(start, end, step))

    def _edges(self, text: str) -> Sequence[int]:
        """Where tokens begin, in characters, and the end of the text."""
        edges = [0]
        for start, end in _blocks(text):
            assert self.tokenizer is not None  # noqa: S101 — for the type checker
            offsets = self.tokenizer.encode(text[start:end], add_special_tokens=False).offsets
            edges += sorted({start + first for first, last in offsets if last > first and start + first > edges[-1]})
        return [*edges, len(text)] if edges[-1] < len(text) else edges

    def _count(self, text: str) -> int:
        assert self.tokenizer is not None  # noqa: S101 — for the type checker
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    @cached_property
    def described(self) -> str:
        """For the log."""
        how = f"{self.chunking.size} {self.chunking.unit}, {self.chunking.overlap} of them shared with the next"
        return f"{how} (of {self.chunking.tokenizer})" if self.chunking.tokenizer else how


def _bytes(text: str) -> int:
    """In UTF-8; an upper bound where that is no more than a text may have."""
    most = len(text) * BYTES_OF_A_CHARACTER
    return most if most <= MAX_TEXT_BYTES else len(text.encode("utf-8"))


def _windows(
    count: int, size: int, overlap: int, measure: Callable[[int, int], int] | None = None
) -> Iterator[tuple[int, int]]:
    """Windows over ``count`` units as ``(first, end)``; one that measures more than ``size`` is shortened."""
    first = 0
    while first < count:
        end = min(first + size, count)
        while measure and end - first > 1 and (measured := measure(first, end)) > size:
            end = first + max(1, (end - first) * size // measured)
        yield first, end
        if end == count:
            return
        first = max(first + 1, end - overlap)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Cut between words where there are some, so that a tokenizer sees what it would see of the whole."""
    start = 0
    while start < len(text):
        end = min(start + BLOCK_CHARACTERS, len(text))
        if end < len(text):
            newline = text.rfind("\n", start + BLOCK_CHARACTERS // 2, end)
            space = text.rfind(" ", start + BLOCK_CHARACTERS // 2, end)
            end = max(newline, space) if max(newline, space) > start else end
        yield start, end
        start = end
