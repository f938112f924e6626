"""Whatever breaks in the middle, each document is wholly the old or wholly the new one, and a rerun ends the work."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import ApiError, Elasticsearch
from pydantic import SecretStr

from include.elastic.bulk import BulkWriter
from include.elastic.index_generations import IndexGenerations
from include.elastic.pace import BatchLimits
from include.elastic.replay import dead_letter_folder
from include.errors import ServiceUnavailable
from include.fulltext import indexing
from include.fulltext.mapping import INDEXED_TITLE
from include.settings import PROJECT_ROOT, Settings
from tests.integration.elasticsearch_server import ElasticsearchServer, SecuredElasticsearch
from tests.integration.fulltext import index_process
from tests.integration.fulltext.library import Library, whole
from tests.integration.runs import new_run

MANY = 400
OLD_CHUNKS, NEW_CHUNKS = 12, 5


def text(version: str, number: int, chunks: int) -> str:
    return "".join(f"{version} {number:04d} {chunk:02d} ".ljust(35, "x") for chunk in range(chunks))


def write_all(library: Library, version: str, chunks: int) -> None:
    lines = [json.dumps({"id": f"d{number:04d}", "text": text(version, number, chunks)}) for number in range(MANY)]
    library.write({"all.jsonl": "\n".join(lines)})


def states(library: Library) -> Counter[str]:
    """How many documents are wholly of one version; a mixed one is an error."""
    found: Counter[str] = Counter()
    with library.client() as client:
        hits = client.search(index=library.collection, size=1000)["hits"]["hits"]
    for hit in hits:
        chunks = hit["_source"]["chunks"]
        versions = {chunk["content"].split()[0] for chunk in chunks}
        assert len(versions) == 1, hit["_id"]
        (version,) = versions
        wanted = text(version, int(hit["_id"][1:]), OLD_CHUNKS if version == "old" else NEW_CHUNKS)
        assert whole(chunks) == wanted
        assert [chunk["number"] for chunk in chunks] == list(range(len(chunks)))
        found[f"{version}:{len(chunks)}"] += 1
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


def test_elasticsearch_killed_in_the_middle_of_an_update_leaves_no_document_half_changed_and_a_rerun_ends_it(
    library: Library, elasticsearch: ElasticsearchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_all(library, "old", OLD_CHUNKS)
    first = library.index()
    (old,) = states(library)
    write_all(library, "new", NEW_CHUNKS)
    run = new_run()
    hasty = functools.partial(BulkWriter, full_batch=BatchLimits(documents=10, bytes=1_000_000), deadline_seconds=1)
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(indexing, "BulkWriter", hasty)
        running = pool.submit(library.index, run)
        wait_until(lambda: states_of_some(library)["new"] > 0)
        elasticsearch.kill()
        with pytest.raises(ServiceUnavailable):
            running.result(timeout=120)
    elasticsearch.start()
    recovered = states(library)
    assert recovered.total() == MANY
    assert len(recovered) == 2  # some of the old version, some of the new one
    summary = library.index(run)
    assert summary["generation"] == first["generation"]
    assert summary["counts"]["skipped"] == {"unchanged": MANY - recovered[old]}
    assert set(states(library)) == set(recovered) - {old}


def states_of_some(library: Library) -> Counter[str]:
    """Versions of some documents as last written, whether or not a search sees them yet."""
    with library.client() as client:
        answers = client.mget(index=library.collection, ids=[f"d{number:04d}" for number in range(0, MANY, 40)])["docs"]
    return Counter(answer["_source"]["chunks"][0]["content"].split()[0] for answer in answers)


def test_an_index_killed_while_it_is_built_anew_is_filled_further_and_readers_see_the_old_one_until_then(
    library: Library,
) -> None:
    write_all(library, "old", OLD_CHUNKS)
    first = library.index()
    before = states(library)
    write_all(library, "new", NEW_CHUNKS)
    parameters = library.parameters(rebuild=True)
    date = datetime.now(UTC).isoformat()
    process = started(library.folder, library.settings, parameters.model_dump_json(), date)
    building = f"{library.collection}__*"
    with library.client() as client:

        def some_are_there() -> bool:
            assert process.poll() is None, (library.folder / "process.log").read_text()
            try:
                stats = client.indices.stats(index=building, metric="indexing")["indices"]
            except ApiError:
                return False
            fresh = [one for name, one in stats.items() if name != first["generation"]]
            return bool(fresh) and fresh[0]["primaries"]["indexing"]["index_total"] >= 40

        wait_until(some_are_there, 120)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert library.served() == first["generation"]
    assert states(library) == before
    again = started(library.folder, library.settings, parameters.model_dump_json(), date)
    assert again.wait(120) == 0, (library.folder / "process.log").read_text()
    assert library.served() != first["generation"]
    assert states(library).total() == MANY
    assert library.generations() == [first["generation"], library.served()]


def started(folder: Path, settings: Settings, parameters: str, date: str) -> subprocess.Popen[bytes]:
    (folder / "settings.json").write_text(settings.model_dump_json())
    (folder / "parameters.json").write_text(parameters)
    arguments = [str(folder / "settings.json"), str(folder / "parameters.json"), "killed", date]
    with (folder / "process.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", index_process.__name__, *arguments], cwd=PROJECT_ROOT, stdout=log, stderr=log
        )


def test_a_server_that_takes_little_at_a_time_gets_all_in_smaller_requests(
    library: Library, secured_elasticsearch: SecuredElasticsearch
) -> None:
    own = secured_elasticsearch.connection
    changed = {
        "es_url": own.hosts[0],
        "es_user": own.user,
        "es_password": SecretStr(own.password or ""),
        "es_ca_certs": own.ca_certs,
    }
    guarded = Library(Settings(**{**library.settings.model_dump(), **changed}), library.folder, library.collection)
    write_all(guarded, "old", OLD_CHUNKS)
    with guarded.client() as client:
        before = rejections(client)
        assert guarded.index()["counts"]["written"] == MANY
        assert rejections(client) > before
    write_all(guarded, "new", NEW_CHUNKS)
    guarded.write({"large.txt": "日本語の文。" * 5000})
    summary = guarded.index()
    assert summary["counts"] == {"read": MANY + 1, "written": MANY, "skipped": {"too_large": 1}, "dead": 0}
    assert "Elasticsearch takes 40,960 at once: give it more heap" in summary["for_example"][0]
    assert states(guarded).total() == MANY
    assert len(states(guarded)) == 1


def rejections(client: Elasticsearch) -> int:
    """Requests that the server has answered with 429, by its own count."""
    (node,) = client.nodes.stats(metric="indexing_pressure")["nodes"].values()
    return int(node["indexing_pressure"]["memory"]["total"]["coordinating_rejections"])


def test_strange_documents_are_indexed_or_set_aside_each_for_itself(library: Library) -> None:
    long_id = "長" * 300
    odd: list[dict[str, Any]] = [
        {"id": "title", "title": "題" * 100_000, "text": "over-long title"},
        {"id": long_id, "text": "over-long id"},
        {"id": "control", "title": "a\x00b", "text": "one\x01two\x7f\x85three \x1b[31mred"},
        {"id": "surrogate", "text": "half \ud83d pair"},
        {"id": "html", "text": "<script>alert('x')</script> & <b>bold</b>"},
        {"id": "spaces", "text": " \t\u3000\n"},
        {"id": "meta", "text": "deep", "metadata": {"a.b": 1, "a": {"b": {"c": [1, {"d": None}]}}, "big": 10**40}},
        {"id": "word", "text": "x" * 50_000},
        {"id": "../../etc/passwd", "text": "path"},
    ]
    library.write({"odd.jsonl": "\n".join(json.dumps(one) for one in odd)})
    summary = library.index()
    served = library.documents()
    assert summary["counts"]["skipped"] == {"empty": 1}
    assert summary["counts"]["written"] + summary["counts"]["dead"] == len(odd) - 1
    assert {"title", long_id, "control", "surrogate", "html", "word", "../../etc/passwd"} <= set(served)
    assert len(served["title"]["title"]) == 100_000
    assert len(served["title"]["chunks"][0]["title"]) == INDEXED_TITLE
    assert served["control"]["chunks"][0]["content"] == "one two  three  [31mred"
    assert library.find("bold") == ["html"]
    assert library.index()["counts"]["written"] == 0
    assert library.delete(long_id)["deleted"] == 1


def test_a_document_of_ten_thousand_chunks_is_one_document(library: Library) -> None:
    book = "".join(f"第{number}章 登山の話。" for number in range(60_000))
    library.write({"book.txt": book, "page.txt": "登山の話"})
    summary = library.index(chunk_size=40, chunk_overlap=10)
    assert summary["counts"]["written"] == 2
    assert summary["chunks"] > 10_000
    assert summary["gate"]["documents"] == 2
    assert library.find("第59999章") == ["book.txt"]
    library.write({"book.txt": "短い本。"})
    assert library.index(chunk_size=40, chunk_overlap=10)["counts"]["written"] == 1
    assert library.find("第59999章") == []
    assert len(library.documents()["book.txt"]["chunks"]) == 1


def test_a_document_of_fifty_megabytes_is_set_aside_and_told(library: Library) -> None:
    library.write({"huge.txt": "日本語の文。" * 2_800_000, "small.txt": "small"})
    summary = library.index()
    assert summary["counts"] == {"read": 2, "written": 1, "skipped": {"too_large": 1}, "dead": 0}
    (line,) = Path(summary["set_aside"]).read_text().splitlines()
    assert json.loads(line)["id"] == "huge.txt"
    library.write({"huge.txt": "mended"})
    assert "set_aside" not in library.index()
    assert not Path(summary["set_aside"]).exists()


def test_a_document_with_more_chunks_than_the_index_takes_is_a_dead_letter_and_takes_none_with_it(
    library: Library,
) -> None:
    library.write({"a.txt": "small"})
    few = Library(
        Settings(**{**library.settings.model_dump(), "fulltext_max_chunks": 100}), library.folder, library.collection
    )
    few.index()
    library.write({"long.txt": "x y " * 3000, "b.txt": "small too"})
    assert few.index()["counts"] == {
        "read": 3, "written": 1, "skipped": {"unchanged": 1, "too_large": 1}, "dead": 0,
    }  # fmt: skip
    summary = library.index()  # the setting was raised, the index is as it was made
    assert summary["counts"] == {"read": 3, "written": 0, "skipped": {"unchanged": 2}, "dead": 1}
    assert (dead_letter_folder(library.settings) / f"{summary['run']}.jsonl").exists()
    assert set(library.documents()) == {"a.txt", "b.txt"}


def test_an_index_that_vanished_is_made_anew_from_all_documents(library: Library) -> None:
    library.write({"a.txt": "A", "b.txt": "B"})
    first = library.index()
    with library.client() as client:
        client.indices.delete(index=first["generation"])
    second = library.index(date=datetime(2026, 1, 1, tzinfo=UTC))
    assert second["counts"]["written"] == 2
    assert second["previous"] is None
    with library.client() as client:
        assert IndexGenerations(client, library.collection).count(library.collection) == 2
