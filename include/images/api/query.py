"""The query image of a request: its address in JSON, or the image itself in a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import UploadFile

from include.images.api.bodies import JSON, checked, content_type
from include.images.api.contract import SearchOptions, SimilarityRequest
from include.images.api.threads import STORES

if TYPE_CHECKING:
    from include.images.api.serving import Serving

FORM = "multipart/form-data"
MOST_FIELDS = 16
FIELD_BYTES = 4096

_OPTIONS = SearchOptions.model_json_schema()
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        JSON: {
            "schema": SimilarityRequest.model_json_schema(),
            "examples": {
                "path": {"value": {"path": "/data/images/query.jpg", "index_type": "defect", "top_k": 5}},
                "storage URL": {"value": {"storage_url": "s3://images/queries/42.jpg", "result_images": "url"}},
            },
        },
        FORM: {
            "schema": {
                **_OPTIONS,
                "title": "Upload",
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or BMP."},
                    **_OPTIONS["properties"],
                },
                "required": ["file"],
            },
        },
    },
}


@dataclass(frozen=True)
class Query:
    """What is searched for, and how."""

    name: str  # the address, or the name of the upload
    data: bytes  # encoded as it came
    options: SearchOptions


async def read_query(request: Request, serving: Serving) -> Query:
    """The query of a request, its image fetched; the upload's temporary file has no name and ends with this call.

    Raises:
        RequestValidationError: a field is missing, unknown or out of bounds.
        HTTPException: the body is of another type.
        InputError: the address is not allowed, or there is no image.
    """
    kind = content_type(request)
    if kind == JSON:
        asked = checked(SimilarityRequest, await request.body())
        return Query(asked.address, await STORES.run(_downloaded, asked.address, serving), asked)
    if kind == FORM:
        return await _uploaded(request)
    raise HTTPException(415, f"Send {JSON} with path or storage_url, or {FORM} with file.")


def _downloaded(address: str, serving: Serving) -> bytes:
    with serving.store.download(address, most_bytes=serving.limits.most_bytes) as file:
        return file.read()


async def _uploaded(request: Request) -> Query:
    async with request.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES) as form:
        given: dict[str, Any] = {}
        for name, value in form.multi_items():
            if name in given:
                raise _invalid(name, "is given twice")
            given[name] = value
        file = given.pop("file", None)
        if not isinstance(file, UploadFile):
            raise _invalid("file", "is missing, or is no file")
        options = checked(SearchOptions, given)
        return Query((file.filename or "upload")[:255], await file.read(), options)


def _invalid(name: str, said: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", name), "msg": said, "type": "value_error"}])
