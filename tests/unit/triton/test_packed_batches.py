"""How texts are packed into runs for a GPU; no GPU is needed for that."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from include.settings import PROJECT_ROOT
from include.sources.generators import Language, generate


@pytest.fixture(scope="module")
def batches() -> ModuleType:
    path = PROJECT_ROOT / "triton_models" / "gpu_packed" / "packed_batches.py"
    spec = importlib.util.spec_from_file_location("packed_batches", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "packed_batches", module)  # its data classes look for it there
        spec.loader.exec_module(module)
    return module


LENGTHS = st.lists(st.integers(min_value=1, max_value=400), max_size=200)
BUDGETS = st.lists(st.integers(min_value=8, max_value=500), min_size=1, max_size=5, unique=True).map(sorted)


@given(lengths=LENGTHS, budgets=BUDGETS)
def test_every_text_is_in_one_run_in_its_order(batches: ModuleType, lengths: list[int], budgets: list[int]) -> None:
    runs = batches.cut(np.arange(len(lengths)), np.array(lengths, np.int64), budgets)

    assert [int(row) for run in runs for row in run.rows] == list(range(len(lengths)))


@given(lengths=LENGTHS, budgets=BUDGETS)
def test_no_run_passes_its_budget_or_its_places(batches: ModuleType, lengths: list[int], budgets: list[int]) -> None:
    array = np.array(lengths, np.int64)

    for run in batches.cut(np.arange(len(array)), array, budgets):
        assert run.tokens == array[run.rows].sum() <= run.budget
        if run.budget in budgets:
            assert len(run.rows) <= batches.slots(run.budget)
            smaller = [budget for budget in budgets if budget < run.budget]
            assert all(run.tokens > budget or len(run.rows) > batches.slots(budget) for budget in smaller)
        else:
            assert len(run.rows) == 1  # longer than all budgets: by itself


@given(lengths=LENGTHS)
def test_long_texts_do_not_share_a_run_with_short_ones(batches: ModuleType, lengths: list[int]) -> None:
    array = np.array(lengths, np.int64)

    runs = batches.plan(array, batches.BUDGETS)

    assert sorted(int(row) for _, run in runs for row in run.rows) == list(range(len(lengths)))
    for lane, run in runs:
        longest = array[run.rows].max()
        if lane:
            assert longest <= lane
            assert run.budget in batches.BUDGETS[lane]
        else:
            assert longest > max(batches.BUDGETS)
            assert run.budget == run.tokens


@given(lengths=st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=20))
def test_packed_texts_can_be_read_back(batches: ModuleType, lengths: list[int]) -> None:
    texts = [np.arange(length, dtype=np.int32) + 100 * row for row, length in enumerate(lengths)]

    packed = batches.pack(texts, sum(lengths) + 7, len(texts) + 3)

    for row, text in enumerate(texts):
        start, end = packed.starts[row : row + 2]
        assert packed.ids[start:end].tolist() == text.tolist()
        assert packed.positions[start:end].tolist() == list(range(len(text)))
        assert set(packed.owners[start:end].tolist()) == {row}
    assert packed.owners[sum(lengths) :].tolist() == [len(texts) + 3] * 7  # padding goes to the row that is dropped
    assert packed.starts[len(texts) :].tolist() == [sum(lengths)] * 4


@pytest.mark.parametrize("words", [True, False], ids=["words", "characters"])
@pytest.mark.parametrize(("language", "prefix"), [("ja", "検索クエリ: "), ("en", "query: "), ("ko", "query: ")])
def test_runs_of_product_names_are_filled_to_97_percent(
    batches: ModuleType, language: Language, prefix: str, words: bool
) -> None:
    names = [prefix + name for name in generate("products", 8_192, language=language)]
    lengths = token_lengths(names, words=words)

    for texts, least in ((1024, 0.95), (4096, 0.97)):  # of one execution: one large request, or several joined
        runs = [
            run
            for start in range(0, len(names), texts)
            for run in batches.plan(lengths[start : start + texts], batches.BUDGETS)
        ]
        assert {lane for lane, _ in runs} <= {batches.SHORT, batches.MEDIUM}  # all of them recorded
        assert batches.fill(runs) >= least


def token_lengths(names: list[str], *, words: bool) -> np.ndarray:
    """By tokenizers that are trained on them: of whole words, or nearly of characters; real ones are in between."""
    special = ["<s>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>") if words else models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer: Any = (
        trainers.BpeTrainer(special_tokens=special, show_progress=False)
        if words
        else trainers.UnigramTrainer(special_tokens=special, unk_token="<unk>", show_progress=False)
    )
    tokenizer.train_from_iterator(names, trainer)
    ids = [("<s>", 0), ("</s>", 1)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ids)
    return np.array([len(encoding.ids) for encoding in tokenizer.encode_batch_fast(names)], np.int64)
