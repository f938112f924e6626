"""Options made from parameters: the same names, defaults, bounds and words."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner, Result

from include.cli.app import app
from include.cli.options import takes
from include.parameters import Parameters


class Cooking(Parameters):
    """What a command may be given."""

    dish_name: str = Field("", title="Dish", description="What to cook.", max_length=20)
    guests: int = Field(0, title="Guests", description="How many eat.", ge=0, le=9)
    heat: float = Field(0.5, title="Heat", description="Share of the full heat.", ge=0, le=1)
    quick: bool = Field(default=True, title="Quick", description="No oven.")
    at_once: bool = Field(default=False, title="At once", description="Let nothing rest.")


def invoke(*words: str) -> tuple[Result, list[tuple[Cooking, list[str]]]]:
    kitchen = typer.Typer(rich_markup_mode=None)
    seen: list[tuple[Cooking, list[str]]] = []

    @kitchen.command()
    @takes(Cooking, spices=Annotated[list[str], typer.Argument()])
    def cook(parameters: Cooking, spices: list[str]) -> None:
        """Cook."""
        seen.append((parameters, spices))

    return CliRunner().invoke(kitchen, list(words)), seen


def test_what_is_not_given_takes_its_default_and_arguments_come_by_name() -> None:
    _, seen = invoke("salt", "pepper")
    assert seen == [(Cooking(), ["salt", "pepper"])]


@pytest.mark.parametrize("dish", ["--dish-name", "--dish_name"])
def test_both_spellings_and_every_type_are_understood(dish: str) -> None:
    _, seen = invoke("salt", dish, "soup", "--guests", "3", "--heat", "1e-1", "--no-quick")
    assert seen[0][0] == Cooking(dish_name="soup", guests=3, heat=0.1, quick=False)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), Cooking(quick=True, at_once=False)),
        (("--no-quick", "--at-once"), Cooking(quick=False, at_once=True)),
        (("--quick", "--no-at-once"), Cooking(quick=True, at_once=False)),
        (("--at_once",), Cooking(at_once=True)),
        (("--no-quick", "--quick"), Cooking(quick=True)),
    ],
)
def test_what_is_true_or_false_is_a_flag_without_a_value(words: tuple[str, ...], expected: Cooking) -> None:
    assert invoke("salt", *words)[1] == [(expected, ["salt"])]


@pytest.mark.parametrize(
    "words",
    [
        ("fulltext", "index", "--rebuild", "--delete-missing"),
        ("fulltext", "quality", "--accept"),
        ("images", "build", "--force"),
        ("export", "--force", "--fuse"),
        ("replay", "--no-dry-run"),
    ],
)
def test_the_flags_of_the_documents_need_no_value(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--oven"])
    assert result.exit_code == 2
    assert "No such option: --oven" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--guests", "10"), "Invalid input for param guests: 10 is greater than the maximum of 9"),
        (("--guests", "2.5"), "Invalid input for param guests: '2.5' is not of type 'integer'"),
        (("--guests", "many"), "Invalid input for param guests: 'many' is not of type 'integer'"),
        (("--heat", "nan"), "Invalid input for param heat: Input should be"),
        (("--quick=perhaps",), "Option '--quick' does not take a value."),
        (("--dish-name", "x" * 21), "is too long"),
        (("--dish-name", "\udcff"), "Invalid input for param dish_name: Input should be a valid string"),
        (("--oven", "1"), "No such option: --oven"),
    ],
)
def test_what_does_not_fit_ends_with_2_and_one_sentence(words: tuple[str, ...], said: str) -> None:
    result, seen = invoke("salt", *words)
    assert result.exit_code == 2
    assert seen == []
    assert said in result.output.splitlines()[-1]


def test_help_tells_bounds_and_defaults_also_where_they_are_zero_empty_or_true() -> None:
    result, _ = invoke("--help")
    said = " ".join(result.output.split())
    assert "--dish-name, --dish_name STRING What to cook. Default: empty." in said
    assert "--guests INTEGER How many eat. 0 to 9. Default: 0." in said
    assert "--heat NUMBER Share of the full heat. 0 to 1. Default: 0.5." in said
    assert "--quick / --no-quick No oven. Default: true." in said
