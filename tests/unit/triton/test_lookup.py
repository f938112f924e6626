"""Where the version of a fingerprint is looked for; a server that answers is a few lines here."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from include.errors import ContractError
from include.triton.config_pbtxt import ServingConfig
from include.triton.faults import NotLoaded, OtherModel
from include.triton.lookup import Answer, Lookup, Request
from include.triton.names import beside_name
from include.triton.tensors import encode
from tests.unit.triton.test_config_pbtxt import CONFIG

URL = "http://a:1"
OLD = replace(CONFIG, version=1, fingerprint="a" * 64, dimension=2)
NEW = replace(CONFIG, version=2, fingerprint="b" * 64, dimension=2)
Result = TypeVar("Result")


class Server:
    """Models by the names under which they are loaded; their vectors are their version. ``before`` runs once."""

    def __init__(self, **loaded: ServingConfig) -> None:
        self.loaded = loaded
        self.asked: list[str] = []
        self.before_config: list[dict[str, ServingConfig]] = []

    async def get_model_config(self, name: str, version: str) -> dict[str, Any]:
        if self.before_config:
            self.loaded = self.before_config.pop()
        config = self._config(name)
        if version not in ("", str(config.version)):
            msg = f"Request for unknown model: '{name}' version {version} is not found"
            raise InferenceServerException(msg, status="400")
        parameters = {key: {"string_value": str(value)} for key, value in vars(config).items()}
        return {"parameters": parameters}

    async def infer(self, name: str, tensors: list[Any], outputs: object) -> Server.Output:
        self.asked.append(name)
        return Server.Output(self._config(name), tensors[0].shape()[0])

    def _config(self, name: str) -> ServingConfig:
        if name not in self.loaded:
            raise InferenceServerException(f"Request for unknown model: '{name}' is not found", status="404")
        return self.loaded[name]

    class Output:
        def __init__(self, config: ServingConfig, rows: int) -> None:
            self.config, self.rows = config, rows

        def get_response(self) -> dict[str, Any]:
            return {"model_version": str(self.config.version), "outputs": [{"name": "EMBEDDING"}]}

        def as_numpy(self, name: str) -> np.ndarray:
            return np.full((self.rows, self.config.dimension), self.config.version, np.float32)


def run(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


def ask(lookup: Lookup, server: Server, fingerprint: str | None) -> Answer:
    request = Request.of("minilm", encode("text", ["tent", "bag"]), fingerprint=fingerprint)
    return run(lookup.infer(server, URL, request))


def test_without_a_fingerprint_the_present_version_answers() -> None:
    answer = ask(Lookup(), Server(minilm=NEW), None)

    assert answer.vectors.tolist() == [[2.0, 2.0]] * 2
    assert answer.served.fingerprint == NEW.fingerprint


def test_an_earlier_version_is_found_beside_and_asked_there_at_once_the_next_time() -> None:
    lookup, beside = Lookup(), beside_name("minilm", OLD.fingerprint)
    server = Server(**{"minilm": NEW, beside: OLD})

    assert ask(lookup, server, OLD.fingerprint).vectors.tolist() == [[1.0, 1.0]] * 2
    assert server.asked == ["minilm", beside]
    ask(lookup, server, OLD.fingerprint)
    assert server.asked == ["minilm", beside, beside]


def test_a_version_that_is_put_back_under_its_own_name_is_found_again() -> None:
    lookup, beside = Lookup(), beside_name("minilm", OLD.fingerprint)
    ask(lookup, Server(**{"minilm": NEW, beside: OLD}), OLD.fingerprint)

    assert ask(lookup, Server(minilm=OLD), OLD.fingerprint).served.version == 1


def test_a_version_that_is_served_nowhere_is_told_apart_from_a_model_that_is_not_there() -> None:
    with pytest.raises(OtherModel, match="version 2 of minilm, of fingerprint bbbbbbbbbbbb, and none of aaaaaaaaaaaa"):
        ask(Lookup(), Server(minilm=NEW), OLD.fingerprint)
    with pytest.raises(NotLoaded):
        ask(Lookup(), Server(), OLD.fingerprint)
    assert issubclass(OtherModel, ContractError)


def test_what_is_served_is_read_by_fingerprint_too() -> None:
    server = Server(**{"minilm": NEW, beside_name("minilm", OLD.fingerprint): OLD})

    assert run(Lookup().served(server, URL, "minilm", None)).version == 2
    assert run(Lookup().served(server, URL, "minilm", OLD.fingerprint)).version == 1
    assert server.asked == []


def test_vectors_of_a_version_that_was_replaced_before_it_could_be_asked_what_it_is_are_not_used() -> None:
    server = Server(minilm=OLD)
    server.before_config = [{"minilm": NEW}]

    with pytest.raises(OtherModel, match="changed at http://a:1 while it was asked"):
        ask(Lookup(), server, None)
