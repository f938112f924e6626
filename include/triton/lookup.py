"""Where the version of a fingerprint is served: under the model's own name, or beside it, on this server or that one.

Whoever has vectors of a model asks by its fingerprint. After a deploy the earlier version is served beside the new one
(see :mod:`include.triton.switch`), so such a caller goes on with the version that made its vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from tritonclient import http
from tritonclient.utils import np_to_triton_dtype

from include.errors import ServiceUnavailable
from include.triton.faults import NotLoaded, OtherModel, translate
from include.triton.names import beside_name
from include.triton.served import ServedModel, Vectors, check_vectors
from include.triton.tensors import EMBEDDING, SPARSE_INDICES, SPARSE_WEIGHTS, Array, SparseRow, sparse_rows

ANSWER_ERRORS = (NotLoaded, OtherModel)


@dataclass(frozen=True)
class Answer:
    """The outputs of one request, and the version that gave them."""

    vectors: Vectors  # [n, D]
    weights: list[SparseRow]  # a row for each item, of a model that gives some; else empty
    served: ServedModel


@dataclass(frozen=True)
class Request:
    """Some items for a model, or for its version of ``fingerprint`` alone."""

    model: str
    fingerprint: str | None
    rows: int
    tensors: list[Any]
    outputs: list[Any] | None  # None: all

    @classmethod
    def of(
        cls, model: str, inputs: Mapping[str, Array], *, fingerprint: str | None, with_weights: bool = False
    ) -> Self:
        """A request for the vectors of ``inputs`` (see :func:`~include.triton.tensors.encode`)."""
        tensors = []
        for name, values in inputs.items():
            tensor = http.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
            tensors.append(tensor.set_data_from_numpy(values, binary_data=True))
        outputs = None if with_weights else [http.InferRequestedOutput(EMBEDDING, binary_data=True)]
        return cls(model, fingerprint, len(next(iter(inputs.values()))), tensors, outputs)


class Lookup:
    """Remembers what each server said of each version. A version's number is never used again for another."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str, str], ServedModel] = {}  # (url, name, version) → what it is
        self._names: dict[tuple[str, str, str], str] = {}  # (url, model, fingerprint) → where it was found last

    def any_of(self, model: str) -> ServedModel | None:
        """What is known of any version of ``model``, without asking."""
        known = (served for (_, name, _), served in self._versions.items() if name == model)
        return min(known, key=lambda served: served.max_batch_size, default=None)

    async def served(self, connection: Any, url: str, model: str, fingerprint: str | None) -> ServedModel:
        """What ``url`` serves under the model's name, or by ``fingerprint``.

        Raises:
            NotLoaded: it has no such model.
            OtherModel: it has the model, but not by that fingerprint.
        """
        failures: list[Exception] = []
        for name in self._candidates(url, model, fingerprint):
            try:
                served = await self._read(connection, url, name)
                return self._accepted(served, url, model, name, fingerprint)
            except ANSWER_ERRORS as error:
                failures.append(error)
        raise _worst(failures)

    async def infer(self, connection: Any, url: str, request: Request) -> Answer:
        """The checked outputs of one request.

        Raises:
            NotLoaded, OtherModel: as :meth:`served`.
            ContractError: the answer is malformed.
        """
        failures: list[Exception] = []
        for name in self._candidates(url, request.model, request.fingerprint):
            try:
                return await self._infer(connection, url, name, request)
            except ANSWER_ERRORS as error:
                failures.append(error)
        raise _worst(failures)

    async def _infer(self, connection: Any, url: str, name: str, request: Request) -> Answer:
        with self._translated(url):
            answer = await connection.infer(name, request.tensors, outputs=request.outputs)
        version = answer.get_response().get("model_version", "")
        served = self._versions.get((url, name, version))
        if served is None:
            try:
                served = await self._read(connection, url, name, version)
            except NotLoaded as error:  # it answered, and was replaced before it could be asked what it is
                msg = f"Model {request.model} changed at {url} while it was asked."
                raise OtherModel(msg) from error
        self._accepted(served, url, request.model, name, request.fingerprint)
        outputs = {output["name"]: answer.as_numpy(output["name"]) for output in answer.get_response()["outputs"]}
        return _checked(outputs, rows=request.rows, served=served)

    async def _read(self, connection: Any, url: str, name: str, version: str = "") -> ServedModel:
        with self._translated(url):
            answer = await connection.get_model_config(name, version)
        served = ServedModel.of(answer, where=f"Model {name} at {url}")
        self._versions[url, name, str(served.version)] = served
        return served

    @contextmanager
    def _translated(self, url: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            fault = translate(error, url=url)
            if isinstance(fault, ServiceUnavailable):  # it may come back over another repository
                self._versions = {key: served for key, served in self._versions.items() if key[0] != url}
            raise fault from error

    def _candidates(self, url: str, model: str, fingerprint: str | None) -> list[str]:
        """The names to look under, the most likely first."""
        if fingerprint is None:
            return [model]
        names = [model, beside_name(model, fingerprint)]
        likely = self._names.get((url, model, fingerprint), model)
        return [likely, *(name for name in names if name != likely)]

    def _accepted(self, served: ServedModel, url: str, model: str, name: str, fingerprint: str | None) -> ServedModel:
        if fingerprint is None:
            return served
        if served.fingerprint != fingerprint:
            msg = (
                f"Triton at {url} serves version {served.version} of {model}, of fingerprint "
                f"{served.fingerprint[:12]}, and none of {fingerprint[:12]}."
            )
            raise OtherModel(msg)
        self._names[url, model, fingerprint] = name
        return served


def _worst(failures: list[Exception]) -> Exception:
    """That the model is there in another version says more than that it is not under another name."""
    return next((error for error in failures if isinstance(error, OtherModel)), failures[0])


def _checked(outputs: Mapping[str, Array], *, rows: int, served: ServedModel) -> Answer:
    vectors = check_vectors(outputs.get(EMBEDDING), rows=rows, served=served)
    found = SPARSE_INDICES in outputs
    weights = sparse_rows(outputs[SPARSE_INDICES], outputs[SPARSE_WEIGHTS]) if found else []
    return Answer(vectors, weights, served)
