"""A search whose cluster hangs, is away, comes back, or lets nobody in."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from include.errors import AccessDenied, ServiceUnavailable
from include.fulltext.async_search import AsyncDocumentSearch
from include.fulltext.search import DocumentSearch
from include.local_stack.ports import free_ports
from include.settings import Settings
from tests.integration.elasticsearch_server import ElasticsearchServer, SecuredElasticsearch
from tests.integration.fulltext.library import Library


@pytest.fixture
def seeded(library: Library) -> Library:
    library.write({"kettle.txt": "A kettle for two cups."})
    library.index()
    return library


def with_settings(library: Library, **values: object) -> Settings:
    return Settings(**{**library.settings.model_dump(), **values})


@contextmanager
def hanging(server: ElasticsearchServer) -> Iterator[None]:
    """Every process of the server stands still."""
    os.killpg(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(server.pid, signal.SIGCONT)


def test_nobody_there_is_an_empty_answer_and_an_error_in_the_log_or_an_error(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_settings(library, es_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    with DocumentSearch(settings, faults="soft") as search:
        assert search.search("kettle", collections=[library.collection]) == []
    (logged,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (
        "full-text search finds nothing, because it failed: Elasticsearch at http://127.0.0.1:" in logged.getMessage()
    )
    with (
        DocumentSearch(settings, faults="strict") as search,
        pytest.raises(ServiceUnavailable, match="cannot be reached"),
    ):
        search.search("kettle", collections=[library.collection])


def test_soft_is_what_the_settings_say_unless_said_otherwise(library: Library) -> None:
    settings = with_settings(library, es_url=f"http://127.0.0.1:{free_ports(1)[0]}", fulltext_faults="strict")
    with DocumentSearch(settings) as search, pytest.raises(ServiceUnavailable):
        search.search("kettle", collections=[library.collection])


def test_a_cluster_that_hangs_is_waited_for_no_longer_than_the_time_out(
    seeded: Library, elasticsearch: ElasticsearchServer
) -> None:
    settings = with_settings(seeded, fulltext_timeout_seconds=1.0, fulltext_retries=10)
    with DocumentSearch(settings, faults="strict") as search:
        assert search.search("kettle", collections=[seeded.collection])
        with hanging(elasticsearch):
            for one in (search, DocumentSearch(settings, faults="strict")):  # one that has a client, one that has none
                began = time.monotonic()
                with pytest.raises(ServiceUnavailable, match="does not answer in time"):
                    one.search("kettle", collections=[seeded.collection])
                assert time.monotonic() - began < 5  # a minute or more without it
                one.close() if one is not search else None
        assert search.search("kettle", collections=[seeded.collection])


def test_a_cluster_that_is_away_for_a_moment_is_asked_again(
    seeded: Library, elasticsearch: ElasticsearchServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_settings(seeded, fulltext_timeout_seconds=120.0, fulltext_retries=10)

    def refuse_for_a_moment() -> None:
        time.sleep(1)
        with seeded.client() as client:
            client.indices.put_settings(index=seeded.collection, settings={"index.blocks.read": None})

    with DocumentSearch(settings, faults="strict") as search, seeded.client() as client:
        client.indices.put_settings(index=seeded.collection, settings={"index.blocks.read": True})
        thread = threading.Thread(target=refuse_for_a_moment)
        thread.start()
        with caplog.at_level(logging.DEBUG, "include.fulltext"):
            assert search.search("kettle", collections=[seeded.collection])
        thread.join()
    assert "refuses for now" in caplog.text
    assert "Tried again." in caplog.text


def test_an_event_loop_goes_on_while_a_search_waits(seeded: Library, elasticsearch: ElasticsearchServer) -> None:
    async def run() -> tuple[list[object], int]:
        settings = with_settings(seeded, fulltext_timeout_seconds=1.0, fulltext_retries=0)
        async with AsyncDocumentSearch(settings, faults="soft") as search:
            with hanging(elasticsearch):
                waiting = asyncio.ensure_future(search.search("kettle", collections=[seeded.collection]))
                turns = 0
                while not waiting.done():
                    await asyncio.sleep(0.01)
                    turns += 1
            return list(await waiting), turns

    found, turns = asyncio.run(run())
    assert found == []
    assert turns > 5


def test_a_wrong_password_is_no_reason_to_try_again(
    library: Library, secured_elasticsearch: SecuredElasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = with_settings(
        library, es_url=secured_elasticsearch.service.url, es_user="elastic", es_password="wrong",
        es_ca_certs=secured_elasticsearch.connection.ca_certs, fulltext_timeout_seconds=30.0, fulltext_retries=10,
    )  # fmt: skip
    with caplog.at_level(logging.DEBUG, "include.fulltext"):
        with DocumentSearch(settings, faults="strict") as search, pytest.raises(AccessDenied, match="are refused"):
            search.search("kettle", collections=["any"])
        with DocumentSearch(settings, faults="soft") as search:
            assert search.search("kettle", collections=["any"]) == []
    assert "Tried again." not in caplog.text
