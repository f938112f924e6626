"""The application, put together: for Airflow to mount, or to be served alone."""

from __future__ import annotations

from fastapi import FastAPI

from include.images.api.access import Access, paced
from include.images.api.docs import add_docs
from include.images.api.endpoints import Endpoints, routes
from include.images.api.faults import add_handlers
from include.images.api.guard import Bounds, Guard
from include.images.api.pace import Pace
from include.images.api.rebuilds import Rebuilder
from include.images.api.serving import Serving

TITLE = "Image similarity"
ABOUT = "Images that look like one of yours, with their products and defects; and what keeps their index fresh."


def create_app(serving: Serving, access: Access, rebuilder: Rebuilder, *, open_docs: bool = False) -> FastAPI:
    """The API over ``serving``.

    Args:
        serving: What is searched; its owner closes it.
        access: Who may do what.
        rebuilder: Where rebuilds run.
        open_docs: Whether the docs page and the description need no login; what they describe needs one in any case.

    Raises:
        SetupError: the files of the docs page are not installed.
    """
    settings = serving.settings
    app = FastAPI(
        title=TITLE,
        description=ABOUT,
        version="1",
        openapi_url=None,  # added with a login
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    pace = Pace(settings.images_requests_per_minute)
    app.include_router(routes(Endpoints(serving, rebuilder, pace), access, paced(pace)))
    add_docs(app, None if open_docs else access.search)
    add_handlers(app)
    app.add_middleware(Guard, bounds=Bounds(serving.limits.most_bytes, settings.images_body_seconds))
    return app
