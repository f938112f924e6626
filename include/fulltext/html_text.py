"""What a page of HTML says to its readers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

_UNSEEN = frozenset({"script", "style", "template", "svg", "iframe", "object", "textarea", "select"})
# What ends a drawing or a choice that nobody closed, for it cannot stand in one; what is embedded in a drawing
# (foreignObject) may have it.
_ENDED_BY_PAGE = frozenset({"svg", "select"})
_OF_PAGES = frozenset(
    {"address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "input", "li", "main", "nav", "ol"}
    | {"p", "pre", "section", "table", "tbody", "td", "textarea", "th", "tr", "ul"}
)
_INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "img", "kbd", "mark", "q", "rp"}
    | {"rt", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr", "label"}
)
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_SPACES = re.compile(r"[ \t\r\f\v]*\n[ \t\r\f\v\n]*")


@dataclass(frozen=True)
class Page:
    """A page without its markup."""

    title: str  # of <title>, else of the first <h1>, else empty
    text: str


def html_text(html: str) -> Page:
    """The text of ``html``; broken markup is read as far as it goes, scripts and styles are left out.

    What nobody sees ends with the element around it at the latest, so that one missing end hides no page.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = _SPACES.sub("\n", "".join(reader.text))
    title = " ".join("".join(reader.title or reader.heading).split())
    return Page(title, "\n".join(" ".join(line.split()) for line in lines.split("\n")).strip())


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.title: list[str] = []
        self.heading: list[str] = []
        self._unseen: list[str] = []  # an element whose content nobody sees, and what is open in it
        self._in_title = False
        self._headings = 0  # <h1> elements that were begun
        self._in_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if self._unseen and self._ends_unseen(tag):
            self._unseen.clear()
        if self._unseen or tag in _UNSEEN:
            if tag not in _VOID:
                self._unseen.append(tag)
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "h1":
            self._headings += 1
            self._in_heading = self._headings == 1
        if tag not in _INLINE:
            self.text.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """``<script/>`` opens no element that somebody would close."""
        if tag not in _UNSEEN:
            self.handle_starttag(tag, attrs)
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            del self._unseen[len(self._unseen) - 1 - self._unseen[::-1].index(tag) :]
        elif self._unseen and tag in _OF_PAGES | {"html"}:
            self._unseen.clear()  # it ends an element around
        elif tag == "title":
            self._in_title = False
        elif tag == "h1":
            self._in_heading = False
        if tag not in _INLINE:
            self.text.append("\n")

    def _ends_unseen(self, tag: str) -> bool:
        """Whether ``tag`` stands in the page again, as the element that is open cannot have it."""
        outermost = self._unseen[0]
        if outermost not in _ENDED_BY_PAGE or "foreignobject" in self._unseen:
            return False
        return tag in _OF_PAGES or (tag == "select" == outermost)

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._in_title:
            self.title.append(data)
            return
        if self._in_heading:
            self.heading.append(data)
        self.text.append(data)
