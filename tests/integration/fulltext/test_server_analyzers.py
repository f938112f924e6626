"""Analyzers of the cluster's own: which one an index gets, and that it is searched with that one ever after.

The plugin of these tests has the names of IK, kuromoji and smartcn and none of their dictionaries: which name is asked
for when, and what becomes of the answer, is shown here, and nothing of how well they cut.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from include.elastic.connection import connect
from include.errors import InputError
from include.fulltext.analysis import ANALYSIS, choose
from include.fulltext.results import DocumentWithScore
from include.fulltext.search import DocumentSearch
from include.local_stack.elasticsearch import ElasticsearchHome
from tests.integration.elasticsearch_server import open_folder
from tests.integration.fulltext.growing_cluster import GrowingCluster
from tests.integration.fulltext.library import Library

HALF_AN_IK = ("cjk", "kuromoji", "smartcn", "ik_max_word")
WHOLE_IK = (*HALF_AN_IK, "ik_smart")
DOCUMENTS = {
    "rucksack.txt": "雨の日には防水の登山リュックが安心です。",
    "umbrella.txt": "軽い折りたたみ傘を鞄に入れておきます。",
    "bag.txt": "방수 등산가방은 비 오는 날에도 젖지 않습니다.",
}
RUCKSACK = "雨の日には防水の<em>登山リュック</em>が安心です。"  # pairs overlap, so that they are one mark
RUCKSACK_BY_WORDS = "雨の日には防水の<em>登</em><em>山</em><em>リュック</em>が安心です。"
BAG = "방수 <em>등산가방</em>은 비 오는 날에도 젖지 않습니다."


@pytest.fixture(scope="module")
def cluster(elasticsearch_home: ElasticsearchHome) -> Iterator[GrowingCluster]:
    with open_folder() as folder:
        cluster = GrowingCluster.at(folder, elasticsearch_home)
        try:
            yield cluster
        finally:
            cluster.server.stop()


@pytest.fixture
def half_an_ik(cluster: GrowingCluster) -> Iterator[Elasticsearch]:
    with connect(cluster.having(*HALF_AN_IK).server.connection) as client:
        yield client


@pytest.fixture
def whole_ik(cluster: GrowingCluster) -> Iterator[Elasticsearch]:
    with connect(cluster.having(*WHOLE_IK).server.connection) as client:
        yield client


@pytest.fixture(scope="module")
def before_ik(cluster: GrowingCluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Library]:
    """Collections by the analysis that they got while the cluster had half an IK."""
    cluster.having(*HALF_AN_IK)
    languages = {"kuromoji": "ja", "cjk": "any", "cjk, to be rebuilt": "any"}
    return {
        name: cluster.library(tmp_path_factory.mktemp("before"), DOCUMENTS, language=language, analysis="auto")
        for name, language in languages.items()
    }


@pytest.fixture
def with_ik(
    before_ik: dict[str, Library],
    whole_ik: Elasticsearch,
    cluster: GrowingCluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> Library:
    """A collection made once the cluster has IK."""
    return cluster.library(tmp_path_factory.mktemp("ik"), DOCUMENTS, language="ja", analysis="auto")


def search(library: Library, query: str) -> list[DocumentWithScore]:
    with DocumentSearch(library.settings, faults="strict", keyword_makers=[]) as search:
        return search.search(query, collections=[library.collection])


def ids(library: Library, query: str) -> list[str]:
    return [one.metadata["document_id"] for one in search(library, query)]


def held(library: Library) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Of the served index, what ``_meta`` says, and the analyzers of documents and of queries by field."""
    with library.client() as client:
        (mapping,) = (one["mappings"] for one in client.indices.get_mapping(index=library.collection).values())
    fields = {name: mapping["properties"]["chunks"]["properties"][name] for name in ("title", "content")}
    both = {name: [one["analyzer"], one.get("search_analyzer", one["analyzer"])] for name, one in fields.items()}
    return mapping["_meta"][ANALYSIS], both


@pytest.mark.parametrize(
    ("language", "kind", "lacking"),
    [
        ("ja", "kuromoji", "ik"),
        ("zh", "smartcn", "ik"),
        ("ko", "cjk", "ik, nori"),
        ("en", "cjk", "ik"),
        ("any", "cjk", "ik"),
    ],
)
def test_without_ik_a_language_gets_its_plugin_and_where_that_is_missing_cjk(
    half_an_ik: Elasticsearch, caplog: pytest.LogCaptureFixture, language: str, kind: str, lacking: str
) -> None:
    with caplog.at_level(logging.INFO):
        assert choose(half_an_ik, language).kind == kind
    assert f"analysis: {kind}, for language {language} (the cluster lacks {lacking})" in caplog.text


@pytest.mark.parametrize(("wanted", "missing"), [("ik", "ik_smart"), ("nori", "nori")])
def test_an_analysis_asked_for_by_name_that_the_cluster_has_not_wholly_is_an_error(
    half_an_ik: Elasticsearch, wanted: str, missing: str
) -> None:
    with pytest.raises(InputError, match=f"The cluster has no analyzer '{missing}': install its plugin"):
        choose(half_an_ik, "ko", wanted)


@pytest.mark.parametrize("kind", ["kuromoji", "cjk"])
def test_an_index_holds_the_choice_in_its_meta_and_its_mapping(before_ik: dict[str, Library], kind: str) -> None:
    meta = {"kind": kind, "index_analyzer": kind, "search_analyzer": kind}
    assert held(before_ik[kind]) == (meta, {"title": [kind, kind], "content": [kind, kind]})


@pytest.mark.parametrize(
    ("kind", "query", "document", "marked"),
    [
        ("kuromoji", "登山リュック", "rucksack.txt", RUCKSACK_BY_WORDS),
        ("cjk", "登山リュック", "rucksack.txt", RUCKSACK),
        ("cjk", "등산가방", "bag.txt", BAG),
    ],
)
def test_a_text_is_found_and_marked_by_the_analyzer_of_its_index(
    before_ik: dict[str, Library], kind: str, query: str, document: str, marked: str
) -> None:
    (found,) = search(before_ik[kind], query)
    assert (found.metadata["document_id"], found.metadata["highlight"]) == (document, [marked])
    assert "relaxed" not in found.metadata


@pytest.mark.parametrize("language", ["any", "ja", "ko", "zh", "en"])
def test_with_both_names_of_ik_it_comes_before_all_others(
    whole_ik: Elasticsearch, caplog: pytest.LogCaptureFixture, language: str
) -> None:
    with caplog.at_level(logging.INFO):
        assert choose(whole_ik, language).kind == "ik"
    assert f"analysis: ik, for language {language} (the cluster has it)" in caplog.text


def test_a_name_comes_before_the_order(whole_ik: Elasticsearch) -> None:
    assert choose(whole_ik, "ja", "cjk").kind == "cjk"


def test_documents_go_through_one_analyzer_of_ik_and_queries_through_the_other(
    before_ik: dict[str, Library], with_ik: Library
) -> None:
    pair = ["ik_max_word", "ik_smart"]
    meta = {"kind": "ik", "index_analyzer": "ik_max_word", "search_analyzer": "ik_smart"}
    assert held(with_ik) == (meta, {"title": pair, "content": pair})
    for query, marked in {"登山リュック": RUCKSACK, "등산가방": BAG}.items():
        (found,) = search(with_ik, query)
        assert found.metadata["highlight"] == [marked]
    assert ids(with_ik, "傘") == ["umbrella.txt"]  # a single character is what only the analyzer of documents makes
    assert ids(before_ik["cjk"], "傘") == []
    assert ids(with_ik, "山岳") == []  # through the analyzer of documents it would be 山 as well, and find 登山


def test_an_index_made_before_ik_came_is_searched_and_added_to_as_it_was_made(
    before_ik: dict[str, Library], whole_ik: Elasticsearch
) -> None:
    assert choose(whole_ik, "ja").kind == "ik"
    old = before_ik["kuromoji"]
    (found,) = search(old, "登山リュック")
    assert found.metadata["highlight"] == [RUCKSACK_BY_WORDS]
    assert ids(old, "등산가방") == []  # not in pairs: a word with its particle is one word
    old.write({"stove.txt": "小型ストーブでお湯を沸かします。"})
    added = old.index(language="ja", analysis="auto")
    assert (added["built"], added["counts"]["written"], added["analysis"]["kind"]) == ("", 1, "kuromoji")
    assert ids(old, "ストーブ") == ["stove.txt"]
    assert held(old)[0]["kind"] == "kuromoji"


def test_building_an_index_anew_gives_it_the_ik_that_has_come(
    before_ik: dict[str, Library], whole_ik: Elasticsearch
) -> None:
    old = before_ik["cjk, to be rebuilt"]
    assert ids(old, "傘") == []
    summary = old.index(language="any", analysis="auto", rebuild=True)
    assert (summary["built"], summary["analysis"]["kind"]) == ("it was asked for", "ik")
    assert ids(old, "傘") == ["umbrella.txt"]
