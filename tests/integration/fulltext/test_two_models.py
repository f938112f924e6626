"""Collections whose vectors are of two models are searched together by meaning, none before the other by its model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.fulltext.results import DocumentWithScore
from include.triton.deploy import deploy
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.six_documents import ids, seed
from tests.integration.fulltext.test_vector_search import index_vectors, runner
from tests.integration.triton_server import TritonServer, changed, own_triton, serve_only

NEAR = {
    "tent": ("Tents", "A shelter for camping in the mountains.", "a"),
    "hut": ("Huts", "A hut where hikers sleep in the mountains.", "a"),
}
FAR = {
    "kettle": ("Kettles", "An appliance that boils water for tea.", "a"),
    "cups": ("Cups", "Porcelain for tea and coffee.", "a"),
}
QUERY = "a shelter for the night in the mountains"


@dataclass(frozen=True)
class TwoCollections:
    """One whose texts are near the query, one whose texts are far from it, their vectors in one store."""

    near: Library
    far: Library
    triton: TritonServer
    url: str

    def search(self, top_k: int = 4) -> list[DocumentWithScore]:
        both = f"{self.near.collection},{self.far.collection}"
        with runner(self.near, self.triton, self.url, collection=both) as vector:
            return vector.search(QUERY, top_k)


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    with own_triton(tmp_path_factory.mktemp("two-models")) as made:
        yield made


@pytest.fixture
def collections(
    library: Library, own_server: TritonServer, exported_minilm: Path, tmp_path: Path
) -> Iterator[TwoCollections]:
    """Both indexed, and the vectors of the near one made by the model that is served."""
    serve_only(exported_minilm, own_server.settings)
    far = Library(library.settings, tmp_path / "far", f"{library.collection}-far")
    made = TwoCollections(library, far, own_server, f"exact:{tmp_path / 'vectors'}")
    seed(made.near, NEAR)
    seed(made.far, FAR)
    index_vectors(made.near, own_server, made.url)
    yield made
    made.far.drop()


def test_vectors_of_one_model_are_ranked_by_their_cosines(collections: TwoCollections) -> None:
    index_vectors(collections.far, collections.triton, collections.url)
    found = collections.search()
    assert set(ids(found)[:2]) == set(NEAR)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert not any("ranks" in one.metadata for one in found)


def test_vectors_of_two_models_are_ranked_by_their_places(
    collections: TwoCollections, exported_minilm: Path, tmp_path: Path
) -> None:
    deploy(changed(exported_minilm, tmp_path / "shorter", max_length=128), collections.triton.settings)
    index_vectors(collections.far, collections.triton, collections.url)

    found = collections.search()
    near, far = collections.near.collection, collections.far.collection
    assert [one.metadata["collection"] for one in found] == [near, far, near, far]
    assert [one.metadata["ranks"] for one in found] == [{near: 1}, {far: 1}, {near: 2}, {far: 2}]
    assert [one.score for one in found] == pytest.approx([1 / 61, 1 / 61, 1 / 62, 1 / 62])
    assert min(one.metadata["cosine"] for one in found[::2]) > max(one.metadata["cosine"] for one in found[1::2])
    assert collections.search(top_k=2) == found[:2]
