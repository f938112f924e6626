"""What a search shows of its own query."""

from __future__ import annotations

from include.cli.search import MOST_SHOWN, shown


def test_a_query_is_shown_whole_unless_it_fills_the_screen() -> None:
    assert shown("waterproof hiking backpack") == "waterproof hiking backpack"
    assert shown("x" * MOST_SHOWN) == "x" * MOST_SHOWN
    assert shown("x" * 20_000) == "x" * MOST_SHOWN + "…"
