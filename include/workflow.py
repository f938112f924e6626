"""The shape that every build has, so that the command line and the operators run all of them in the same way.

Modules with these names: ``include.keywords.vectors``, ``include.keywords.text``, ``include.linking.workflow``.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, Protocol, cast

from include.errors import ContractError, GateFailed
from include.generations.counts import Counts
from include.generations.run import Run
from include.parameters import Parameters
from include.settings import Settings
from include.sources.build import Build


class Workflow(Protocol):
    """Plan, run shards anywhere and in any order, publish."""

    PARAMETERS: type[Parameters]

    def plan(self, parameters: Any, run: Run, settings: Settings) -> Build:
        """Begin the run's build, or find it again to be resumed."""
        ...

    def run_shards(self, build: Build, shards: Iterable[int], settings: Settings) -> Counts:
        """Do the shards that are not finished; return what became of the rows of all of them."""
        ...

    def publish(self, build: Build, settings: Settings) -> dict[str, Any]:
        """Check the finished build, serve it, and return its figures; small enough to travel with an event."""
        ...


def load_workflow(module: str) -> Workflow:
    """The workflow that ``module`` is."""
    return cast(Workflow, import_module(module))


def run_workflow(module: str, parameters: Parameters, run: Run, settings: Settings) -> tuple[Build, dict[str, Any]]:
    """All steps in this process; an interrupted run is resumed, one whose build was refused starts a new one."""
    workflow = load_workflow(module)
    build = workflow.plan(parameters, run, settings)
    workflow.run_shards(build, range(build.input.shards), settings)
    try:
        return build, workflow.publish(build, settings)
    except (GateFailed, ContractError) as error:
        build.mark_refused(str(error))
        raise
