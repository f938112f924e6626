"""The same work as tasks of Airflow and as commands."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.fulltext.parameters import DocumentIndexParameters
from include.fulltext.places import chunk_file
from include.settings import PROJECT_ROOT
from search_ops.assets import DOCUMENT_CHUNKS, DOCUMENT_TEXT
from search_ops.operators.fulltext import DocumentChunksOperator, DocumentIndexOperator
from tests.integration.fulltext.library import Library
from tests.integration.running_stack import environment


class Events(dict[Any, Any]):
    def __missing__(self, asset: Any) -> SimpleNamespace:
        return self.setdefault(asset, SimpleNamespace(extra=None))


def context(library: Library, day: int, **conf: Any) -> dict[str, Any]:
    """Of the run whose data interval ends on that day of March."""
    end = datetime(2026, 3, day, tzinfo=UTC)
    asked = library.parameters().model_dump(mode="json")
    return {
        "dag_run": SimpleNamespace(
            dag_id="document_fulltext_index", run_id=f"day-{day}", conf={**asked, **conf},
            data_interval_start=end - timedelta(days=1), data_interval_end=end, run_after=end,
        ),
        "dag": SimpleNamespace(timezone=UTC),
        "params": {name: schema["default"] for name, schema in DocumentIndexParameters.schemas().items()},
        "triggering_asset_events": {},
        "outlet_events": Events(),
    }  # fmt: skip


def index(library: Library, given: dict[str, Any]) -> dict[str, Any]:
    operator = DocumentIndexOperator(task_id="index", outlets=[DOCUMENT_TEXT])
    operator.__dict__["settings"] = library.settings
    return operator.execute(given)


def chunks(library: Library, given: dict[str, Any]) -> dict[str, Any]:
    operator = DocumentChunksOperator(task_id="chunks", outlets=[DOCUMENT_CHUNKS])
    operator.__dict__["settings"] = library.settings
    return operator.execute(given)


def test_a_daily_run_tells_what_it_indexed_and_who_depends_on_the_chunks_only_when_they_changed(
    library: Library,
) -> None:
    library.write({"a.txt": "one"}, "days/2026-03-02")
    dated = str(library.folder / "days" / "{date}")
    second = context(library, 2, input=dated)
    assert index(library, second)["counts"]["written"] == 1
    assert second["outlet_events"][DOCUMENT_TEXT].extra["documents"] == 1
    told = chunks(library, second)
    assert second["outlet_events"][DOCUMENT_CHUNKS].extra == told
    assert told["collection"] == f"{library.collection}_vectors"
    assert told["input"] == str(chunk_file(library.settings, library.collection))
    assert chunks(library, second)["changed"]  # tried again, because it was killed before anybody heard
    with pytest.raises(AirflowSkipException, match="No documents for 2026-03-03"):
        index(library, context(library, 3, input=dated))
    library.write({"a.txt": "one"}, "days/2026-03-04")
    fourth = context(library, 4, input=dated)
    assert not index(library, fourth)["changed"]
    with pytest.raises(AirflowSkipException, match="are as they were"):
        chunks(library, fourth)


def test_the_commands_index_and_delete_and_say_what_they_did(library: Library) -> None:
    library.write({"a.txt": "登山リュック", "b.txt": "", "c.txt": "tent"})
    said = embsearch(library, "index", "--input", str(library.folder / "documents"), "--chunk-unit", "characters")
    assert "read 3 = written 2 + skipped (1 empty) + dead 0; deleted 0; 2 chunks" in said
    assert f"{library.collection} serves 2 documents" in said
    assert "2 chunk texts have changed" in said
    said = embsearch(library, "delete", "a.txt", "gone.txt")
    assert f"1 deleted, 1 were not there; {library.collection} has 1 documents" in said
    assert set(library.documents()) == {"c.txt"}
    missing = embsearch(library, "index", "--input", "/nothing/here", status=1)
    assert "fulltext-index: Documents /nothing/here do not exist" in missing


def test_deleting_says_what_stays_because_a_later_run_wrote_it(library: Library) -> None:
    library.write({"a.txt": "one"})
    library.index(date=datetime(2100, 1, 1, tzinfo=UTC))
    said = embsearch(library, "delete", "a.txt")
    assert "0 deleted, 0 were not there, 1 stay, as a later run wrote them; " in said
    assert set(library.documents()) == {"a.txt"}


def embsearch(library: Library, command: str, *words: str, status: int = 0) -> str:
    done = subprocess.run(
        [".local/venvs/airflow/bin/embsearch", "fulltext", command, "--collection", library.collection, *words],
        cwd=PROJECT_ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
        env=environment(library.settings),
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr
