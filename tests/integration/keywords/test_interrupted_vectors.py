"""A build of keyword vectors that is killed goes on where it stopped."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime

import pytest

from include.keywords import vectors
from include.settings import Settings
from tests.integration.keywords.conftest import KEYWORDS, VECTORS, KeywordStack
from tests.integration.keywords.vector_builds import SHARDS, begun
from tests.integration.runs import LOG, WorkflowProcess, stamps, wait_for_shards


def test_a_build_killed_while_embedding_goes_on_and_repeats_no_finished_shard(
    stack: KeywordStack, keywords: list[str]
) -> None:
    served = stack.index_vectors(limit=20)
    small = Settings(**{**stack.settings.model_dump(), "vector_shard_rows": 4})
    parameters = stack.vector_parameters(batch_size=4, workers=1)
    again = WorkflowProcess(stack.folder, VECTORS, small, parameters, "killed", datetime.now(UTC))
    first = again.start()
    build = wait_for_shards(first, 20, lambda: stack.builds(vectors.KIND)[1:], stack.folder / LOG)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    finished = stamps(build)
    assert len(finished) < build.input.shards
    assert stack.served() == served["generation"]
    before = stack.embedded()
    assert again.start().wait(120) == 0, stack.log()
    assert stack.embedded() - before <= KEYWORDS - 4 * len(finished) + 4  # one request was under way at the kill
    after = stamps(build)
    assert {shard: after[shard] for shard in finished} == finished
    assert len(after) == build.input.shards
    assert stack.points() == dict(enumerate(keywords))


@pytest.mark.parametrize(
    "where",
    [
        "include.vector_store.folders.GenerationFolders.seal",
        "include.vector_store.folders.GenerationFolders.promote",
        "include.sources.build.Build.mark_published",
    ],
)
def test_a_publish_killed_at_any_step_is_finished_by_a_rerun(
    stack: KeywordStack, keywords: list[str], where: str
) -> None:
    served = stack.index_vectors(limit=20)
    build = begun(stack, name="killed")
    module, name, method = where.rsplit(".", 2)
    kill = f"from {module} import {name}\nimport os\n{name}.{method} = lambda *_: os.kill(os.getpid(), 9)"
    parameters = stack.vector_parameters()
    run = WorkflowProcess(stack.folder, VECTORS, stack.settings, parameters, "killed", build.date, kill)
    assert run.start().wait(120) == -signal.SIGKILL, stack.log()
    assert stack.served() in ([build.generation] if "mark" in where else [served["generation"]])
    before = stack.embedded()
    vectors.run_shards(build, range(SHARDS), stack.settings)
    summary = vectors.publish(build, stack.settings)
    assert stack.embedded() == before
    assert summary["generation"] == stack.served() == build.generation
    assert summary["previous"] == served["generation"]
    assert stack.points() == dict(enumerate(keywords))
