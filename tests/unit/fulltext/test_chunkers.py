"""Which chunker a run gets."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, processors
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from include.errors import InputError
from include.fulltext.chunkers import chunker_for
from include.fulltext.chunks import Chunking
from include.fulltext.parameters import DocumentIndexParameters
from include.settings import Settings
from include.triton.config_pbtxt import CONFIG, ServingConfig

pytestmark = pytest.mark.usefixtures("bare_settings")

TEXT = " ".join(f"w{number}" for number in range(1000))


def settings(folder: Path) -> Settings:
    return Settings(_env_file=None, model_repository=folder)


def parameters(**values: Any) -> DocumentIndexParameters:
    return DocumentIndexParameters(**{"model": "minilm", "chunk_unit": "auto", **values})


def deploy(folder: Path, *, max_length: int = 256) -> None:
    """A model as it lies in the repository, of which only the tokenizer is looked at."""
    config = ServingConfig(
        model="minilm", version=3, previous=0, fingerprint="f", build="b", dimension=384, max_length=max_length,
        pad_token_id=0, precision="fp32", runtime="onnxruntime", token_budget=512, max_batch_size=64, instances=1,
    )  # fmt: skip
    (folder / "minilm" / "3").mkdir(parents=True)
    config.write(folder / "minilm" / CONFIG)
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.enable_truncation(max_length)
    tokenizer.save(str(folder / "minilm" / "3" / "tokenizer.json"))


def test_chunks_are_of_what_the_deployed_model_reads_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deploy(tmp_path)
    with caplog.at_level(logging.WARNING):
        chunker = chunker_for(parameters(), settings(tmp_path), served=None)
    assert "minilm reads 256 tokens at a time: chunks are of 254 tokens, not of 400" in caplog.text
    first, second, *_ = chunker.chunks(TEXT)
    assert len(first.text.split()) == 254
    assert second.text.split()[:20] == first.text.split()[-20:]
    assert chunker.chunking.tokenizer.startswith("minilm ")


def test_a_model_that_reads_enough_changes_nothing(tmp_path: Path) -> None:
    deploy(tmp_path, max_length=512)
    chunker = chunker_for(parameters(chunk_unit="tokens"), settings(tmp_path), served=None)
    assert (chunker.chunking.unit, chunker.chunking.size, chunker.chunking.overlap) == ("tokens", 400, 20)


def test_where_no_model_is_deployed_characters_are_counted_unless_tokens_are_asked_for(tmp_path: Path) -> None:
    chunker = chunker_for(parameters(), settings(tmp_path), served=None)
    assert chunker.chunking == Chunking("characters", 400, 20)
    with pytest.raises(InputError, match="tokens of minilm, which is not deployed in"):
        chunker_for(parameters(chunk_unit="tokens"), settings(tmp_path), served=None)


def test_auto_goes_on_in_the_unit_of_the_served_index(tmp_path: Path) -> None:
    deploy(tmp_path)
    served = Chunking("characters", 400, 20).as_meta()
    assert chunker_for(parameters(), settings(tmp_path), served=served).chunking.unit == "characters"
    assert chunker_for(parameters(chunk_unit="tokens"), settings(tmp_path), served=served).chunking.unit == "tokens"


def test_a_model_that_was_taken_away_does_not_silently_change_how_texts_are_cut(tmp_path: Path) -> None:
    served = Chunking("tokens", 254, 20, "minilm 0123").as_meta()
    with pytest.raises(InputError, match="not deployed"):
        chunker_for(parameters(), settings(tmp_path), served=served)


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Unknown model 'none'"):
        chunker_for(parameters(model="none"), settings(tmp_path), served=None)


@pytest.mark.parametrize("unit", ["auto", "tokens", "characters"])
def test_an_overlap_of_more_than_half_a_chunk_is_refused_in_every_unit(tmp_path: Path, unit: str) -> None:
    deploy(tmp_path)
    asked = parameters(chunk_unit=unit, chunk_size=20, chunk_overlap=11)
    with pytest.raises(InputError, match="chunk_overlap 11 is more than half of chunk_size 20. Give .* at most 10"):
        chunker_for(asked, settings(tmp_path), served=None)
    fits = parameters(chunk_unit=unit, chunk_size=20, chunk_overlap=10)
    assert chunker_for(fits, settings(tmp_path), served=None).chunking.overlap == 10


def test_nor_is_the_overlap_of_chunks_that_the_model_makes_smaller_made_smaller_in_silence(tmp_path: Path) -> None:
    deploy(tmp_path)
    with pytest.raises(InputError, match="chunk_overlap 150 .* chunk_size 254, the most that minilm reads"):
        chunker_for(parameters(chunk_overlap=150), settings(tmp_path), served=None)
