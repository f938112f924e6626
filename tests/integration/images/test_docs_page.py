"""The docs page in a real browser: it shows every route, and a search is run from it."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.integration.images.browser import opened
from tests.integration.images.served import TOKEN, ServedImages
from tests.integration.images.server_process import running

SECONDS = 30_000  # milliseconds


def test_a_newcomer_finds_every_route_and_runs_a_search(images: ServedImages, tmp_path: Path) -> None:
    with running(images.settings, tmp_path) as server, opened(server.url) as (context, elsewhere):
        page, faults = context.new_page(), []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.set_default_timeout(SECONDS)
        page.goto(f"{server.url}/docs")
        expect(page.locator(".opblock-summary-path")).to_have_count(5)
        _log_in(page)

        answer = _search(page, images.some("scratch"))

        assert answer["status"] == "success"
        assert answer["results"][0]["local_path"] == str(images.some("scratch"))
        assert faults == []
        assert elsewhere == []


def _log_in(page: Page) -> None:
    page.locator(".auth-wrapper .authorize").click()
    page.locator(".auth-container input").fill(TOKEN)
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()


def _search(page: Page, picture: Path) -> dict[str, object]:
    route = page.locator(".opblock", has=page.locator('[data-path="/similarity"]'))
    route.locator(".opblock-summary-control").click()
    route.locator(".try-out__btn").click()
    route.locator(".opblock-section-request-body select").first.select_option("application/json")
    route.locator("textarea.body-param__text").fill(json.dumps({"path": str(picture)}))
    route.locator(".execute").click()
    shown = route.locator(".live-responses-table .response .highlight-code code").first
    expect(shown).to_contain_text('"status": "success"')
    found: dict[str, object] = json.loads(shown.inner_text())
    return found
