"""What the clients of the GPU's benchmark count, without a GPU."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from include.bench import gpu
from include.bench.gpu import Answered, fill, one_client, texts_per_second
from include.errors import ServiceUnavailable
from include.model_export.manifest import TOKENIZER

LONG = 30.0  # seconds until a test that would wait for ever fails


def test_texts_of_clients_that_did_not_run_together_are_divided_by_all_of_their_time() -> None:
    one_after_the_other = [Answered(100, 0.0, 10.0, 11.0, ()), Answered(100, 0.0, 19.0, 20.0, ())]
    assert texts_per_second(one_after_the_other) == 20
    together = [Answered(100, 0.0, 10.0, 11.0, ()), Answered(100, 0.0, 10.0, 11.0, ())]
    assert texts_per_second(together) == 200


class Server:
    """Answers at once, but the first request of the texts ``late`` when it may; counts requests by their texts."""

    def __init__(self, late: str) -> None:
        self.late, self.may, self.asked, self.lock = late, threading.Event(), dict[str, int](), threading.Lock()

    def __call__(self, *_: Any, **__: Any) -> Server:
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def embed(self, _: str, texts: list[str]) -> None:
        with self.lock:
            self.asked[texts[0]] = self.asked.get(texts[0], 0) + 1
        if texts[0] == self.late:
            assert self.may.wait(LONG)
        if texts[0] == "fails":
            raise ServiceUnavailable("no server")


class Gate(threading.Barrier):
    """A barrier that says when the first is there."""

    def __init__(self, parties: int) -> None:
        super().__init__(parties)
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> int:
        self.reached.set()
        return super().wait(timeout)


def client(text: str, start: Gate) -> Answered:
    return one_client("url", "model", [text] * 4, size=1, seconds=0.01, first=0, start=start)


def test_a_client_that_is_ready_waits_for_the_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    server, start = Server("late"), Gate(2)
    monkeypatch.setattr(gpu, "TritonClient", server)
    with ThreadPoolExecutor(2) as both:
        running = [both.submit(client, text, start) for text in ("early", "late")]
        assert start.reached.wait(LONG)
        assert server.asked["early"] == 1
        server.may.set()
        early, late = (one.result(LONG) for one in running)
    assert late.ready <= early.began
    assert early.texts == server.asked["early"] - 1 > 0


def test_nobody_waits_for_a_client_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    server, start = Server("nobody"), Gate(2)
    monkeypatch.setattr(gpu, "TritonClient", server)
    with ThreadPoolExecutor(2) as both:
        waiting, failing = (both.submit(client, text, start) for text in ("early", "fails"))
        assert isinstance(failing.exception(LONG), ServiceUnavailable)
        assert isinstance(waiting.exception(LONG), threading.BrokenBarrierError)


@pytest.mark.parametrize(("joined", "expected"), [(1, 0.25), (2, 0.5), (4, 1.0)])
def test_the_fill_is_that_of_as_many_texts_as_the_server_joins(tmp_path: Path, joined: int, expected: float) -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / TOKENIZER))
    assert fill(tmp_path, ["word " * 32] * 4, 256, joined=joined) == expected
