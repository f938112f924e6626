"""A real browser for tests: Chromium of this machine, driven over its own protocol."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
OWN = "CHROMIUM"  # a variable with the path of another one
QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


def browser_path() -> str:
    """Where it is; a test without one fails."""
    found = os.environ.get(OWN) or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail(
            "There is no Chromium on this machine, so pages cannot be tested. Install it (Debian: `apt-get install "
            f"chromium`), or name one by {OWN}=<path>."
        )
    return found


@contextmanager
def opened(base_url: str, **context: object) -> Iterator[tuple[BrowserContext, list[str]]]:
    """A browser that reaches nothing but ``base_url``; what else a page asks for is in the list."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=[*QUIET, *sandbox])
        try:
            page_context = browser.new_context(**context)  # type: ignore[arg-type]
            elsewhere: list[str] = []

            def only_here(route: object) -> None:
                url = route.request.url  # type: ignore[attr-defined]
                if url.startswith((base_url, "data:", "blob:")):
                    route.continue_()  # type: ignore[attr-defined]
                else:
                    elsewhere.append(url)
                    route.abort()  # type: ignore[attr-defined]

            page_context.route("**/*", only_here)
            yield page_context, elsewhere
        finally:
            browser.close()
