from __future__ import annotations

from pathlib import Path

import pytest

from include.catalog.fingerprint import model_fingerprint, vector_fingerprint
from include.catalog.models import ModelSpec, get_model, load_catalogue
from include.errors import InputError
from include.settings import Settings


def own(folder: Path, text: str) -> Settings:
    """Settings with a catalogue of the user's own."""
    path = folder / "own.yaml"
    path.write_text(text)
    return Settings(catalogue=path)


def test_prefixes_are_those_that_the_models_were_trained_with() -> None:
    ruri, e5, bge = get_model("ruri_v3"), get_model("multilingual_e5_large"), get_model("bge_m3")
    assert ruri.with_prefix(["登山"], "query") == ["検索クエリ: 登山"]
    assert ruri.with_prefix(["登山"], "document") == ["検索文書: 登山"]
    assert ruri.with_prefix(["登山"], "semantic") == ["登山"]
    assert e5.with_prefix(["a"], "query") == ["query: a"]
    assert e5.with_prefix(["a"], "document") == ["passage: a"]
    assert bge.with_prefix(["a"], "query") == ["a"]


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(
        InputError, match="Unknown model 'bert'.*bge_m3, clap_audio.*minilm.*ruri_v3.*EMBSEARCH_CATALOGUE"
    ):
        get_model("bert")


def test_whatever_changes_a_vector_changes_the_fingerprint() -> None:
    same = {
        "model_sha256": "a", "tokenizer_sha256": "b", "max_length": 256, "pooling": "mean", "normalize": True,
        "precision": "fp32", "preprocess_sha256": "", "kind": "text",
    }  # fmt: skip
    changes = {
        "model_sha256": "x", "tokenizer_sha256": "x", "max_length": 128, "pooling": "cls", "normalize": False,
        "precision": "int8", "preprocess_sha256": "x", "kind": "clip_text",
    }  # fmt: skip
    prints = {model_fingerprint(**{**same, name: value}) for name, value in changes.items()}  # type: ignore[arg-type]
    prints.add(model_fingerprint(**same))  # type: ignore[arg-type]
    assert len(prints) == len(changes) + 1
    assert vector_fingerprint("m", "") != vector_fingerprint("m", "query: ")


def test_the_catalogue_ships_every_kind_of_model() -> None:
    shipped = {name: (spec.kind, spec.medium, spec.pooling, spec.dimension) for name, spec in load_catalogue().items()}

    assert shipped == {
        "minilm": ("text", "text", "mean", 384),
        "ruri_v3": ("text", "text", "mean", 768),
        "multilingual_e5_large": ("text", "text", "mean", 1024),
        "bge_m3": ("text_sparse", "text", "cls", 1024),
        "clip_text": ("clip_text", "text", "projection", 512),
        "clip_image": ("clip_image", "image", "projection", 512),
        "clap_text": ("clap_text", "text", "projection", 512),
        "clap_audio": ("clap_audio", "audio", "projection", 512),
        "picture_features": ("image_features", "image", "projection", 144),
    }


def test_a_model_of_ones_own_takes_two_lines(tmp_path: Path) -> None:
    settings = own(tmp_path, "gte:\n  source: thenlper/gte-small\n  dimension: 384\n")

    assert get_model("gte", settings) == ModelSpec(
        name="gte", source="thenlper/gte-small", dimension=384, kind="text", revision="main", pooling="mean",
        normalize=True, max_length=512,
    )  # fmt: skip
    assert get_model("minilm", settings) == load_catalogue()["minilm"]


def test_an_entry_of_ones_own_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    settings = own(tmp_path, "minilm: {source: ./weights, dimension: 384}")

    assert get_model("minilm", settings).source == str(tmp_path / "weights")  # from the file's folder, not the cwd


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gte: {source: a/b}", "dimension"),
        ("gte: {source: a/b, dimension: 384, colour: red}", "colour"),
        ("gte: {source: a/b, dimension: 384, kind: clip_image, pooling: cls}", "pooling cls does not go with kind"),
        ("gte: {source: a/b, dimension: 384, pooling: projection}", "pooling projection does not go with kind text"),
        ("Big Model: {source: a/b, dimension: 384}", "lower-case letters, digits and _, not 'Big Model'"),
        ("- gte", "own.yaml"),
        ("gte: [1", "own.yaml"),
    ],
)
def test_an_entry_that_is_not_understood_is_refused_by_its_file_and_what_is_wrong(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(InputError, match=told) as caught:
        get_model("gte", own(tmp_path, text))

    assert "own.yaml" in str(caught.value)


def test_a_catalogue_that_is_not_there_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere.yaml"):
        get_model("minilm", Settings(catalogue=tmp_path / "nowhere.yaml"))
