"""The part of the web server that is made at its first request."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from search_ops import lazy_app
from search_ops.lazy_app import LazyApp


def test_what_cannot_be_made_is_tried_again_after_a_pause_and_not_for_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    def make() -> FastAPI:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("/srv/secret/place")
        return FastAPI()

    module = ModuleType("made_in_a_test")
    module.make = make  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    app = LazyApp(module.__name__)
    client = TestClient(app)
    answers = [client.get("/openapi.json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert "secret" not in answers[0].text
    assert tries == 1

    monkeypatch.setattr(app, "_next_try", 0.0)
    assert [client.get("/openapi.json").status_code for _ in range(3)] == [200] * 3
    assert tries == 2
    assert answers[0].headers["retry-after"] == str(lazy_app.PAUSE_SECONDS)
