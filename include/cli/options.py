"""Command-line options made from a workflow's parameters, so that names, defaults, bounds and words are the same."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from include.errors import InputError
from include.parameters import Parameters

P = TypeVar("P", bound=Parameters)


def takes(kind: type[P], **arguments: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn ``command(parameters)`` into a command with one option for every field of ``kind``.

    What is true or false is a pair of flags without a value: ``--dry-run`` and ``--no-dry-run``.

    ``arguments`` are annotations of what stands on the command line without a name; the command gets them by name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        schemas = kind.schemas()

        @functools.wraps(command)
        def run(**given: Any) -> None:
            plain = {name: given.pop(name) for name in arguments}
            values = {name: _value(value, schemas[name]) for name, value in given.items() if value is not None}
            try:
                parameters = kind.checked(values)
            except InputError as error:
                raise typer.BadParameter(str(error)) from None
            command(parameters, **plain)

        keyword = inspect.Parameter.KEYWORD_ONLY
        unnamed = [inspect.Parameter(name, keyword, annotation=kind_) for name, kind_ in arguments.items()]
        options = [_option(name, schema) for name, schema in schemas.items()]
        run.__signature__ = inspect.Signature([*unnamed, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*unnamed, *options)}
        return run

    return decorate


def _option(name: str, schema: dict[str, Any]) -> inspect.Parameter:
    help_text = f"{schema.get('description', '')} {_bounds(schema)}Default: {_shown(schema['default'])}."
    names = dict.fromkeys((_spelt(name), f"--{name}"))
    if schema["type"] == "boolean":
        pairs = [f"{yes}/--no-{yes.removeprefix('--')}" for yes in names]
        flags = typer.Option(None, *pairs, help=help_text, show_default=False)
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=flags, annotation=bool | None)
    option = typer.Option(None, *names, help=help_text, show_default=False, metavar=schema["type"].upper())
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None)


def _spelt(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _bounds(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return f"One of {', '.join(schema['enum'])}. "
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}. "
    return ""


def _shown(default: Any) -> str:
    return "empty" if default == "" else str(default).lower() if isinstance(default, bool) else str(default)


def _value(given: str | bool, schema: dict[str, Any]) -> Any:
    """The option's text as its type; what does not fit stays text, for the schema to refuse in its own words."""
    convert: Any = {"integer": int, "number": float, "boolean": bool}.get(schema["type"], str)
    try:
        return convert(given)
    except ValueError:
        return given
