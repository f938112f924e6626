"""The API keeps to its own description, whatever is sent: no failure of the server, no answer of another shape."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from include.images.api.access import by_token
from include.images.api.app import create_app
from include.images.api.contract import SearchOptions
from include.images.api.serving import Serving
from tests.integration.images.served import TOKEN, Rebuilds, ServedImages

EXAMPLES = 100  # of each route and way
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROUTES = [
    ("POST", "/similarity"), ("POST", "/index/rebuild"), ("GET", "/index/rebuild/{run_id}"),
    ("POST", "/api/worker/image/register"), ("GET", "/health"),
]  # fmt: skip


bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


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

    @bounded
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"})
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
    assert set(statuses) - {401}  # it was more than the login that answered


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """A picture; every other one with some of its bytes changed, or cut off."""
    buffer = io.BytesIO()
    size = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    mode, kind = draw(st.sampled_from([("RGB", "JPEG"), ("P", "PNG"), ("RGBA", "WEBP"), ("L", "BMP")]))
    Image.linear_gradient("L").resize(size).convert(mode).save(buffer, kind)
    data = bytearray(buffer.getvalue())
    if draw(st.booleans()):
        for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
            data[place] = draw(st.integers(0, 255))
        data = data[: draw(st.integers(0, len(data)))]
    return bytes(data)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data"])
def test_searches_with_real_pictures_are_answered_as_described(
    description: Any, images: ServedImages, kind: str
) -> None:
    """What is generated from the description alone is never a picture, and so never found anything for."""
    operation = description["/similarity"]["POST"]
    statuses: Counter[int] = Counter()

    @bounded
    @given(case=operation.as_strategy(generation_mode=ALLOWED), picture=pictures())
    def ask(case: Any, picture: bytes) -> None:
        options = {name: case.body[name] for name in SearchOptions.model_fields if name in dict(case.body)}
        whole = {"path": str(images.some("scratch"))} if kind == "application/json" else {"file": picture}
        case.media_type, case.body = kind, {**options, **whole}
        answer = case.call(headers={"Authorization": f"Bearer {TOKEN}"})
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
    assert statuses[200] >= EXAMPLES / 4, statuses
    assert set(statuses) <= {200, 413, 422}
