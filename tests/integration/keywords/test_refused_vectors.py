"""Vectors that are not fit to be served: what was served before goes on."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from include.errors import ContractError, GateFailed
from include.generations.vectors import from_column
from include.keywords import vectors
from include.vector_store.open import open_store
from tests.integration.keywords.conftest import KEYWORDS, SHARD_ROWS, KeywordStack
from tests.integration.keywords.vector_builds import SHARDS, begun, rewritten
from tests.integration.runs import new_run


def test_a_failed_gate_leaves_what_is_served_and_says_why(stack: KeywordStack, keywords: list[str]) -> None:
    served = stack.index_vectors(limit=100)
    build = begun(stack)
    rewritten(build, 3, lambda rows: rows * 2)
    with pytest.raises(GateFailed, match=rf"{build.generation} is not served: unit norm: {SHARD_ROWS} vectors are off"):
        vectors.publish(build, stack.settings)
    assert stack.served() == served["generation"]
    assert stack.points() == dict(enumerate(keywords[:100]))
    assert build.published() is None
    last = stack.index_vectors()
    assert stack.generations() == [served["generation"], last["generation"]]  # a failed one pushes no good one out


def test_a_shard_done_again_after_a_failed_gate_is_what_gets_served(stack: KeywordStack) -> None:
    build = begun(stack)
    good = pq.read_table(build.shard(0).part)
    rewritten(build, 0, lambda rows: np.roll(rows, 1, axis=0) * 2)
    with pytest.raises(GateFailed):
        vectors.publish(build, stack.settings)
    build.shard(0).manifest.unlink()
    vectors.run_shards(build, [0], stack.settings)
    vectors.publish(build, stack.settings)
    store = open_store(stack.settings.qdrant_url)
    found = store.search(stack.alias, from_column(good["vector"]), 1)
    store.close()
    assert found.ids[:, 0].tolist() == good["keyword_id"].to_pylist()


def test_a_missing_shard_blocks_publishing(stack: KeywordStack) -> None:
    served = stack.index_vectors(limit=50)
    build = begun(stack, SHARDS - 1)
    with pytest.raises(ContractError, match=rf"Shard {SHARDS - 1} of .*{build.generation} is not finished"):
        vectors.publish(build, stack.settings)
    assert stack.served() == served["generation"]


def test_a_damaged_part_is_an_error_that_names_its_folder(stack: KeywordStack) -> None:
    build = begun(stack)
    part = build.shard(4).part
    whole = part.read_bytes()
    part.write_bytes(whole[:-100] + bytes(100))
    words = f"{part} is missing or has changed.*Remove {part.parent}"
    with pytest.raises(ContractError, match=words):
        vectors.run_shards(build, [4], stack.settings)
    with pytest.raises(ContractError, match=words):
        vectors.publish(build, stack.settings)
    part.write_bytes(whole)
    vectors.publish(build, stack.settings)
    part.write_bytes(whole[:-100] + bytes(100))
    with pytest.raises(ContractError, match=words):  # and is not taken over by the next build
        stack.index_vectors()


def test_a_small_limit_left_by_mistake_replaces_no_large_collection_unless_it_is_meant(stack: KeywordStack) -> None:
    stack.index_vectors()
    before = stack.embedded()
    words = rf"has 100 rows, served are {KEYWORDS}: .* min_share asks for.* \(limit 100 was given\).* min_share 0"
    with pytest.raises(GateFailed, match=words):
        stack.index_vectors(limit=100)
    assert stack.embedded() == before  # it was seen before any work was done
    assert len(stack.points()) == KEYWORDS
    stack.index_vectors(limit=100, min_share=0)
    assert len(stack.points()) == 100


def test_a_build_that_is_small_beside_what_is_served_by_now_is_not_served_and_dropped(stack: KeywordStack) -> None:
    stack.index_vectors(limit=40)
    large = begun(stack)
    small = vectors.plan(stack.vector_parameters(limit=50), new_run(), stack.settings)
    vectors.run_shards(small, range(small.input.shards), stack.settings)
    vectors.publish(large, stack.settings)
    with pytest.raises(GateFailed, match=f"{small.generation} has 50 rows, served are {KEYWORDS}"):
        vectors.publish(small, stack.settings)
    assert stack.served() == large.generation
    assert small.generation not in stack.generations()
