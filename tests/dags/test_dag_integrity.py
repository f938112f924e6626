"""What every DAG file keeps to."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.local_stack.served import task_environment
from include.settings import PROJECT_ROOT, Settings
from search_ops import dag_docs
from search_ops.defaults import POOLS, RETRY_BY_CLASS

DAG_FILES = sorted((PROJECT_ROOT / "dags").glob("*.py"))
DAGS = {
    "model_export": ["export"],
    "triton_deployment": ["models", "deploy", "announce", "report"],
    "triton_rollback": ["rollback"],
    "keyword_vector_index": ["plan", "embed", "publish"],
    "keyword_text_index": ["plan", "index", "publish"],
    "product_linking": ["plan", "link", "publish"],
    "product_linking_daily": ["plan", "link", "publish"],
    "dead_letter_replay": ["replay"],
    "faiss_train": ["types", "train", "report"],
    "faiss_build": ["types", "build", "announce", "report"],
    "faiss_rebuild": ["types", "rebuild", "announce", "report"],
    "faiss_daily_increment": ["types", "increment", "announce", "drift", "report"],
    "faiss_info": ["info"],
    "faiss_rollback": ["types", "rollback", "announce", "report"],
    "playlist_cache": ["cache"],
    "image_index": ["types", "build", "announce", "report"],
    "temporary_image_cleanup": ["clean_up"],
    "document_fulltext_index": ["index", "chunks"],
    "document_vector_index": ["due", "others", "plan", "embed", "publish"],
    "search_quality": ["measure"],
}


def test_every_dag_file_is_imported_and_holds_the_dag_of_its_name(dagbag: DagBag) -> None:
    assert dagbag.import_errors == {}
    assert {path.stem for path in DAG_FILES} == set(dagbag.dags) == set(DAGS)


@pytest.mark.parametrize("name", DAGS)
def test_tasks_stand_in_the_documented_order(dagbag: DagBag, name: str) -> None:
    assert [task.task_id for task in dagbag.dags[name].topological_sort()] == DAGS[name]


@pytest.mark.parametrize("name", DAGS)
def test_every_dag_tells_its_users_what_it_does_and_what_to_do_when_it_fails(dagbag: DagBag, name: str) -> None:
    dag = dagbag.dags[name]
    assert dag.doc_md is not None
    for part in ("**Input:**", "**Output:**", "**When it fails:**"):
        assert part in dag.doc_md
    assert dag.tags
    assert dag.max_active_runs == 1
    assert not dag.catchup


@pytest.mark.parametrize("name", DAGS)
def test_every_task_retries_by_class_and_uses_a_pool_that_exists(dagbag: DagBag, name: str) -> None:
    for task in dagbag.dags[name].tasks:
        assert task.owner == "search"
        assert task.retries >= 3
        assert task.retry_policy == RETRY_BY_CLASS
        assert task.pool in {*POOLS, "default_pool"}


def test_assets_chain_the_dags(dagbag: DagBag) -> None:
    makes = {name: {asset.name for task in dag.tasks for asset in task.outlets} for name, dag in dagbag.dags.items()}
    assert makes == {
        "model_export": {"model_export"},
        "triton_deployment": {"served_model"},
        "triton_rollback": {"served_model"},
        "keyword_vector_index": {"keyword_vectors"},
        "keyword_text_index": {"keyword_text"},
        "product_linking": {"product_links"},
        "product_linking_daily": {"product_links"},
        "dead_letter_replay": set(),
        "faiss_train": set(),
        "faiss_build": {"faiss_index"},
        "faiss_rebuild": {"faiss_index"},
        "faiss_daily_increment": {"faiss_index", "faiss_drift"},
        "faiss_info": set(),
        "faiss_rollback": {"faiss_index"},
        "playlist_cache": {"playlist_cache"},
        "image_index": {"image_index"},
        "temporary_image_cleanup": set(),
        "document_fulltext_index": {"document_text", "document_chunks"},
        "document_vector_index": set(),
        "search_quality": {"search_quality"},
    }
    scheduled = {name: dag for name, dag in dagbag.dags.items() if getattr(dag.timetable, "asset_condition", None)}
    causes = {name: {asset.name for asset in dag.timetable.asset_condition.objects} for name, dag in scheduled.items()}
    assert {name: cause for name, cause in causes.items() if cause} == {
        "triton_deployment": {"model_export"},
        "keyword_vector_index": {"served_model"},
        "keyword_text_index": {"served_model"},
        "product_linking": {"keyword_vectors"},
        "faiss_rebuild": {"faiss_drift"},
        "playlist_cache": {"faiss_index"},
        "image_index": {"served_model"},
        "document_vector_index": {"document_chunks", "served_model"},
    }


def test_no_mapped_task_has_an_outlet_because_each_would_cause_a_run(dagbag: DagBag) -> None:
    mapped = [task for dag in dagbag.dags.values() for task in dag.tasks if task.is_mapped]
    assert len(mapped) == 13
    assert [task.task_id for task in mapped if task.outlets] == []


def test_what_gathers_runs_when_some_tasks_have_failed_and_is_skipped_when_there_was_nothing_to_do(
    dagbag: DagBag,
) -> None:
    gathering = {
        f"{dag.dag_id}.{task.task_id}": task.trigger_rule
        for dag in dagbag.dags.values()
        for task in dag.tasks
        if {"results", "names"} & set(task.template_fields)
    }
    assert {"image_index.report", "triton_deployment.announce", "faiss_daily_increment.drift"} <= gathering.keys()
    assert {rule.value for rule in gathering.values()} == {"none_skipped"}
    others = [
        task for dag in dagbag.dags.values() for task in dag.tasks if f"{dag.dag_id}.{task.task_id}" not in gathering
    ]
    assert {task.trigger_rule.value for task in others} == {"all_success"}


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.stem)
def test_a_dag_file_is_wiring_and_fits_on_one_screen(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


HEAVY = {"numpy", "pandas", "pyarrow", "elasticsearch", "qdrant_client", "qdrant_edge", "tritonclient", "onnx",
         "onnxruntime", "openvino", "optimum", "torch", "transformers", "tokenizers", "faiss", "pymysql",
         "redis", "alembic", "PIL", "s3fs"}  # fmt: skip
CALLS = 200_000  # of Python and C functions in one file: a bound on work that no slow machine fails, and none on time
PARSE = """
import json, os, runpy, sys, warnings
sys.path[:0] = {paths!r}
from airflow.dag_processing.dagbag import DagBag
warnings.simplefilter("error", DeprecationWarning)

def parse(file):
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        before, calls = set(sys.modules), 0
        def count(frame, event, argument):
            nonlocal calls
            calls += event in ("call", "c_call")
        sys.setprofile(count)
        runpy.run_path(file)
        sys.setprofile(None)
        with open(write, "w") as answer:
            json.dump(dict(calls=calls, imported=sorted(set(sys.modules) - before)), answer)
        os._exit(0)
    os.close(write)
    with open(read) as answer:
        parsed = answer.read()
    assert os.waitpid(child, 0)[1] == 0, file
    return json.loads(parsed)

print(json.dumps({{file: parse(file) for file in {files!r}}}))
"""


@pytest.fixture(scope="module")
def parses() -> dict[str, dict[str, Any]]:
    """Calls and imports of each file, in a child of its own with the environment of the local stack, as in Airflow.

    A deprecation is an error.
    """
    paths = [str(PROJECT_ROOT), str(PROJECT_ROOT / "plugins")]
    program = PARSE.format(paths=paths, files=[str(path) for path in DAG_FILES])
    own = os.environ | task_environment(Settings())
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=own)
    assert done.returncode == 0, done.stderr
    return {Path(file).stem: parsed for file, parsed in json.loads(done.stdout.splitlines()[-1]).items()}


@pytest.mark.parametrize("name", DAGS)
def test_parsing_imports_nothing_heavy_and_nothing_deprecated(parses: dict[str, dict[str, Any]], name: str) -> None:
    imported = set(parses[name]["imported"])
    assert "search_ops.defaults" in imported
    assert {module.partition(".")[0] for module in imported} & HEAVY == set()


@pytest.mark.parametrize("name", DAGS)
def test_parsing_takes_little_work(parses: dict[str, dict[str, Any]], name: str) -> None:
    """The DAG processor parses each file every half a minute; docs/performance.md says how long that takes."""
    assert parses[name]["calls"] < CALLS


def test_the_reference_says_what_the_dags_say() -> None:
    assert dag_docs.TARGET.read_text(encoding="utf-8") == dag_docs.render(PROJECT_ROOT / "dags"), "run `make docs`"
