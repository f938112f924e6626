"""Command-line options made from a workflow's parameters, so that names, defaults, bounds and words are the same."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from include.parameters import Parameters


P = TypeVar("P", bound=Parameters)


def takes(kind: type[P]) -> Callable[[Callable[[P], None]], Callable[..., None]]:
    """Turn ``command(parameters)`` into a command with one option for every field of ``kind``."""

    def decorate(command: Callable[[P], None]) -> Callable[..., None]:
        schemas = kind.schemas()

        @functools.wraps(command)
        def run(**given: str | None) -> None:
            values = {name: _value(text, schemas[name]) for name, text in given.items() if text is not None}
            command(kind.checked(values))

        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [_option(name, schema) for name, schema in schemas.items()]
        )
        run.__annotations__ = dict.fromkeys(schemas, str | None)
        return run

    return decorate


def _option(name: str, schema: dict[str, Any]) -> inspect.Parameter:
    help_text = f"{schema.get('description', '')} {_bounds(schema)}[default: {schema['default']}]"
    names = dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))
    option = typer.Option(None, *names, help=help_text, show_default=False, metavar=schema["type"].upper())
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None)


def _bounds(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"One of {', '.join(schema['enum'])}. "
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}. "
    return ""


def _value(text: str, schema: dict[str, Any]) -> Any:
    """The option's text as its type; what does not fit stays text, for the schema to refuse in its own words."""
    convert = {"integer": int, "number": float}.get(schema["type"], str)
    try:
        return convert(text)
    except ValueError:
        return text
