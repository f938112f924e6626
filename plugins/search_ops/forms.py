"""Trigger forms made from the library's parameters."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from include.parameters import Parameters


def form(kind: type[Parameters], **defaults: Any) -> dict[str, Param]:
    """One typed, bounded, documented field for each parameter of ``kind``; ``defaults`` replace its own."""
    fields = {}
    for name, schema in kind.schemas().items():
        rest = {key: value for key, value in schema.items() if key not in {"default", "description"}}
        default = defaults.get(name, schema["default"])
        fields[name] = Param(default, description=schema.get("description"), **rest)
    return fields
