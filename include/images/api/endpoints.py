"""The requests that the API answers."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from include.images.api.access import Access, Caller, sender_of, slow_down
from include.images.api.bodies import described, json_body
from include.images.api.contract import (
    FoundImage,
    Health,
    RebuildRequest,
    RebuildStarted,
    RebuildState,
    Refusal,
    Registered,
    RegisterRequest,
    ResultLinks,
    SimilarityAnswer,
)
from include.images.api.health import HealthCheck
from include.images.api.pace import Pace
from include.images.api.query import REQUEST_BODY, Query, read_query
from include.images.api.rebuilds import Rebuilder, RebuildOf
from include.images.api.registering import register
from include.images.api.serving import Serving
from include.images.api.threads import DRAWINGS, RECORDS, SEARCHES, STORES
from include.images.index import Found, ImageIndex
from include.images.parameters import TEMPORARY_HOURS
from include.images.pictures import PictureLimits, decode
from include.images.results import LONGEST_SIDE, PATCHES, ResultImages, check_place, publish, result_images

if TYPE_CHECKING:
    from PIL.Image import Image

AskedRebuild = Annotated[RebuildRequest, Depends(json_body(RebuildRequest))]
AskedRegistration = Annotated[RegisterRequest, Depends(json_body(RegisterRequest))]

_MEANINGS = {
    400: "The request cannot be carried out as it is.",
    401: "No login, or not a valid one.",
    403: "No right, or an address outside of what is allowed.",
    404: "There is no such object or run.",
    408: "The body did not come in time.",
    409: "Something else is under way.",
    413: "Too many bytes or pixels.",
    415: "A body of another type.",
    422: "A field is wrong, or the file is no picture.",
    429: "Too many requests: see Retry-After.",
    500: "The server failed.",
    503: "Something that this needs does not answer.",
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Refusal, "description": meaning} for status, meaning in _MEANINGS.items()
}


class Endpoints:
    """What each route does."""

    def __init__(self, serving: Serving, rebuilder: Rebuilder, pace: Pace) -> None:
        self._serving, self._rebuilder, self._pace = serving, rebuilder, pace
        self._health = HealthCheck(serving)

    async def similarity(self, request: Request) -> SimilarityAnswer:
        """Find the images most similar to one: by its path, by its storage URL, or uploaded."""
        query = await read_query(request, self._serving)
        options = query.options
        if options.result_images == "url":
            check_place(self._serving.settings.images_result_store)
        if wanted := options.result_images != "none":
            slow_down(self._pace, sender_of(request), PATCHES)  # as many images are embedded for it
        picture = await SEARCHES.run(_looked_at, query.data, self._serving.limits, keep=wanted)
        edition = options.edition or self._serving.edition
        index = await SEARCHES.run(self._serving.index, options.index_type, edition)
        found = await self._serving.search(index, query.data, options.top_k)
        drawn = None
        if picture is not None and found.images:
            embed = self._serving.embedding_in_thread(found.model)
            vector = await SEARCHES.run(found.vector, found.images[0].image_id)
            drawn = await DRAWINGS.run(result_images, picture, vector, embed)
        links = await STORES.run(self._linked, drawn, as_url=options.result_images == "url") if drawn else None
        return _answer(query, index, found, links)

    async def rebuild(self, request: Request, asked: AskedRebuild) -> RebuildStarted:
        """Start building one index or all anew, as a run of DAG `image_index`."""
        caller: Caller = request.state.caller
        edition = asked.edition or self._serving.edition
        conf = RebuildOf(asked.index_type, edition, asked.allow_empty)
        run_id = await RECORDS.run(self._rebuilder.start, conf, caller)
        return RebuildStarted(task_id=run_id, index_type=asked.index_type, edition=edition)

    async def rebuild_state(self, request: Request, run_id: str) -> RebuildState:
        """How a rebuild is."""
        return await RECORDS.run(self._rebuilder.state, run_id, request.state.caller)

    async def register(self, asked: AskedRegistration) -> Registered:
        """Record a temporary image; its row and its object are deleted after a day."""
        image_id, since = await RECORDS.run(register, asked, self._serving)
        return Registered(image_id=image_id, delete_after=since + timedelta(hours=TEMPORARY_HOURS))

    async def health(self, response: Response) -> Health:
        """Whether searches work, and what behind them does not answer; 503 when they do not work."""
        found = await self._health.now()
        response.status_code = 503 if found.status == "unavailable" else 200
        return found

    def _linked(self, drawn: ResultImages, *, as_url: bool) -> ResultLinks:
        if as_url:
            return ResultLinks(**publish(drawn, self._serving.store, self._serving.settings.images_result_store))
        encoded = {name: base64.b64encode(getattr(drawn, name)).decode() for name in ("heat_map", "overlay")}
        return ResultLinks(**encoded)


def routes(endpoints: Endpoints, access: Access, paced: Callable[..., None]) -> APIRouter:
    """The routes with who may use them; a body is read only when its sender may send it.

    So no endpoint declares a body: each takes it from a dependency of its own, which is asked after these of the route.
    """
    router = APIRouter(responses=REFUSALS)

    def add(path: str, endpoint: Callable[..., Any], method: str, who: Callable[..., Any], **more: Any) -> None:
        needed = [Depends(who), Depends(paced)]
        router.add_api_route(path, endpoint, methods=[method], dependencies=needed, **more)

    add(
        "/similarity", endpoints.similarity, "POST", access.search, tags=["search"],
        openapi_extra={"requestBody": REQUEST_BODY}, response_model_exclude_none=False,
    )  # fmt: skip
    add(
        "/index/rebuild", endpoints.rebuild, "POST", access.write, tags=["index"], status_code=202,
        openapi_extra=described(RebuildRequest),
    )  # fmt: skip
    add("/index/rebuild/{run_id}", endpoints.rebuild_state, "GET", access.watch, tags=["index"])
    add(
        "/api/worker/image/register", endpoints.register, "POST", access.write, tags=["images"], status_code=201,
        openapi_extra=described(RegisterRequest),
    )  # fmt: skip
    down: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "Searches do not work."}}
    add("/health", endpoints.health, "GET", access.search, tags=["health"], responses=down)
    return router


def _looked_at(data: bytes, limits: PictureLimits, *, keep: bool) -> Image | None:
    """Decode a picture once, since only whole ones are let in; keep it, if at all, as small as it is drawn.

    Many callers wait for the model at the same time: their pictures in full would fill the memory.
    """
    picture = decode(data, limits)
    if not keep:
        return None
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return picture


def _answer(query: Query, index: ImageIndex, found: Found, links: ResultLinks | None) -> SimilarityAnswer:
    return SimilarityAnswer(
        query_image=query.name,
        index_type=query.options.index_type,
        edition=index.edition,
        version=found.version,
        results=[FoundImage.model_validate(each.as_dict()) for each in found.images],
        result_images=links,
    )
