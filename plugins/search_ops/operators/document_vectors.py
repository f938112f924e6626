"""Tasks of the vectors of documents, besides those that every vector index has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import DagRunTriggerException

from include.keywords.parameters import VectorIndexParameters
from search_ops.operators.build import SearchOperator
from search_ops.run_context import event_extras, parameters_of, skip_foreign


class DocumentVectorsDueOperator(SearchOperator):
    """Say which collections of documents need new vectors; the run itself makes those of one of them.

    New chunk texts ask for those of their collection, a newly served model for those of all collections. A run that no
    event caused is for what its form says.
    """

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Return the other collections, to map over; XCom ``own`` has the parameters that the run's own one needs."""
        from include.fulltext.places import collections_with_chunks, vector_input  # noqa: PLC0415 — parse quickly

        parameters = parameters_of(context, VectorIndexParameters, settings=self.settings)
        skip_foreign(context, parameters, ("model",))
        due: dict[str, None] = {}
        for extra in event_extras(context):
            if "documents" in extra:
                due[extra["documents"]] = None
            elif extra.get("model", parameters.model) == parameters.model:
                due |= dict.fromkeys(collections_with_chunks(self.settings))
        *others, own = due or [""]  # no event, or nothing is indexed yet: the form's own
        context["ti"].xcom_push("own", vector_input(self.settings, own) if own else {})
        return others


class DocumentVectorsRunOperator(SearchOperator):
    """Start a run of the DAG for another collection, once for each run of this task.

    :param documents: the collection of documents.
    """

    template_fields = ("documents",)

    def __init__(self, *, documents: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.documents = documents

    def execute(self, context: Mapping[str, Any]) -> None:
        """Have Airflow start it; skipped when an earlier try has done so.

        Raises:
            DagRunTriggerException: always; it is Airflow's way to be told.
        """
        from include.fulltext.places import vector_input  # noqa: PLC0415

        raise DagRunTriggerException(
            trigger_dag_id=context["dag"].dag_id,
            dag_run_id=f"{self.documents}__{context['dag_run'].run_id}",
            conf=vector_input(self.settings, self.documents),
            logical_date=None,  # several runs may start at the same moment
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=[],
            failed_states=[],
            poke_interval=0,
            deferrable=False,
        )
