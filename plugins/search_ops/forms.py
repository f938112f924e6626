"""Trigger forms made from the library's parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param

from include.parameters import Parameters


def form(kind: type[Parameters], **defaults: Any) -> dict[str, Param]:
    """One typed, bounded, documented field for each parameter of ``kind``; ``defaults`` replace its own.

    The page that triggers a run takes an empty field for ``null``, and a ``null`` for an error unless the type allows
    it: one that may be empty therefore allows both, and :func:`filled` makes an empty text of it again.
    """
    fields = {}
    for name, schema in kind.schemas().items():
        rest = {key: value for key, value in schema.items() if key not in {"default", "description"}}
        default = defaults.get(name, schema["default"])
        if may_be_empty(schema):
            rest["type"] = ["string", "null"]
        fields[name] = Param(default, description=schema.get("description"), **rest)
    return fields


def may_be_empty(schema: Mapping[str, Any]) -> bool:
    """Whether an empty text is a value of the parameter with this JSON Schema."""
    is_text = schema.get("type") == "string" and "enum" not in schema and not schema.get("minLength")
    return is_text and re.search(schema.get("pattern", ""), "") is not None


def filled(values: Mapping[str, Any], kind: type[Parameters]) -> dict[str, Any]:
    """The values of a form's fields, an empty text for a field that was left empty."""
    empty = {name for name, schema in kind.schemas().items() if may_be_empty(schema)}
    return {name: "" if value is None and name in empty else value for name, value in values.items()}
