"""Tasks of DAGs that keep several indexes: one for each index type, and those that gather what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from search_ops.operators.build import SearchOperator
from search_ops.operators.gather import GatherOperator, ReportOperator
from search_ops.run_context import tell

NAME = "{{ task.type_name }}"  # of a mapped task, in place of its number

TOLD_ALERTS = 2  # of a type, in an event
TOLD_LETTERS = 120


class IndexTypeOperator(SearchOperator):
    """Base of what does one index type's part of a run.

    :param type_name: of the index type.
    """

    template_fields = ("type_name",)

    def __init__(self, *, type_name: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.type_name = type_name


class IndexAnnounceOperator(GatherOperator):
    """Tell who depends on the indexes which versions are served now; skipped when none of them is new."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures that go with the asset event."""
        published = [found for found in self.results if found["outcome"] == "published"]
        if not published:
            raise AirflowSkipException("No index has changed, so nobody is told.")
        extra = {"types": {found["type"]: _told(found) for found in published}}
        tell(context, self.outlets, extra)
        return extra


class IndexReportOperator(ReportOperator):
    """The last task of a run: fails when a type failed, and says which."""

    key, what, shown = "type", "index types", ("outcome", "rows")


def cut(texts: list[str]) -> list[str]:
    """As much of ``texts`` as an event tells."""
    return [text[:TOLD_LETTERS] for text in texts[:TOLD_ALERTS]]


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    """A version as an event tells it; seven of them stay below 4 KiB."""
    told = {"version": found["version"], "rows": found["rows"], "recall_at_10": found["recall_at_10"]}
    told |= {name: count for name, count in found.get("changes", {}).items() if name != "unchanged"}
    if bad := found.get("bad", {}).get("count"):
        told["bad"] = bad
    if "repaired" in found:
        told["repaired"] = cut(found["repaired"]["damaged"])
    if alerts := found.get("drift", {}).get("alerts"):
        told["alerts"] = cut(alerts)
    return told
