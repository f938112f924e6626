"""A run without a form finds its input in the containers and may write its output; forms show what tasks take."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.fulltext.places import vector_defaults
from include.objects.locations import Allowed
from include.parameters import Parameters
from include.settings import PREFIX, PROJECT_ROOT, Settings, get_settings
from tests.unit.compose.composition import embsearch, inside, mounted, runs_our_code, settings_of

ROLES = PROJECT_ROOT / "docker" / "elasticsearch" / "roles.yml"
IN_THE_IMAGE = (inside(".local"),)  # what is made there may be made again
Show = Callable[[str], dict[str, Any]]


def kinds(kind: type[Parameters] = Parameters) -> list[type[Parameters]]:
    """All parameters that there are a form of."""
    return [kind, *(each for below in kind.__subclasses__() for each in kinds(below))]


@pytest.fixture
def show(bare_settings: None, services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Show:
    """The defaults of all forms, as a process of the composition knows them."""

    def shown(process: str) -> dict[str, Any]:
        with monkeypatch.context() as patched:
            for name, value in embsearch(services[process]).items():
                patched.setenv(PREFIX + name.upper(), value)
            get_settings.cache_clear()
            forms = {kind.__name__: kind().model_dump(mode="json") for kind in kinds()}
            return {**forms, "vectors of documents": vector_defaults()}

    return shown


def test_every_process_shows_the_defaults_that_tasks_take(show: Show, services: dict[str, dict[str, Any]]) -> None:
    import_all_parameters()
    assert len(kinds()) > 15
    taken = show("airflow-worker")
    for process in set(runs_our_code(services)) - {"image-search"}:  # which has no forms
        assert show(process) == taken, process


def test_every_default_input_is_mounted_or_in_the_image(
    bare_settings: None, services: dict[str, dict[str, Any]]
) -> None:
    worker = services["airflow-worker"]
    given = settings_of(worker)
    paths = [(name, path) for name in Settings.model_fields for path in paths_of(getattr(given, name))]
    inputs = {"keywords", "products", "daily_products", "documents", "fulltext_relevance", "images_roots"}
    assert inputs <= {name for name, _ in paths}
    folders = (*mounted(worker), *IN_THE_IMAGE)
    assert [found for found in paths if not any(found[1].is_relative_to(folder) for folder in folders)] == []


def test_forms_lead_to_no_file_but_inputs_and_write_nowhere_but_to_a_folder_of_their_own(
    bare_settings: None, services: dict[str, dict[str, Any]]
) -> None:
    for process in ("airflow-worker", "airflow-triggerer"):
        settings = settings_of(services[process])
        inputs, outputs = Allowed.below(settings.input_roots), Allowed.below(settings.output_roots)
        named = [settings.keywords, settings.products, settings.daily_products, settings.documents]
        assert all(inputs.holds(inside(path)) for path in (*named, settings.fulltext_relevance))
        assert all(inputs.holds(folder) for folder in outputs.folders)  # what faiss_train writes, faiss_build reads
        secrets = (Path("/var/lib/embsearch/auth"), settings.model_repository, Path("/etc/embsearch"), Path("/proc"))
        assert not any(allowed.holds(path) for allowed in (inputs, outputs) for path in secrets)
        (output,) = outputs.folders
        assert output.is_relative_to(settings.state_dir)
        assert output != settings.state_dir


def test_every_default_index_is_one_that_the_role_lets_tasks_fill(bare_settings: None) -> None:
    import_all_parameters()
    role = yaml.safe_load(ROLES.read_text(encoding="utf-8"))["embsearch"]
    (rights,) = role["indices"]
    settings = Settings()
    indexes = {settings.keyword_index, settings.link_index, settings.fulltext_collection}
    assert set(rights["names"]) == {name for index in indexes for name in (index, f"{index}__*")}
    assert rights["privileges"] == ["all"]
    defaults = [kind().model_dump() for kind in kinds() if "es_url" in kind.model_fields]
    assert {values["index"] for values in defaults if values.get("index")} <= indexes


def test_the_role_s_user_is_the_one_of_tasks(services: dict[str, dict[str, Any]]) -> None:
    user = embsearch(services["airflow-worker"])["es_user"]
    script = (PROJECT_ROOT / "docker/elasticsearch/make-user.sh").read_text(encoding="utf-8")
    assert f"/_security/user/{user}" in script
    assert f'\\"roles\\": [\\"{user}\\"]' in script
    assert list(yaml.safe_load(ROLES.read_text(encoding="utf-8"))) == [user]


def import_all_parameters() -> None:
    """So that :func:`kinds` knows them."""
    for path in (PROJECT_ROOT / "include").glob("*/parameters.py"):
        import_module(f"include.{path.parent.name}.parameters")


def paths_of(value: Any) -> list[Path]:
    """Where the paths that a setting names are in the containers; ``{date}`` stands for a day."""
    if isinstance(value, Path):
        return [inside(value) if value.is_relative_to(PROJECT_ROOT) else value]
    if not isinstance(value, str) or "://" in value or ":" in value:
        return []
    return [inside(part) for part in value.split(",") if re.fullmatch(r"[\w.-]+(/[\w.{}-]+)+", part.strip())]
