"""What these workflows add to Airflow's web server. Every process of Airflow loads this file, so it imports little."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from search_ops.lazy_app import LazyApp

IMAGES = "/image-search"


class SearchPlugin(AirflowPlugin):
    """The image search."""

    name = "search"
    fastapi_apps = [  # noqa: RUF012 — declared so by Airflow
        {"name": "Image search", "url_prefix": IMAGES, "app": LazyApp("search_ops.image_api")},
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "Image search",
            "href": f"{IMAGES.strip('/')}/docs",
            "destination": "nav",
            "category": "browse",
            "url_route": "image-search",
        },
    ]
