"""One server has many spellings."""

from __future__ import annotations

import pytest

from include.settings import PROJECT_ROOT
from include.sources.addresses import same_server


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:9200", "http://127.0.0.1:9200"),
        ("http://localhost:9200", "http://[::1]:9200/"),
        ("http://ES.example:9200/", "HTTP://es.example:9200"),
        ("https://es.example", "https://es.example:443"),
        ("https://es.example/search/", "https://es.example/search"),
        ("http://a:9200,http://b:9200", "http://b:9200/, http://c:9200"),
        ("edge:data/qdrant", f"edge:{PROJECT_ROOT}/data/../data/qdrant/"),
        ("edge:/data/a,b", "edge:/data/a,b"),
        (":memory:", ":memory:"),
        ("http://es:port", "http://es:port"),
    ],
)
def test_two_spellings_of_one_server_are_the_same(one: str, other: str) -> None:
    assert same_server(one, other)
    assert same_server(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:9200", "http://localhost:9201"),
        ("http://localhost:9200", "https://localhost:9200"),
        ("http://one:9200", "http://two:9200"),
        ("https://es.example/a", "https://es.example/b"),
        ("edge:data/qdrant", "exact:data/qdrant"),
        ("edge:data/one", "edge:data/two"),
        ("edge:data/qdrant", "http://localhost:6333"),
        ("http://es:port", "http://es:ports"),
        ("", ""),
    ],
)
def test_two_servers_are_not_the_same(one: str, other: str) -> None:
    assert not same_server(one, other)
