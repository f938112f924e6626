"""Typed, bounded, documented parameters: one definition for trigger forms, REST calls and the command line.

A field's JSON Schema is what Airflow's ``Param`` checks, so checking with the same schema here refuses a bad value with
the same words everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from pydantic import ValidationError as PydanticError

from include.errors import InputError


class Parameters(BaseModel):
    """Base of every workflow's parameters; field titles, descriptions and bounds are what users read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def schemas(cls) -> dict[str, dict[str, Any]]:
        """Field name → its JSON Schema with the default of this installation."""
        defaults = cls().model_dump(mode="json")
        properties: dict[str, dict[str, Any]] = cls.model_json_schema()["properties"]
        return {name: {**schema, "default": defaults[name]} for name, schema in properties.items()}

    @classmethod
    def checked(cls, values: Mapping[str, Any]) -> Self:
        """Parameters from untrusted values; those not given take their defaults.

        Raises:
            InputError: an unknown name or a value out of bounds.
        """
        from jsonschema import FormatChecker, ValidationError, validate  # noqa: PLC0415 — not needed to parse a DAG

        schemas = cls.schemas()
        for name, value in values.items():
            if name not in schemas:
                msg = f"Unknown param {name}. There are: {', '.join(schemas)}."
                raise InputError(msg)
            try:
                validate(value, schemas[name], format_checker=FormatChecker())
            except ValidationError as error:
                msg = f"Invalid input for param {name}: {error.message}"
                if error.validator == "pattern":
                    msg += f"\n{schemas[name]['title']}: {schemas[name]['description']}"
                raise InputError(msg) from None
        try:
            return cls(**values)
        except PydanticError as error:  # what JSON Schema lets pass: NaN, text that is not Unicode
            first = error.errors()[0]
            msg = f"Invalid input for param {first['loc'][0]}: {first['msg']}"
            raise InputError(msg) from None
