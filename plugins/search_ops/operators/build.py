"""The three tasks that every build has; what is built is the subclass's ``workflow``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from include.parameters import Parameters
from include.settings import Settings
from search_ops.connections import settings_with_connections
from search_ops.run_context import (
    day_of,
    event_extras,
    parameters_of_each,
    run_of,
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

    :param follows: parameters that an asset event must agree with; a run none of whose events does is skipped: a model
        that is deployed beside the served one must not take the served collection over.
    :param inherits: parameters that are taken from the asset event that caused the run, where it has them; of several
        events from the last.
    :param dated: parameters in which ``{date}`` stands for the run's day, YYYY-MM-DD in the DAG's time zone.
    :param skip_without_input: skip the run when the input file does not exist.
    """

    workflow: ClassVar[str]
    input_name: ClassVar[str]

    def __init__(
        self,
        *,
        follows: Sequence[str] = (),
        inherits: Sequence[str] = (),
        dated: Sequence[str] = (),
        skip_without_input: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.follows = follows
        self.inherits = inherits
        self.dated = dated
        self.skip_without_input = skip_without_input

    def execute(self, context: Mapping[str, Any]) -> list[int]:
        """Return the numbers of the tasks to map over; XCom ``build`` has the build's URI, ``counts`` the input's."""
        from include.workflow import load_workflow  # noqa: PLC0415 — a DAG file must parse quickly

        workflow = load_workflow(self.workflow)
        parameters = self._parameters(context, workflow.PARAMETERS)
        self._skip_foreign(parameters, context)
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

    def _parameters(self, context: Mapping[str, Any], kind: type[Parameters]) -> Parameters:
        *others, parameters = parameters_of_each(context, kind, settings=self.settings, inherits=self.inherits)
        for other in others:
            left = {name: getattr(other, name) for name in self.inherits}
            self.log.warning("Several events caused this run; for that of %s start a run by hand.", left)
        return parameters

    def _skip_foreign(self, parameters: Parameters, context: Mapping[str, Any]) -> None:
        """Skip a run all of whose events are about something else."""
        for extra in (extras := event_extras(context)):
            others = [name for name in self.follows if name in extra and extra[name] != getattr(parameters, name)]
            if not others:
                return
        if extras:
            name = others[0]
            msg = (
                f"The event is about {name} {extra[name]!r}, this DAG keeps {getattr(parameters, name)!r} fresh. "
                f"Nothing to do. To switch, set EMBSEARCH_{name.upper()} or run it by hand."
            )
            raise AirflowSkipException(msg)


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
