"""A roll back of the model as a DAG run, and the runs that it causes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.cli.demo import _caused_run, _finished
from include.keywords.parameters import SearchParameters
from include.keywords.search import search_keywords
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.deploy import deploy
from tests.integration.reader import reading
from tests.integration.running_stack import KEYWORDS, RunningStack
from tests.integration.triton_server import changed, serve_only

DAG = "triton_rollback"
FOLLOW = ("keyword_vector_index", "keyword_text_index", "product_linking")


@contextmanager
def searching(settings: Settings) -> Iterator[None]:
    """Search without pause, as people do; none may fail, and all find the same."""
    asked = SearchParameters(model="minilm", qdrant_url=settings.qdrant_url, kserve_url=settings.kserve_url, top_k=3)

    def best() -> str:
        (hits,) = search_keywords(asked, ["hiking"], settings)
        return hits[0].keyword

    with reading(best) as found:
        yield
    assert len(found.answered) == 1


def test_one_run_puts_an_earlier_version_back_and_keywords_and_links_follow_while_people_search(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]], exported_minilm: Path, tmp_path: Path
) -> None:
    api, settings = running_stack.api, running_stack.settings
    first = chain["triton_deployment"]
    with searching(settings):
        other = deploy(changed(exported_minilm, tmp_path / "shorter", max_length=128), settings)
        assert running_stack.run(".local/venvs/airflow/bin/embsearch", "search", "hiking")  # by the old pair
        before = datetime.now(UTC)

        run = api.trigger(DAG, {"model": "minilm"})

        assert api.wait(DAG, run, seconds=240) == "success"
        back = api.xcom(DAG, run, "rollback")
        assert (back["version"], back["previous"]) == (first["version"], other.version)
        followed = {dag: _finished(api, dag, _caused_run(api, dag, before)) for dag in FOLLOW}
    assert followed["keyword_vector_index"]["model_fingerprint"] == first["fingerprint"]
    assert followed["keyword_vector_index"]["reused"] == KEYWORDS
    assert followed["product_linking"]["keyword_generation"] == followed["keyword_vector_index"]["generation"]
    serve_only(exported_minilm, settings)


def test_a_version_that_is_not_kept_fails_the_run_and_changes_nothing(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    run = running_stack.api.trigger(DAG, {"model": "minilm", "version": 777})

    assert running_stack.api.wait(DAG, run, seconds=240) == "failed"
    with TritonClient(running_stack.settings.kserve_url) as client:
        assert client.served("minilm").version == chain["triton_deployment"]["version"]
