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

    What is true or false has a second one: ``--no-dry-run`` is short for ``--dry-run false``.

    ``arguments`` are annotations of what stands on the command line without a name; the command gets them by name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        schemas = kind.schemas()
        refused = {f"no_{name}": name for name, schema in schemas.items() if schema["type"] == "boolean"}

        @functools.wraps(command)
        def run(**given: Any) -> None:
            plain = {name: given.pop(name) for name in arguments}
            for flag, name in refused.items():
                if given.pop(flag):
                    if given[name] is not None:
                        raise typer.BadParameter(f"Give {_spelt(name)} or {_spelt(flag)}, not both.")
                    given[name] = "false"
            values = {name: _value(text, schemas[name]) for name, text in given.items() if text is not None}
            try:
                parameters = kind.checked(values)
            except InputError as error:
                raise typer.BadParameter(str(error)) from None
            command(parameters, **plain)

        keyword = inspect.Parameter.KEYWORD_ONLY
        unnamed = [inspect.Parameter(name, keyword, annotation=kind_) for name, kind_ in arguments.items()]
        options = [_option(name, schema) for name, schema in schemas.items()]
        options += [_refusal(flag, name) for flag, name in refused.items()]
        run.__signature__ = inspect.Signature([*unnamed, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*unnamed, *options)}
        return run

    return decorate


def _option(name: str, schema: dict[str, Any]) -> inspect.Parameter:
    help_text = f"{schema.get('description', '')} {_bounds(schema)}Default: {_shown(schema['default'])}."
    names = dict.fromkeys((_spelt(name), f"--{name}"))
    option = typer.Option(None, *names, help=help_text, show_default=False, metavar=schema["type"].upper())
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None)


def _refusal(flag: str, name: str) -> inspect.Parameter:
    """The option that says no to ``name``."""
    option = typer.Option(False, _spelt(flag), help=f"Short for {_spelt(name)} false.", show_default=False)
    return inspect.Parameter(flag, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=bool)


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


def _value(text: str, schema: dict[str, Any]) -> Any:
    """The option's text as its type; what does not fit stays text, for the schema to refuse in its own words."""
    convert: Any = {"integer": int, "number": float, "boolean": _boolean}.get(schema["type"], str)
    try:
        return convert(text)
    except (ValueError, KeyError):
        return text


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]
