"""``embsearch images serve``: the image search as a server of its own, without Airflow's web server."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from include.cli.session import command_run, command_session
from include.images.parameters import ImageIndexParameters, ImageType
from include.settings import Settings, get_settings

PORT = 8090


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets every machine ask.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
) -> None:
    """Answer searches over HTTP until Ctrl-C; callers show the token EMBSEARCH_IMAGES_TOKEN. /docs describes it all."""
    from include.images.api.alone import serve as serve_alone  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session("images-serve", settings):
        rebuild = partial(_rebuild, settings=settings) if settings.images_rebuild_at_start else None
        serve_alone(settings, host=host, port=port, rebuild=rebuild)


def _rebuild(image_type: ImageType, settings: Settings) -> None:
    """Build an index that a search is over by default."""
    from include.images.build import build  # noqa: PLC0415

    parameters = ImageIndexParameters(edition="v2" if settings.use_index_v2 else "v1")
    build(image_type, parameters, command_run(f"images-serve-{image_type}", parameters), settings)
