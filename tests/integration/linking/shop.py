"""A shop that people search while its model changes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from include.keywords.parameters import SearchParameters, VectorIndexParameters
from include.keywords.search import search_keywords
from include.settings import Settings
from include.triton.client import TritonClient
from include.vector_store.open import open_store
from include.workflow import run_workflow
from tests.integration.linking.conftest import LinkingStack
from tests.integration.reader import Readers, reading
from tests.integration.runs import new_run

LONG = [" ".join(str(start + number) for number in range(90)) for start in range(0, 2000, 100)]  # 128 tokens and more
QUERY = " ".join(str(number) for number in range(55, 145))
Answer = tuple[tuple[int, float], ...]  # keyword id, score


@dataclass(frozen=True)
class Shop:
    """Keywords and products, a search, and the servers behind them."""

    links: LinkingStack
    parameters: VectorIndexParameters

    @property
    def settings(self) -> Settings:
        return self.links.settings

    def index(self) -> dict[str, str]:
        return run_workflow("include.keywords.vectors", self.parameters, new_run(), self.settings)[1]

    def search(self) -> Answer:
        asked = SearchParameters(
            model="minilm", qdrant_url=self.settings.qdrant_url, kserve_url=self.settings.kserve_url, top_k=5
        )
        (hits,) = search_keywords(asked, [QUERY], self.settings)
        return tuple((hit.keyword_id, round(hit.score, 3)) for hit in hits)


def searching(shop: Shop) -> AbstractContextManager[Readers]:
    """Two people search without pause; none may ever be told of an error."""
    return reading(shop.search, shop.search)


def mixed(shop: Shop, generation: str) -> Answer:
    """What nobody may be answered: the query by the present model, the keywords by that of ``generation``."""
    with TritonClient(shop.settings.kserve_url) as client:
        query = client.embed("minilm", [QUERY])
    store = open_store(shop.settings.qdrant_url)
    found = store.search(generation, query, 5)
    store.close()
    return tuple(zip(found.ids[0].tolist(), found.scores[0].round(3).tolist(), strict=True))


def scores(shop: Shop) -> dict[str, list[float]]:
    """Of the keywords that each product is linked to, best first."""
    documents = shop.links.documents()
    return {name: [keyword["score"] for keyword in document["keywords"]] for name, document in documents.items()}
