"""The page that describes the API and lets one try it: Swagger UI from this server's own files, no other host's."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from include.errors import SetupError

ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css")
PACKAGE = "fastapi_offline"  # carries the files of Swagger UI

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{root}/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-openapi="{root}/openapi.json"></div>
<script src="{root}/docs/assets/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js"></script>
</body>
</html>
"""
_START = """window.ui = SwaggerUIBundle({
  url: document.getElementById("swagger-ui").dataset.openapi,
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""


def add_docs(app: FastAPI, who: Callable[..., Any] | None) -> None:
    """Add the page and the description; ``who`` may see them, everybody when it is ``None``.

    Raises:
        SetupError: the files of Swagger UI are not installed.
    """
    router = APIRouter(dependencies=[Depends(who)] if who else [], include_in_schema=False)

    def page(request: Request) -> HTMLResponse:
        root = escape(request.scope.get("root_path", "").rstrip("/"), quote=True)
        return HTMLResponse(_PAGE.format(title=escape(app.title), root=root))

    def description(request: Request) -> JSONResponse:
        root = request.scope.get("root_path", "").rstrip("/")
        return JSONResponse({**app.openapi(), "servers": [{"url": root or "/"}]})

    router.add_api_route("/docs", page, methods=["GET"])
    router.add_api_route("/openapi.json", description, methods=["GET"])
    app.include_router(router)
    app.add_api_route("/docs/start.js", _start, methods=["GET"], include_in_schema=False)
    app.mount("/docs/assets", StaticFiles(directory=_folder()))


def _start() -> Response:
    return Response(_START, media_type="text/javascript")


def _folder() -> Path:
    """Where the files of Swagger UI are; everybody may read them."""
    spec = find_spec(PACKAGE)
    places = [Path(place) / "static" for place in (spec.submodule_search_locations or ())] if spec else []
    for place in places:
        if all((place / name).is_file() for name in ASSETS):
            return place
    msg = f"The files of Swagger UI are missing: package {PACKAGE} is not installed whole. `make install` mends it."
    raise SetupError(msg)
