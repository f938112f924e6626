"""The chunker that a run asks for: counted in characters, or in tokens of the model that embeds the chunks."""

from __future__ import annotations

import logging
from typing import Any

from include.catalog.models import get_model
from include.errors import InputError
from include.fulltext.chunks import CHARACTERS, TOKENS, Chunker, Chunking
from include.fulltext.parameters import DocumentIndexParameters
from include.generations.files import sha256_of
from include.settings import Settings
from include.triton.repository import ModelRepository

log = logging.getLogger(__name__)

TOKENIZER = "tokenizer.json"
AUTO = "auto"


def chunker_for(parameters: DocumentIndexParameters, settings: Settings, *, served: dict[str, Any] | None) -> Chunker:
    """The chunker that ``parameters`` ask for; ``served`` is the chunking of the index that is served, if one is.

    Raises:
        InputError: tokens are asked for, and the model is not deployed here; or the overlap is too large.
    """
    _refuse_overlap(parameters.chunk_overlap, parameters.chunk_size, "")
    unit = parameters.chunk_unit
    if unit == AUTO and served is not None:
        unit = served["unit"]
    repository = ModelRepository(settings.model_repository)
    if unit != CHARACTERS:
        deployed = repository.served(parameters.model) if get_model(parameters.model, settings) else None
        if deployed is not None:
            return _of_model(parameters, settings, repository, deployed.version, deployed.max_length)
        if unit == TOKENS:
            msg = (
                f"Chunks are counted in tokens of {parameters.model}, which is not deployed in "
                f"{settings.model_repository}: deploy it, or take chunk_unit characters and rebuild."
            )
            raise InputError(msg)
    chunker = Chunker(Chunking(CHARACTERS, parameters.chunk_size, parameters.chunk_overlap))
    log.info("chunks: %s", chunker.described)
    return chunker


def _of_model(
    parameters: DocumentIndexParameters, settings: Settings, repository: ModelRepository, version: int, reads: int
) -> Chunker:
    from tokenizers import Tokenizer  # noqa: PLC0415 — not needed where characters are counted

    path = repository.folder(parameters.model, version) / TOKENIZER
    if not path.is_file():
        msg = f"{parameters.model} has no {TOKENIZER} in {path.parent}: take chunk_unit characters."
        raise InputError(msg)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    prefix = get_model(parameters.model, settings).prefixes.semantic
    room = reads - len(tokenizer.encode(prefix).ids)
    size = min(parameters.chunk_size, room)
    if size < parameters.chunk_size:
        log.warning(
            "%s reads %d tokens at a time: chunks are of %d tokens, not of %d",
            parameters.model, reads, size, parameters.chunk_size,
        )  # fmt: skip
    _refuse_overlap(parameters.chunk_overlap, size, f", the most that {parameters.model} reads")
    name = f"{parameters.model} {sha256_of(path)[:16]}"
    chunker = Chunker(Chunking(TOKENS, size, parameters.chunk_overlap, name), tokenizer)
    log.info("chunks: %s", chunker.described)
    return chunker


def _refuse_overlap(overlap: int, size: int, why: str) -> None:
    if overlap * 2 > size:
        msg = (
            f"chunk_overlap {overlap} is more than half of chunk_size {size}{why}. Give an overlap of at most "
            f"{size // 2}, or larger chunks."
        )
        raise InputError(msg)
