"""``python -m search_ops.dag_docs [--check]``: write ``docs/dags.md`` from the DAGs, or fail when it has drifted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from airflow.dag_processing.dagbag import DagBag

from include.settings import PROJECT_ROOT, Settings, get_settings

TARGET = PROJECT_ROOT / "docs" / "dags.md"
HEAD = """# DAG reference

Generated from the DAG files by `make docs`; edit those. Defaults are those of the settings; the local stack has chosen
others, of the demo, in its `stack.env`. A DAG that runs by the clock runs at once when it is switched on, for the last
time that it missed. Which paths their forms may name is set by
`EMBSEARCH_INPUT_ROOTS` and `EMBSEARCH_OUTPUT_ROOTS`: see [the rules](architecture.md#rules-worth-knowing).
"""


def render(folder: Path) -> str:
    """The reference of all DAGs in ``folder``.

    Raises:
        RuntimeError: a DAG file cannot be imported.
    """
    with documented_defaults():
        bag = DagBag(str(folder))
    if bag.import_errors:
        raise RuntimeError(bag.import_errors)
    return "\n".join([HEAD, *(line for name in sorted(bag.dags) for line in _section(bag.dags[name]))]) + "\n"


@contextmanager
def documented_defaults() -> Iterator[None]:
    """Settings as documented, whatever this machine's environment and local stack say."""
    config = cast(dict[str, Any], Settings.model_config)
    before = dict(config)
    config.update(env_file=None, env_prefix="NOTHING_IS_CALLED_THIS_")
    get_settings.cache_clear()
    try:
        yield
    finally:
        config.update(before)
        get_settings.cache_clear()


def _section(dag: Any) -> Iterator[str]:
    title, text = dag.doc_md.strip().split("\n", 1)
    yield f"## `{dag.dag_id}`: {title.removeprefix('# ')}\n"
    yield text.strip() + "\n"
    yield "Tasks: " + " → ".join(f"`{task.task_id}`" for task in dag.topological_sort()) + ".\n"
    if dag.params:
        yield "| parameter | default | bounds | meaning |"
        yield "|---|---|---|---|"
        yield from (_row(name, param) for name, param in ((name, dag.params.get_param(name)) for name in dag.params))
        yield ""


def _row(name: str, param: Any) -> str:
    schema = param.schema
    bounds = ", ".join(f"{key} {schema[key]}" for key in ("enum", "minimum", "maximum", "pattern") if key in schema)
    cells = (f"`{name}`", f"`{param.value}`", bounds, f"{schema.get('title', '')}. {param.description or ''}")
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def main(arguments: list[str]) -> int:
    """Write the file, or compare it; return the exit status."""
    text = render(PROJECT_ROOT / "dags")
    if "--check" in arguments:
        same = TARGET.exists() and TARGET.read_text(encoding="utf-8") == text
        if not same:
            sys.stderr.write("docs/dags.md is not what the DAGs say: run `make docs`.\n")
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
