"""A page of HTML, however broken, is the text that its readers see."""

from __future__ import annotations

import pytest

from include.fulltext.html_text import html_text


@pytest.mark.parametrize(
    "page",
    [
        "<p>before</p><form><select><option>no<option>nor</form><p>after</p>",
        "<p>before</p><select><option>no<p>after</p>",
        "<p>before</p><select><option>no<select><option>nor</select><p>after</p>",
        "<div><p>before</p><a><svg><title>no</title><path d='M0'></a></div><div>after</div>",
        "<p>before</p><svg><text>no</text><h2>after</h2>",
        "<div>before<template><li>no</div>after",
        "<div>before<object><param name=a>no</div>after",
        "<p>before<svg viewBox=x><g><foreignObject><div>no</div></foreignObject></g></svg><p>after",
        "<p>before<template><p>no</p><select></select>nor</template><p>after",
        "<p>before<svg><style>no</style><script>nor</script></svg>\nafter",
    ],
)
def test_an_element_that_nobody_closed_hides_no_more_than_itself(page: str) -> None:
    assert html_text(page).text.split() == ["before", "after"]


def test_what_a_reader_without_scripts_sees_is_text_whether_it_is_closed_or_not() -> None:
    assert html_text("<p>a<noscript>Plain <b>words</b></noscript><p>b").text == "a\nPlain words\nb"
    assert html_text("<p>a<noscript><img src=x><p>b").text == "a\nb"


def test_a_drawing_has_no_say_in_the_title_of_the_page() -> None:
    page = html_text("<svg><title>Icon</title><text>no</text></svg><title>Tents</title><h1>Head</h1>")
    assert (page.title, page.text) == ("Tents", "Head")
