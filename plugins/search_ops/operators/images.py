"""Tasks over the image indexes and the temporary images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from include.images.parameters import ImageCleanupParameters, ImageIndexParameters, asked_types
from search_ops.operators.build import SearchOperator
from search_ops.operators.index_types import IndexTypeOperator
from search_ops.run_context import event_extras, parameters_of, run_date, run_of


class ImageTypesOperator(SearchOperator):
    """Name the image indexes that the run is for; a run that another model's deployment caused is skipped."""

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Return their names, to map over."""
        parameters = parameters_of(context, ImageIndexParameters, settings=self.settings)
        models = [extra.get("model") for extra in event_extras(context)]
        if models and parameters.model not in models:
            msg = (
                f"The event is about model {models[-1]!r}, the images are embedded by {parameters.model!r}. Nothing to "
                "do. To switch, set EMBSEARCH_IMAGES_MODEL or run it by hand."
            )
            raise AirflowSkipException(msg)
        return list(asked_types(parameters.type))


class ImageBuildOperator(IndexTypeOperator):
    """Build one image index, ``normal`` or ``defect``, and serve it."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.images.build import build  # noqa: PLC0415 — a DAG file must parse quickly

        parameters = parameters_of(context, ImageIndexParameters, settings=self.settings)
        found = build(self.type_name, parameters, run_of(context), self.settings)
        self.log.info("%s: %s", self.type_name, found)
        return found


class ImageCleanupOperator(SearchOperator):
    """Delete the temporary images that are old enough at the moment that the run is for."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was deleted."""
        from include.images.cleanup import clean_up  # noqa: PLC0415 — a DAG file must parse quickly

        parameters = parameters_of(context, ImageCleanupParameters, settings=self.settings)
        return clean_up(parameters, run_date(context), self.settings)
