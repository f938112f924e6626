"""What the tasks over the indexes gather from one another."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.catalog.index_types import INDEX_TYPES
from include.errors import FatalError
from include.music_index.parameters import FaissRebuildParameters
from include.settings import Settings
from search_ops.assets import FAISS_DRIFT, FAISS_INDEX
from search_ops.operators.faiss import FaissDriftOperator, FaissTypesOperator
from search_ops.operators.index_types import IndexAnnounceOperator, IndexReportOperator

pytestmark = pytest.mark.usefixtures("bare_settings")

LONG = "lists are 2.31 times as unequal as at the build (limit 2), and so on, as long as such a sentence may become" * 3


def found(name: str, outcome: str = "published", alerts: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": name, "outcome": outcome, "version": f"{name}__20261121t165800000-1a2b3c4d", "rows": 123_456_789,
        "recall_at_10": 0.9712, "bad": {"count": 1_234_567, "for_example": [1, 2]}, "drift": {"alerts": alerts or []},
        "changes": {"new": 1_234_567, "updated": 1_234_567, "deleted": 1_234_567, "unchanged": 5},
    }  # fmt: skip


class Events(dict[Any, Any]):
    def __missing__(self, asset: Any) -> SimpleNamespace:
        return self.setdefault(asset, SimpleNamespace(extra=None))


def context(*events: dict[str, Any], conf: dict[str, Any] | None = None) -> dict[str, Any]:
    caused = [SimpleNamespace(extra=extra, timestamp=number) for number, extra in enumerate(events)]
    return {
        "dag_run": SimpleNamespace(conf=conf),
        "params": {name: schema["default"] for name, schema in FaissRebuildParameters.schemas().items()},
        "triggering_asset_events": {"faiss_drift": caused} if events else {},
        "outlet_events": Events(),
    }


def drift_operator(results: list[dict[str, Any]], **settings: Any) -> FaissDriftOperator:
    operator = FaissDriftOperator(task_id="drift", results=results, outlets=[FAISS_DRIFT])
    operator.__dict__["settings"] = Settings(_env_file=None, **settings)
    return operator


def test_only_what_was_published_is_announced_and_seven_types_with_all_there_is_to_tell_stay_below_4_kib() -> None:
    results = [found(name, alerts=[LONG, LONG, LONG]) for name in INDEX_TYPES]
    operator = IndexAnnounceOperator(task_id="announce", results=results, outlets=[FAISS_INDEX])
    task = context()
    extra = operator.execute(task)
    assert len(json.dumps(extra).encode()) < 4096
    assert task["outlet_events"][FAISS_INDEX].extra == extra
    assert extra["types"]["song"]["new"] == 1_234_567
    operator.results = [found("song"), found("artist", "unchanged")]
    assert set(operator.execute(context())["types"]) == {"song"}


@pytest.mark.parametrize("results", [[], [found("song", "unchanged")]])
def test_when_nothing_is_new_nobody_is_told(results: list[dict[str, Any]]) -> None:
    with pytest.raises(AirflowSkipException, match="nobody is told"):
        IndexAnnounceOperator(task_id="announce", results=results, outlets=[FAISS_INDEX]).execute(context())


def test_drift_is_a_red_task_or_causes_a_rebuild_where_the_settings_ask_for_it() -> None:
    results = [found("song", alerts=["recall@10 has fallen"]), found("artist"), found("lyrics_slide", alerts=["grown"])]
    with pytest.raises(
        FatalError, match=r"song: recall@10 has fallen; lyrics_slide: grown. All versions are served. Run faiss_rebuild"
    ):
        drift_operator(results).execute(context())
    task = context()
    extra = drift_operator(results, faiss_rebuild_on_drift=True).execute(task)
    assert extra["type"] == "song,lyrics_slide"
    assert task["outlet_events"][FAISS_DRIFT].extra == extra
    rebuilt = FaissTypesOperator(task_id="types", form=FaissRebuildParameters).execute(context(extra, {"type": "song"}))
    assert sorted(rebuilt) == ["lyrics_slide", "song"]
    with pytest.raises(AirflowSkipException, match="No index has drifted"):
        drift_operator([found("song")], faiss_rebuild_on_drift=True).execute(context())


def test_the_last_task_fails_with_the_names_of_the_types_that_are_missing() -> None:
    report = IndexReportOperator(task_id="report", results=[found("song")], names=["song", "artist", "album_name"])
    with pytest.raises(FatalError, match=r"2 of 3 index types failed: artist, album_name. The others are done"):
        report.execute(context())
    report.names = ["song"]
    assert report.execute(context()) == {"song": {"outcome": "published", "rows": 123_456_789}}
    report.names = None
    with pytest.raises(FatalError, match="first task failed"):
        report.execute(context())


def test_a_form_names_the_types_to_map_over() -> None:
    types = FaissTypesOperator(task_id="types", form=FaissRebuildParameters)
    assert types.execute(context()) == list(INDEX_TYPES)
    assert types.execute(context(conf={"type": "artist,song", "model": "all"})) == ["artist", "song"]
