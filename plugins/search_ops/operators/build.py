"""The three tasks that every build has; what is built is the subclass's ``workflow``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from airflow.sdk import BaseOperator

from include.settings import Settings
from search_ops.connections import settings_with_connections
from search_ops.run_context import (
    day_of,
    parameters_of,
    run_of,
    skip_foreign,
    skip_without,
    tell,
    whole_when_caused,
)

CHATTY = ("elastic_transport", "httpx", "urllib3")


class SearchOperator(BaseOperator):
    """An operator that works with the library's settings, credentials taken from Airflow connections."""

    def pre_execute(self, context: Any) -> None:  # noqa: ARG002
        """Keep the clients' line for every request out of the task's log."""
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)

    @cached_property
    def settings(self) -> Settings:
        """The settings of this task."""
        return settings_with_connections()


class PlanOperator(SearchOperator):
    """Begin the run's build, or find it again after a retry.

    :param follows: parameters, or settings where the workflow has no such parameter, that an asset event must agree
        with; a run none of whose events does is skipped: a model that is deployed for something else must neither take
        the served collection over nor push a generation out.
    :param given: parameters that a task before this one has found for the run.
    :param dated: parameters in which ``{date}`` stands for the run's day, YYYY-MM-DD in the DAG's time zone.
    :param skip_without_input: skip the run when the input file does not exist.
    """

    workflow: ClassVar[str]
    input_name: ClassVar[str]
    template_fields = ("given",)

    def __init__(
        self,
        *,
        follows: Sequence[str] = (),
        given: Any = None,
        dated: Sequence[str] = (),
        skip_without_input: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.follows = follows
        self.given = given
        self.dated = dated
        self.skip_without_input = skip_without_input

    def execute(self, context: Mapping[str, Any]) -> list[int]:
        """Return the numbers of the tasks to map over; XCom ``build`` has the build's URI, ``counts`` the input's."""
        from include.workflow import load_workflow  # noqa: PLC0415 — a DAG file must parse quickly

        workflow = load_workflow(self.workflow)
        parameters = parameters_of(context, workflow.PARAMETERS, settings=self.settings, given=self.given or {})
        skip_foreign(context, parameters, self.follows)
        parameters = whole_when_caused(parameters, context)
        day = day_of(context)
        dated = {name: getattr(parameters, name).replace("{date}", day) for name in self.dated}
        parameters = parameters.model_copy(update=dated)
        if self.skip_without_input:
            skip_without(getattr(parameters, self.input_name), day)
        build = workflow.plan(parameters, run_of(context), self.settings)
        context["ti"].xcom_push("build", build.uri)
        context["ti"].xcom_push("counts", build.input.counts.as_dict())
        return list(range(len(build.task_ranges(self.settings.mapped_tasks))))


class ShardsOperator(SearchOperator):
    """Do one task's part of the shards; those that are finished already are skipped.

    :param build: the build's URI, from the plan.
    :param number: this task's among those that the plan returned.
    """

    workflow: ClassVar[str]
    template_fields = ("build", "number")

    def __init__(self, *, build: Any, number: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.build = build
        self.number = number

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return what became of the range's rows."""
        from include.sources.build import Build  # noqa: PLC0415
        from include.workflow import load_workflow  # noqa: PLC0415

        build = Build.load(self.build)
        first, end = build.task_ranges(self.settings.mapped_tasks)[self.number]
        return load_workflow(self.workflow).run_shards(build, range(first, end), self.settings).as_dict()


class PublishOperator(SearchOperator):
    """Check the finished build and serve it; its figures go with the asset event.

    :param build: the build's URI, from the plan.
    """

    workflow: ClassVar[str]
    template_fields = ("build",)

    def __init__(self, *, build: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.build = build

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.sources.build import Build  # noqa: PLC0415
        from include.workflow import load_workflow  # noqa: PLC0415

        summary = load_workflow(self.workflow).publish(Build.load(self.build), self.settings)
        tell(context, self.outlets, summary)
        return summary
