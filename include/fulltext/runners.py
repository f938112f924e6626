"""The ways to search documents: by words, by meaning, and the runner of the mode that is wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain

from include.catalog.models import get_model
from include.errors import ContractError, InputError
from include.fulltext.chunks import text_hash
from include.fulltext.deadline import ends_within, in_time, left
from include.fulltext.hybrid import HybridRunner
from include.fulltext.languages import InLanguages
from include.fulltext.merge import best_of
from include.fulltext.parameters import DocumentSearchParameters
from include.fulltext.places import vectors_of
from include.fulltext.query import checked_top_k, filter_clauses
from include.fulltext.results import DocumentWithScore, Filters, Runner, best_first
from include.fulltext.search import DocumentSearch, clean, softly
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.open import store_of
from include.vector_store.protocol import NO_ID, CollectionInfo, KeywordStore, Vectors

log = logging.getLogger(__name__)

FIRST_TEXTS = 3  # for each result that is wanted: texts that are gone or filtered out fall away
MOST_TEXTS = 4096  # nearest texts looked at for one search
TOGETHER = 512  # texts in one request for their chunks


class TextRunner:
    """By words."""

    def __init__(self, search: DocumentSearch, collections: Sequence[str]) -> None:
        self._search, self._collections = search, collections

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        """See :meth:`DocumentSearch.search`."""
        return self._search.search(query, collections=self._collections, top_k=top_k, filters=filters)


class VectorRunner:
    """By meaning: the nearest texts in each collection's vectors, and the chunks that have these texts now.

    A search, all its requests to all servers together, is given up after ``seconds``.
    """

    def __init__(
        self,
        documents: DocumentSearch,
        collections: Sequence[str],
        store: KeywordStore,
        triton: TritonClient,
        model: str,
        *,
        seconds: float,
    ) -> None:
        self._documents, self._collections = documents, list(dict.fromkeys(collections))
        self._store, self._triton, self._spec = store, triton, get_model(model)
        self._seconds = seconds
        self._embedders: dict[str, Embedder] = {}  # by the fingerprint of the model
        self._lock = threading.Lock()

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        """The chunks of the nearest texts; scores are cosines.

        Cosines of two models cannot be compared: where the collections' vectors are of several, the best of each model
        are merged by :func:`best_of`.

        Raises:
            InputError: the query is empty, a collection has no vectors, or ``top_k`` or a filter cannot be used.
            EmbsearchError: the search failed, and faults are ``strict``.
        """
        text = clean(query)
        checked_top_k(top_k)
        filter_clauses(filters)

        def search() -> list[DocumentWithScore]:
            of_model: dict[str, dict[str, list[DocumentWithScore]]] = {}
            for name in self._collections:
                vectors = self._vectors_of(name)
                found = self._nearest(name, vectors, text, top_k, filters)
                of_model.setdefault(vectors.model_fingerprint, {})[name] = found
            ranked = {", ".join(each): best_first(list(chain(*each.values()))) for each in of_model.values()}
            return best_of(ranked, score="cosine")[:top_k]

        with ends_within(self._seconds):
            return softly(self._documents.faults, "vector search", lambda: in_time("vector search", search))

    def _nearest(
        self, name: str, vectors: CollectionInfo, query: str, top_k: int, filters: Filters | None
    ) -> list[DocumentWithScore]:
        """Of one collection; ever more texts are looked at until enough of them stand in documents."""
        vector = self._embedder(vectors).embed([query], "query", deadline_seconds=left())
        found: list[DocumentWithScore] = []
        seen: set[str] = set()
        texts = top_k * FIRST_TEXTS
        while True:
            texts = min(texts, vectors.points, MOST_TEXTS)
            scores = {one: score for one, score in self._texts(vectors, vector, texts).items() if one not in seen}
            seen |= set(scores)
            hashes = list(scores)
            for start in range(0, len(hashes), TOGETHER):
                part = {one: scores[one] for one in hashes[start : start + TOGETHER]}
                found += self._documents.having(name, part, top_k, filters)
                if len(found) >= top_k:
                    return best_first(found)[:top_k]
            if texts in (vectors.points, MOST_TEXTS):
                self._tell_few(name, seen, len(found), filters)
                return best_first(found)
            texts *= 4

    def _tell_few(self, name: str, texts: Collection[str], found: int, filters: Filters | None) -> None:
        """Say when not many of ``texts``, or none at all, stand in documents.

        Raises:
            ContractError: none does, also without ``filters``, and the collection has documents.
        """
        mend = (
            f"The vectors of {name} are of an older cut of its texts: run `embsearch fulltext vectors --collection "
            f"{name}`, or DAG document_vector_index."
        )
        if not found and texts and not self._any_stands(name, texts) and self._documents.count(name):
            msg = f"None of the nearest {len(texts):,} texts stands in a document of {name}. {mend}"
            raise ContractError(msg)
        if not filters and found * 2 < len(texts):
            log.warning(
                "Of the nearest %d texts only %d are found in documents of %s. %s", len(texts), found, name, mend
            )
        elif len(texts) >= MOST_TEXTS:
            log.warning("%s: of the nearest %d texts only %d pass the filters", name, len(texts), found)

    def _any_stands(self, name: str, texts: Iterable[str]) -> bool:
        hashes = list(texts)
        parts = (hashes[start : start + TOGETHER] for start in range(0, len(hashes), TOGETHER))
        return any(self._documents.having(name, dict.fromkeys(part, 0.0), 1, None) for part in parts)

    def _vectors_of(self, collection: str) -> CollectionInfo:
        generation = self._store.resolve(vectors_of(collection))
        if generation is None:
            self._documents.count(collection)  # of a collection that does not exist, that is the error
            msg = (
                f"{collection} has no vectors ({vectors_of(collection)}) to be searched by meaning. Make them by "
                f"`embsearch fulltext vectors --collection {collection}`, or DAG document_vector_index; or search by "
                "mode text."
            )
            raise InputError(msg)
        return self._store.info(generation)

    def _texts(self, vectors: CollectionInfo, vector: Vectors, count: int) -> dict[str, float]:
        """The nearest texts' hashes and cosines, best first."""
        near = self._store.search(vectors.generation, vector, count)
        scores = {
            int(one): float(score) for one, score in zip(near.ids[0], near.scores[0], strict=True) if one != NO_ID
        }
        texts = self._store.keywords_of(vectors.generation, list(scores))
        return {text_hash(texts[one]): score for one, score in scores.items() if one in texts}

    def _embedder(self, vectors: CollectionInfo) -> Embedder:
        with self._lock:
            if vectors.model_fingerprint not in self._embedders:
                try:
                    found = Embedder.of_collection(self._triton, self._spec, vectors)
                except InputError as error:  # the model is not loaded: no fault of the question's
                    raise ContractError(str(error)) from error
                self._embedders[vectors.model_fingerprint] = found
            return self._embedders[vectors.model_fingerprint]


@contextmanager
def open_runner(parameters: DocumentSearchParameters, settings: Settings) -> Iterator[Runner]:
    """The runner of the wanted mode; what it has opened is closed at the end.

    Raises:
        InputError: settings or URLs cannot be used.
    """
    names = [name.strip() for name in parameters.collection.split(",")]
    with ExitStack() as stack:
        documents = DocumentSearch(settings, es_url=parameters.es_url, faults=parameters.faults)
        stack.callback(documents.close)
        text = TextRunner(documents, names)
        if parameters.mode == "text":
            yield text
            return
        store = store_of(settings, parameters.qdrant_url)
        stack.callback(store.close)
        seconds = settings.fulltext_timeout_seconds
        triton = stack.enter_context(TritonClient(parameters.kserve_url, deadline_seconds=seconds))
        vector = VectorRunner(documents, names, store, triton, parameters.model, seconds=seconds)
        if parameters.mode == "vector":
            yield vector
            return
        spoken = InLanguages(vector, get_model(parameters.model).languages)
        hybrid = HybridRunner({"vector": spoken, "fulltext": text}, seconds=seconds, faults=documents.faults)
        stack.callback(hybrid.close)
        yield hybrid
