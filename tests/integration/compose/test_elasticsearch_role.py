"""What tasks do in Elasticsearch, the role of the containers' user lets them do, on a real server; and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from include.elastic.bulk import BulkWriter
from include.elastic.comparison import last_write, present, texts
from include.elastic.connection import EsConnection, connect
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import LINK_MAPPING
from include.elastic.parameters import ReplayParameters
from include.elastic.replay import dead_letter_folder, replay_dead_letters
from include.errors import AccessDenied
from include.fulltext.chunk_file import write_chunk_file
from include.fulltext.evaluation import evaluate
from include.fulltext.parameters import SearchQualityParameters
from include.fulltext.search import DocumentSearch
from include.keywords.parameters import TextIndexParameters
from include.keywords.text import plan, publish, run_shards
from include.local_stack.elasticsearch import ElasticsearchHome, Security, User
from include.settings import PROJECT_ROOT, Settings
from tests.conftest import settings_in
from tests.integration.certificates import make_certificates
from tests.integration.elasticsearch_server import ADMIN, ElasticsearchServer, open_folder
from tests.integration.fulltext.library import Library
from tests.integration.runs import new_run

ROLES = PROJECT_ROOT / "docker" / "elasticsearch" / "roles.yml"
USER, PASSWORD = "embsearch", "of-tasks"


@pytest.fixture(scope="module")
def server(elasticsearch_home: ElasticsearchHome) -> Iterator[ElasticsearchServer]:
    """A node with TLS and the roles of the containers."""
    roles: dict[str, Any] = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    with open_folder() as folder:
        made = make_certificates(folder / "certificates")
        users = (ADMIN, User(USER, PASSWORD, (USER,)))
        security = Security(users, made.certificate, made.key, made.authority, roles)
        with ElasticsearchServer.at(folder, elasticsearch_home, security=security).running() as running:
            yield running


@pytest.fixture
def settings(server: ElasticsearchServer, tmp_path: Path, bare_settings: None) -> Settings:
    """The documented names, and the login of tasks."""
    login = {"es_url": server.service.url, "es_user": USER, "es_password": SecretStr(PASSWORD)}
    return settings_in(tmp_path).model_copy(update={**login, "es_ca_certs": server.connection.ca_certs})


def test_documents_are_indexed_searched_measured_and_deleted(settings: Settings, tmp_path: Path) -> None:
    library = Library(settings, tmp_path, settings.fulltext_collection)
    given: dict[str, Any] = {"input": settings.documents, "chunk_size": 400, "chunk_overlap": 20}
    first = library.index(**given)
    assert first["documents"] == len(library.documents()) > 90
    assert library.index(**given)["counts"]["written"] == 0
    for _ in range(2):
        library.index(**given, rebuild=True)
    assert len(library.generations()) == settings.keep_generations
    library.write({"a.txt": "tent"})
    assert library.index(chunk_size=400, chunk_overlap=20, delete_missing=True, min_share=0)["documents"] == 1
    assert library.delete("a.txt")["deleted"] == 1
    library.index(**given)
    assert write_chunk_file(library.collection, settings, run_key="k", es_url=settings.es_url)["texts"] > 90
    with DocumentSearch(settings, faults="strict") as search:
        assert search.search("washing a backpack", collections=[library.collection], top_k=1)
    asked = SearchQualityParameters(relevance=settings.fulltext_relevance, modes="text", es_url=settings.es_url)
    assert evaluate(asked, new_run(), settings)["quality"]["text"]["all"]["ndcg"] > 0.9


def test_keywords_take_the_place_of_an_index_from_before_there_were_generations(
    settings: Settings, tmp_path: Path
) -> None:
    with connect(EsConnection.from_settings(settings)) as client:
        client.index(index=settings.keyword_index, id="old", document={"keyword": "old"}, refresh=True)
    (tmp_path / "keywords.txt").write_text("tent\nrain jacket\n", encoding="utf-8")
    given = {"input": str(tmp_path / "keywords.txt"), "index": settings.keyword_index, "es_url": settings.es_url}
    build = plan(TextIndexParameters(**given), new_run(), settings)
    run_shards(build, range(build.input.shards), settings)
    publish(build, settings)


def test_links_are_written_compared_and_dead_letters_sent_again(settings: Settings) -> None:
    link = Document("tent", {"product_name": "tent", "keywords": []})
    with connect(EsConnection.from_settings(settings)) as client:
        generations = IndexGenerations(client, settings.link_index)
        name = f"{settings.link_index}__20260301t000000"
        generations.create(name, LINK_MAPPING, shards=1, replicas=0, bulk_load=False)
        dead = Document("dead", {"keyword": "no such field"})  # the mapping is strict
        counts = BulkWriter(client, name, run_id="run", dead_letters=dead_letter_folder(settings)).write([link, dead])
        assert (counts.indexed, counts.dead) == (1, 1)
        generations.promote(name)
        assert generations.prune(keep=2) == []
        assert last_write(client, name) == 0
        assert list(texts(client, name, "product_name")) == [["tent"]]
        assert present(client, name, ["tent", "other"]) == {"tent"}
    replayed = replay_dead_letters(ReplayParameters(dry_run=False, es_url=settings.es_url), settings)
    assert replayed["dead"] == 1


def test_other_names_are_refused(settings: Settings) -> None:
    for name in ("other", f"{settings.fulltext_collection}2", ".security"):
        with connect(EsConnection.from_settings(settings)) as client, pytest.raises(AccessDenied):
            IndexGenerations(client, settings.link_index).count(name)
