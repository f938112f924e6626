"""The API keeps to its own description, whatever is sent: no failure of the server, no answer of another shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from include.images.api.access import by_token
from include.images.api.app import create_app
from include.images.api.serving import Serving
from tests.integration.images.served import TOKEN, Rebuilds, ServedImages

EXAMPLES = 100  # of each route and way
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROUTES = [
    ("POST", "/similarity"), ("POST", "/index/rebuild"), ("GET", "/index/rebuild/{run_id}"),
    ("POST", "/api/worker/image/register"), ("GET", "/health"),
]  # fmt: skip


@pytest.fixture(scope="module")
def description(images: ServedImages) -> Iterator[Any]:
    with Serving(images.settings) as serving:
        app = create_app(serving, by_token(images.settings), Rebuilds(), open_docs=True)
        yield schemathesis.openapi.from_asgi("/openapi.json", app)


def test_all_routes_are_asked(description: Any) -> None:
    found = [(one.ok().method.upper(), one.ok().path) for one in description.get_all_operations()]
    assert sorted(found) == sorted(ROUTES)


ALLOWED, FORBIDDEN = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
# /health takes nothing, so its description forbids nothing.
CASES = [(ALLOWED, *route) for route in ROUTES] + [(FORBIDDEN, *route) for route in ROUTES if route[1] != "/health"]


@pytest.mark.parametrize(("mode", "method", "path"), CASES)
def test_whatever_is_sent_is_answered_as_described(description: Any, mode: Any, method: str, path: str) -> None:
    operation = description[path][method]
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"})
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
    assert set(statuses) - {401}  # it was more than the login that answered
