"""Documents to look at: sampled from what the shards wrote, for the gate and for people."""

from __future__ import annotations

import random

import pyarrow.parquet as pq

from include.elastic.documents import Document
from include.linking.parameters import LinkingParameters
from include.linking.pipeline import link_document
from include.settings import Settings
from include.sources.build import Build
from include.vector_store.collection import keyword_table
from include.vector_store.open import open_store


def sample_documents(build: Build, settings: Settings, count: int) -> list[Document]:
    """At most ``count`` documents as they must stand in the index, spread over the shards; the same at every call.

    Only shards whose every row was written are sampled: of the others the manifest does not tell which rows were.
    """
    whole = [i for i in range(build.input.shards) if (m := build.finished(i)) and m.counts.written == m.counts.read]
    if not whole:
        return []
    choose = random.Random(build.generation)  # noqa: S311 — a sample, not a secret
    picks = sorted(choose.choice(whole) for _ in range(count))
    parameters = LinkingParameters(**build.facts["parameters"])
    store = open_store(parameters.qdrant_url, api_key=settings.qdrant_api_key)
    try:
        keywords = keyword_table(store, build.facts["keyword_generation"])
    finally:
        store.close()
    documents: dict[str, Document] = {}
    for shard in dict.fromkeys(picks):
        table = pq.read_table(build.shard(shard).part, columns=["product_name", "keyword_ids", "scores"])
        for row in choose.sample(range(len(table)), min(picks.count(shard), len(table))):
            name, ids, scores = (table[column][row].as_py() for column in table.column_names)
            document = link_document(name, ids, scores, keywords)
            documents[document.id] = document
    return list(documents.values())
