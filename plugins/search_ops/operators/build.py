"""The three tasks that every build has; what is built is the subclass's ``workflow``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from include.settings import Settings
from search_ops.connections import settings_with_connections
from search_ops.run_context import parameters_of, run_date, run_of, tell

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

    :param inherits: parameters taken from the asset event that caused the run.
    :param dated: parameters in which ``{date}`` stands for the run's day, YYYY-MM-DD in the DAG's time zone.
    :param skip_without_input: skip the run when the input file does not exist.
    """

    workflow: ClassVar[str]
    input_name: ClassVar[str]

    def __init__(
        self,
        *,
        inherits: Sequence[str] = (),
        dated: Sequence[str] = (),
        skip_without_input: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.inherits = inherits
        self.dated = dated
        self.skip_without_input = skip_without_input

    def execute(self, context: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the build's shards as ranges to map over; the counts of the input go to XCom ``counts``."""
        from include.workflow import load_workflow  # noqa: PLC0415 — a DAG file must parse quickly

        workflow = load_workflow(self.workflow)
        parameters = parameters_of(context, workflow.PARAMETERS, inherits=self.inherits)
        day = f"{run_date(context).astimezone(context['dag'].timezone):%Y-%m-%d}"
        dated = {name: getattr(parameters, name).replace("{date}", day) for name in self.dated}
        parameters = parameters.model_copy(update=dated)
        if self.skip_without_input:
            self._skip_without(getattr(parameters, self.input_name), day)
        build = workflow.plan(parameters, run_of(context), self.settings)
        context["ti"].xcom_push("counts", build.input.counts.as_dict())
        ranges = build.ranges(self.settings.mapped_tasks)
        return [{"build": build.uri, "first": first, "end": end} for first, end in ranges]

    def _skip_without(self, path: str, day: str) -> None:
        from include.settings import PROJECT_ROOT  # noqa: PLC0415

        if not (PROJECT_ROOT / path).exists():
            msg = f"No input for {day}: {PROJECT_ROOT / path} does not exist. Nothing to do."
            raise AirflowSkipException(msg)


class ShardsOperator(SearchOperator):
    """Do a range of shards; those that are finished already are skipped.

    :param shards: one of the ranges that the plan returned.
    """

    workflow: ClassVar[str]
    template_fields = ("shards",)

    def __init__(self, *, shards: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shards = shards

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return what became of the range's rows."""
        from include.sources.build import Build  # noqa: PLC0415
        from include.workflow import load_workflow  # noqa: PLC0415

        build = Build.load(self.shards["build"])
        shards = range(self.shards["first"], self.shards["end"])
        return load_workflow(self.workflow).run_shards(build, shards, self.settings).as_dict()


class PublishOperator(SearchOperator):
    """Check the finished build and serve it; its figures go with the asset event.

    :param shards: all ranges that the plan returned.
    """

    workflow: ClassVar[str]
    template_fields = ("shards",)

    def __init__(self, *, shards: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shards = shards

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.sources.build import Build  # noqa: PLC0415
        from include.workflow import load_workflow  # noqa: PLC0415

        summary = load_workflow(self.workflow).publish(Build.load(self.shards[0]["build"]), self.settings)
        tell(context, self.outlets, summary)
        return summary
