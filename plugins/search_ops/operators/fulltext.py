"""Tasks of the documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from include.fulltext.parameters import DocumentIndexParameters
from search_ops.operators.build import SearchOperator
from search_ops.run_context import day_of, parameters_of, run_of, skip_without, tell


class DocumentIndexOperator(SearchOperator):
    """Bring a collection up to its documents; the figures go with the asset event.

    A run whose input names a day (``{date}``) for which there is nothing is skipped.
    """

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.fulltext.indexing import index_documents  # noqa: PLC0415 — a DAG file must parse quickly

        parameters = parameters_of(context, DocumentIndexParameters, settings=self.settings)
        if "{date}" in parameters.input:
            day = day_of(context)
            parameters = parameters.model_copy(update={"input": parameters.input.replace("{date}", day)})
            skip_without(parameters.input, day, what="documents")
        summary = index_documents(parameters, run_of(context), self.settings)
        self.log.info("%d documents in %s: %s", summary["documents"], summary["collection"], summary["counts"])
        tell(context, self.outlets, summary)
        return summary


class DocumentChunksOperator(SearchOperator):
    """Write the chunk texts that vectors are made of; skipped, and nobody told, when none has changed or is left."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.fulltext.chunk_file import NoChunks, write_chunk_file  # noqa: PLC0415

        parameters = parameters_of(context, DocumentIndexParameters, settings=self.settings)
        run = run_of(context)
        try:
            summary = write_chunk_file(parameters.collection, self.settings, run_key=run.key, es_url=parameters.es_url)
        except NoChunks as error:
            msg = f"{error} Nobody is told; a search by meaning finds nothing in it."
            raise AirflowSkipException(msg) from None
        if not summary["changed"]:
            msg = f"The {summary['texts']} chunk texts of {parameters.collection} are as they were, so nobody is told."
            raise AirflowSkipException(msg)
        tell(context, self.outlets, summary)
        return summary
