"""The image indexes by their DAGs, and the demo, as users meet them."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from include.airflow_api import AirflowApi
from include.cli.dag_runs import caused_run
from include.images.database import ImageDatabase
from include.images.folders import index_folder
from include.model_export.launch import export_model
from tests.integration.export_cache import export_settings
from tests.integration.running_stack import RunningStack

EMBSEARCH = ".local/venvs/airflow/bin/embsearch"
MODEL = "picture_features"
IMAGES = 60  # 48 of them with a defect


@pytest.fixture(scope="module")
def demo(running_stack: RunningStack) -> str:
    """What the demo says; the export is one that stands."""
    folder = export_model(MODEL, export_settings())
    shutil.copytree(folder, running_stack.settings.state_dir / "models" / MODEL / folder.name, dirs_exist_ok=True)
    return running_stack.run(EMBSEARCH, "demo-images", "--images", str(IMAGES))


@pytest.fixture
def database(running_stack: RunningStack, demo: str) -> Iterator[ImageDatabase]:
    with ImageDatabase.from_settings(running_stack.settings) as database:
        yield database


def test_the_demo_shows_a_query_and_its_five_neighbours_as_a_picture(running_stack: RunningStack, demo: str) -> None:
    assert "defect: 52 images" in demo
    rows = [line for line in demo.splitlines() if line.startswith("│") and "denim_" in line]
    assert len(rows) >= 1
    path = re.search(r"Query and neighbours as a picture: (.+)", demo)
    assert path
    with Image.open(path[1]) as sheet:
        assert sheet.size == (16 + 6 * 240, 224 + 2 * 16 + 58)
    commands = demo.partition("Try:\n")[2].splitlines()[:2]
    for command in "; ".join(commands).split("; "):
        assert running_stack.run(*shlex.split(command))


def test_a_rebuild_by_hand_is_of_one_type_and_finds_nothing_new(running_stack: RunningStack, demo: str) -> None:
    api = running_stack.api
    run = api.trigger("image_index", {"type": "defect"})
    assert api.wait("image_index", run) == "success"
    assert api.xcom("image_index", run, "report") == {"defect": {"outcome": "unchanged", "rows": 52}}
    assert api.task_states("image_index", run)["announce"] == "skipped"


def test_each_model_that_is_deployed_brings_its_own_indexes_anew_and_no_others_and_fails_no_run(
    running_stack: RunningStack, demo: str
) -> None:
    """Nobody is alarmed where there is nothing to do."""
    api = running_stack.api
    first_tasks = {"image_index": "types", "keyword_vector_index": "plan", "keyword_text_index": "plan"}
    for model, own in ((MODEL, {"image_index"}), ("minilm", {"keyword_vector_index", "keyword_text_index"})):
        before = datetime.now(UTC)
        assert api.wait("triton_deployment", api.trigger("triton_deployment", {"model": model})) == "success"
        for dag, first in first_tasks.items():
            run = caused_run(api, dag, before)
            assert api.wait(dag, run) == "success"
            assert api.task_states(dag, run)[first] == ("success" if dag in own else "skipped")
        if "keyword_vector_index" in own:
            caused_run(api, "product_linking", before)
        assert {api.wait(dag, run) for dag, run in caused_since(api, before)} == {"success"}


def caused_since(api: AirflowApi, since: datetime) -> list[tuple[str, str]]:
    """All runs that asset events have started, with their DAGs."""
    return [
        (dag, run["dag_run_id"])
        for dag in api.dag_ids()
        for run in api.runs(dag)
        if run["run_type"] == "asset_triggered" and datetime.fromisoformat(run["run_after"]) >= since
    ]


def test_temporary_images_are_deleted_by_their_dag(
    running_stack: RunningStack, database: ImageDatabase, demo: str
) -> None:
    api = running_stack.api
    folder = Path(running_stack.settings.images_roots)
    old = folder / "query.jpg"
    shutil.copy(next(folder.glob("*.jpg")), old)
    number = database.register(old.as_uri(), "oak")
    with database.session("age") as session:
        session.connection().exec_driver_sql(
            "UPDATE images SET upload_date = upload_date - INTERVAL 2 DAY WHERE image_id = %s", (number,)
        )
    api.set_paused("temporary_image_cleanup", paused=False)
    run = api.trigger("temporary_image_cleanup")
    assert api.wait("temporary_image_cleanup", run) == "success"
    assert not old.exists()
    assert list(database.pages("query_temp")) == []


def test_images_of_others_end_the_demo(running_stack: RunningStack, database: ImageDatabase, demo: str) -> None:
    number = database.register("s3://others/1.jpg", "oak")
    of_type = "UPDATE images SET image_type = %s WHERE image_id = %s"
    try:
        with database.session("keep") as session:
            session.connection().exec_driver_sql(of_type, ("defect", number))
        said = running_stack.run(EMBSEARCH, "demo-images", "--images", "40", status=1)
        assert f"images that are not the demo's, such as {number}" in said
    finally:
        with database.session("let go") as session:
            session.connection().exec_driver_sql(of_type, ("query_temp", number))
        database.delete_temporary(number)


def test_what_the_dag_serves_is_below_the_state_folder(running_stack: RunningStack, demo: str) -> None:
    for kind in ("normal", "defect"):
        version = index_folder(kind, running_stack.settings).current()
        assert version is not None
        version.check()
