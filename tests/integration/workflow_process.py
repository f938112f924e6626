"""``workflow module, settings.json, parameters.json, run name, date``: one run in a process that can be killed."""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from pathlib import Path

from include.generations.names import run_key
from include.generations.run import Run
from include.settings import Settings
from include.workflow import load_workflow, run_workflow


def main(workflow: str, settings: str, parameters: str, name: str, date: str) -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    run_workflow(
        workflow,
        load_workflow(workflow).PARAMETERS.model_validate_json(Path(parameters).read_text(encoding="utf-8")),
        Run(run_key("test", name), datetime.fromisoformat(date)),
        Settings.model_validate_json(Path(settings).read_text(encoding="utf-8")),
    )
