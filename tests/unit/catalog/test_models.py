import pytest

from include.catalog.fingerprint import model_fingerprint, vector_fingerprint
from include.catalog.models import get_model
from include.errors import InputError


def test_prefixes_are_those_that_the_models_were_trained_with() -> None:
    ruri, e5, bge = get_model("ruri_v3"), get_model("multilingual_e5_large"), get_model("bge_m3")
    assert ruri.with_prefix(["登山"], "query") == ["検索クエリ: 登山"]
    assert ruri.with_prefix(["登山"], "document") == ["検索文書: 登山"]
    assert ruri.with_prefix(["登山"], "semantic") == ["登山"]
    assert e5.with_prefix(["a"], "query") == ["query: a"]
    assert e5.with_prefix(["a"], "document") == ["passage: a"]
    assert bge.with_prefix(["a"], "query") == ["a"]


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError, match="Unknown model 'bert'.*bge_m3, minilm, multilingual_e5_large, ruri_v3"):
        get_model("bert")


def test_whatever_changes_a_vector_changes_the_fingerprint() -> None:
    same = {
        "model_sha256": "a", "tokenizer_sha256": "b", "max_length": 256, "pooling": "mean", "normalize": True,
        "precision": "fp32",
    }  # fmt: skip
    changes = {
        "model_sha256": "x", "tokenizer_sha256": "x", "max_length": 128, "pooling": "cls", "normalize": False,
        "precision": "int8",
    }  # fmt: skip
    prints = {model_fingerprint(**{**same, name: value}) for name, value in changes.items()}  # type: ignore[arg-type]
    prints.add(model_fingerprint(**same))  # type: ignore[arg-type]
    assert len(prints) == len(changes) + 1
    assert vector_fingerprint("m", "") != vector_fingerprint("m", "query: ")
