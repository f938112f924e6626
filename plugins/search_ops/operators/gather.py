"""The last tasks of a run whose mapped tasks do several things side by side: they gather what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from search_ops.operators.build import SearchOperator


class GatherOperator(SearchOperator):
    """Base of what works with the figures of all mapped tasks that have succeeded.

    It runs though others have failed. Where there was nothing to map over because the run had nothing to do, it is
    skipped like them.

    :param results: what the mapped tasks returned.
    """

    template_fields: Sequence[str] = ("results",)

    def __init__(self, *, results: Any, **kwargs: Any) -> None:
        super().__init__(trigger_rule="none_skipped", **kwargs)
        self.results = results


class ReportOperator(GatherOperator):
    """The last task of a run: fails when one of the mapped tasks failed, and says which.

    :param names: of all that the run is for; None when they could not be told.
    """

    key: ClassVar[str]  # the figure that is the name
    what: ClassVar[str]  # the names are of, in the plural
    shown: ClassVar[tuple[str, ...]]  # figures to return
    template_fields = ("results", "names")

    def __init__(self, *, names: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = names

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return a line of figures for each name."""
        from include.errors import FatalError  # noqa: PLC0415 — a DAG file must parse quickly

        found = {each[self.key]: each for each in self.results}
        for name, each in found.items():
            self.log.info("%s: %s", name, each)
        if self.names is None:
            raise FatalError("The run's first task failed: see its log.")
        if failed := [name for name in self.names if name not in found]:
            msg = (
                f"{len(failed)} of {len(self.names)} {self.what} failed: {', '.join(failed)}. The others are done. "
                "Read the logs of their tasks, mend the cause, clear those tasks."
            )
            raise FatalError(msg)
        return {name: {key: each[key] for key in self.shown if key in each} for name, each in found.items()}
