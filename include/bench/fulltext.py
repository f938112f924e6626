"""Documents: indexing beside one call for each document, and what readers notice of indexing that goes on."""

from __future__ import annotations

import itertools
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from elasticsearch import Elasticsearch

from include.bench.figures import REPEATS, Figure, median_pairs, rate
from include.bench.passages import SAMPLES, write_documents
from include.bench.passages import documents as made_documents
from include.elastic.bulk import BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.documents import Document
from include.fulltext.analysis import choose
from include.fulltext.chunkers import chunker_for
from include.fulltext.documents import Columns, SourceDocument
from include.fulltext.entries import EntryMaker
from include.fulltext.indexing import index_documents
from include.fulltext.mapping import document_mapping
from include.fulltext.parameters import DocumentIndexParameters
from include.fulltext.reading import read_documents
from include.fulltext.relevance import read_relevance_set
from include.fulltext.search import DocumentSearch
from include.generations.names import run_key
from include.generations.run import Run
from include.settings import PROJECT_ROOT, Settings, get_settings

COLLECTION = "bench-documents"
DOCUMENTS = 4_000
CHARACTERS = 600  # of each: two chunks
CHUNKS = 100_000
LONG_CHARACTERS = 3_800  # of each document that is searched: ten chunks
CHANGED = 2_000  # documents in each run that goes on beside the readers
READERS = 8
SECONDS = 20.0
TOP_K = 10
RELEVANCE = "samples/relevance/documents.jsonl"
BEGUN, STOP = "begun", "stop"  # files by which the two processes tell each other


def indexing_figures(settings: Settings, *, documents: int = DOCUMENTS, repeats: int = REPEATS) -> list[Figure]:
    """Documents a second: the bulk requests alone, and the whole job from the file to the served index."""
    with own_state(settings) as own, connect(EsConnection.from_settings(own)) as client:
        path = own.state_dir / "documents.jsonl"
        write_documents(path, documents, CHARACTERS)
        maker = entry_maker(own, client)
        entries = [maker.entry(one, "bench") for one in made_documents(documents, CHARACTERS)]

        def bulk() -> float:
            with _index(client, maker, bulk_load=True) as index:
                writer = BulkWriter(client, index, run_id="bench", dead_letters=own.state_dir / "dead")
                return rate(documents, lambda: (writer.write(entries), client.indices.refresh(index=index)))

        def one_by_one() -> float:
            with _index(client, maker) as index:
                return rate(documents, lambda: _call_for_each(client, index, entries))

        def job() -> float:
            return rate(documents, lambda: index(own, path, rebuild=True))

        def job_one_by_one() -> float:
            with _index(client, maker) as name:
                return rate(documents, lambda: _call_for_each(client, name, _entries_of(path, maker)))

        bulk(), one_by_one(), job()  # the server's just-in-time compiler warms up on them
        pairs = [median_pairs(bulk, one_by_one, repeats), median_pairs(job, job_one_by_one, repeats)]
    names = ("documents, bulk requests", "documents, from the file to the served index")
    return [
        Figure(f"{name}, against one call each", ours, theirs, "documents/s", 10.0, details={"pairs": each})
        for name, (ours, theirs, each) in zip(names, pairs, strict=True)
    ]


def reading_figures(settings: Settings, *, chunks: int = CHUNKS, seconds: float = SECONDS) -> list[Figure]:
    """Milliseconds of a search by 8 readers at once, while documents are indexed and while they are not."""
    with own_state(settings) as own:
        path, changed = own.state_dir / "documents.jsonl", own.state_dir / "changed_{}.jsonl"
        count = max(1, round(chunks / 10))
        write_documents(path, count, LONG_CHARACTERS)
        for version in (1, 2):
            write_documents(Path(str(changed).format(version)), min(CHANGED, count), LONG_CHARACTERS, version=version)
        served = index(own, path)
        with DocumentSearch(own, faults="strict", keyword_makers=()) as search:
            read(search, seconds / 4)
            quiet = read(search, seconds)
            with _indexing(own) as written:
                busy = read(search, seconds)
    details: dict[str, Any] = {
        "chunks": served["chunks"], "readers": READERS, "searches": len(busy), "searches_quiet": len(quiet),
        "documents_indexed_meanwhile": sum(written),
    }  # fmt: skip
    return [
        Figure(
            f"search of {served['chunks']:,} chunks by {READERS} readers, {name} while indexing, against without",
            percentile(busy, share), percentile(quiet, share), "ms", 10.0, at_most=True, details=details,
        )
        for name, share in (("p50", 0.5), ("p95", 0.95))
    ]  # fmt: skip


@contextmanager
def own_state(settings: Settings) -> Iterator[Settings]:
    """Settings with a state and vectors of their own; at the end these and all indexes of the benchmark are removed."""
    folder = settings.state_dir / "bench" / f"fulltext-{uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    own = settings.model_copy(update={"state_dir": folder, "qdrant_url": f"edge:{folder / 'qdrant'}"})
    try:
        yield own
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with connect(EsConnection.from_settings(settings)) as client:
            for name in client.indices.get(index=f"{COLLECTION}*__*"):
                client.indices.delete(index=name)


def asked(settings: Settings, path: Path | str, collection: str = COLLECTION, **more: Any) -> DocumentIndexParameters:
    """Parameters of indexing as documented, on the servers of ``settings``."""
    values = {
        "analysis": "tokens",
        "chunk_size": 400,
        "chunk_overlap": 20,
        "chunk_unit": "characters",
        "model": settings.model,
    }
    return DocumentIndexParameters(
        input=str(path), collection=collection, language="any", es_url=settings.es_url, **{**values, **more}
    )


def index(settings: Settings, path: Path | str, collection: str = COLLECTION, **more: Any) -> dict[str, Any]:
    """One run over the file or folder, as the DAG and the command do it."""
    run = Run(run_key("bench", uuid4().hex), datetime.now(UTC))
    return index_documents(asked(settings, path, collection, **more), run, settings)


def entry_maker(settings: Settings, client: Elasticsearch) -> EntryMaker:
    """What :func:`index` makes entries by."""
    chunker = chunker_for(asked(settings, SAMPLES), settings, served=None)
    return EntryMaker(choose(client, "any", "tokens"), chunker, settings.fulltext_max_chunks)


def read(search: DocumentSearch, seconds: float) -> list[float]:
    """The milliseconds of all searches that the readers do in ``seconds``, each after the other."""
    queries = [one.query for one in read_relevance_set(RELEVANCE).queries]
    end = time.perf_counter() + seconds

    def reader(number: int) -> list[float]:
        taken = []
        for query in itertools.islice(itertools.cycle(queries), number * len(queries) // READERS, None):
            began = time.perf_counter()
            if began >= end:
                break
            search.search(query, collections=[COLLECTION], top_k=TOP_K)
            taken.append((time.perf_counter() - began) * 1000)
        return taken

    with ThreadPoolExecutor(READERS) as pool:
        return [one for taken in pool.map(reader, range(READERS)) for one in taken]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed."""
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def _call_for_each(client: Elasticsearch, index: str, entries: Iterator[Document] | Sequence[Document]) -> None:
    for entry in entries:
        client.index(index=index, id=entry.id, document=dict(entry.source))
    client.indices.refresh(index=index)


def _entries_of(path: Path, maker: EntryMaker) -> Iterator[Document]:
    for document in read_documents(path, Columns(), max_bytes=1_000_000):
        if isinstance(document, SourceDocument):
            yield maker.entry(document, maker.content_hash(document))


@contextmanager
def _index(client: Elasticsearch, maker: EntryMaker, *, bulk_load: bool = False) -> Iterator[str]:
    name = f"{COLLECTION}__{uuid4().hex[:12]}"
    loading = {"refresh_interval": "-1", "translog.durability": "async"} if bulk_load else {}  # as jobs fill an index
    shape = {"number_of_shards": 1, "number_of_replicas": 0, **loading}
    client.indices.create(index=name, mappings=document_mapping(maker.analysis), settings=shape)
    try:
        yield name
    finally:
        client.indices.delete(index=name)


@contextmanager
def _indexing(settings: Settings) -> Iterator[list[int]]:
    """Another process that changes documents, run after run, until the block ends; then the list has their number."""
    folder = settings.state_dir
    process = subprocess.Popen(
        [sys.executable, "-m", "include.bench.fulltext", str(folder), settings.es_url],
        cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    written: list[int] = []
    try:
        while not (folder / BEGUN).exists() and process.poll() is None:
            time.sleep(0.05)
        yield written
        (folder / STOP).touch()  # ends it after the run that is under way
        printed, _ = process.communicate()
        if process.returncode:
            msg = f"the indexing beside the readers ended with status {process.returncode}"
            raise RuntimeError(msg)
        written.append(int(printed))
    finally:
        process.kill()
        process.wait()


def _index_until_told(settings: Settings, folder: Path) -> int:
    """Documents written."""
    (folder / BEGUN).touch()
    written = 0
    for version in itertools.cycle((1, 2)):
        written += index(settings, folder / f"changed_{version}.jsonl")["counts"]["written"]
        if (folder / STOP).exists():
            break
    return written


if __name__ == "__main__":
    state, url = sys.argv[1:]  # logins come from this process's environment, and are never handed over
    own = get_settings().model_copy(update={"state_dir": Path(state), "es_url": url})
    print(_index_until_told(own, Path(state)))
