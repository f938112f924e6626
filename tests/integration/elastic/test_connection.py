"""Every way to reach a server, and every way to be refused, on real ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.elastic.verify import verify
from include.errors import AccessDenied, ServiceUnavailable
from include.local_stack.elasticsearch import User
from include.local_stack.ports import free_ports
from tests.integration.elastic.conftest import MakeIndex
from tests.integration.elasticsearch_server import APPENDER, READER, ElasticsearchServer, SecuredElasticsearch

DOCUMENT = Document("1", {"keyword": "登山 リュック", "keyword_id": 1})


def write_one(client: Elasticsearch, index: str, dead_letters: Path) -> None:
    counts = BulkWriter(client, index, run_id="run", dead_letters=dead_letters).write([DOCUMENT])
    assert counts.indexed == 1
    verify(client, index, [DOCUMENT], count=1)


def test_a_plain_server_needs_no_login(
    elasticsearch: ElasticsearchServer, make_index: MakeIndex, dead_letters: Path
) -> None:
    with connect(elasticsearch.connection) as client:
        write_one(client, make_index(client), dead_letters)


def test_a_dead_host_among_several_does_not_disturb(
    elasticsearch: ElasticsearchServer, make_index: MakeIndex, dead_letters: Path
) -> None:
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    for hosts in ((dead, *elasticsearch.connection.hosts), (*elasticsearch.connection.hosts, dead)):
        with connect(EsConnection(hosts)) as client:
            for number in range(10):
                write_one(client, make_index(client, f"{hosts.index(dead)}-{number}"), dead_letters)


def test_nor_does_it_disturb_with_tls_and_a_login(
    secured_elasticsearch: SecuredElasticsearch, make_index: MakeIndex, dead_letters: Path
) -> None:
    known = secured_elasticsearch.connection
    dead = f"https://127.0.0.1:{free_ports(1)[0]}"
    for hosts in ((dead, *known.hosts), (*known.hosts, dead)):
        with connect(dataclasses.replace(known, hosts=hosts)) as client:
            for number in range(4):
                write_one(client, make_index(client, f"{hosts.index(dead)}-{number}"), dead_letters)


def test_a_login_and_the_authority_open_a_secured_server(
    secured_elasticsearch: SecuredElasticsearch, make_index: MakeIndex, dead_letters: Path
) -> None:
    with connect(secured_elasticsearch.connection) as client:
        write_one(client, make_index(client), dead_letters)


@pytest.mark.parametrize("of", ["fingerprint", "authority_fingerprint"])
@pytest.mark.parametrize("upper_with_colons", [False, True])
def test_a_fingerprint_is_as_good_as_the_authority(
    secured_elasticsearch: SecuredElasticsearch, of: str, upper_with_colons: bool
) -> None:
    fingerprint: str = getattr(secured_elasticsearch.certificates, of)
    if upper_with_colons:
        fingerprint = ":".join(fingerprint[i : i + 2] for i in range(0, 64, 2)).upper()
    connection = dataclasses.replace(secured_elasticsearch.connection, ca_certs=None, ssl_fingerprint=fingerprint)
    with connect(connection) as client:
        assert client.indices.exists(index="none-of-this-name").body is False


def test_an_api_key_opens_what_it_was_made_for_and_nothing_else(
    secured_elasticsearch: SecuredElasticsearch, alias: str, make_index: MakeIndex, dead_letters: Path
) -> None:
    with connect(secured_elasticsearch.connection) as admin:
        key = admin.security.create_api_key(
            name=alias,
            role_descriptors={"own": {"indices": [{"names": [f"{alias}*"], "privileges": ["all"]}]}},
        )["encoded"]
        IndexGenerations(admin, "of-others").create(
            "of-others__g1", KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=False
        )
    fingerprint = secured_elasticsearch.certificates.fingerprint
    with connect(
        EsConnection(secured_elasticsearch.connection.hosts, api_key=key, ssl_fingerprint=fingerprint)
    ) as client:
        write_one(client, make_index(client), dead_letters)
        with pytest.raises(AccessDenied, match="lacks the right"):
            BulkWriter(client, "of-others__g1", run_id="run", dead_letters=dead_letters)


class TestRefusals:
    """Three causes, three sentences, none with a secret in it."""

    def refusal(self, connection: EsConnection) -> str:
        with pytest.raises(AccessDenied) as caught:
            connect(connection)
        message = str(caught.value)
        assert connection.hosts[0] in message
        assert connection.password is None or connection.password not in message
        return message

    def test_a_wrong_fingerprint(self, secured_elasticsearch: SecuredElasticsearch) -> None:
        connection = dataclasses.replace(secured_elasticsearch.connection, ca_certs=None, ssl_fingerprint="ab" * 32)
        assert "certificate is not the expected one (Fingerprints did not match" in self.refusal(connection)

    def test_an_unknown_authority(self, secured_elasticsearch: SecuredElasticsearch) -> None:
        connection = dataclasses.replace(secured_elasticsearch.connection, ca_certs=None)
        assert "certificate is not the expected one" in self.refusal(connection)

    def test_a_wrong_password(self, secured_elasticsearch: SecuredElasticsearch) -> None:
        connection = dataclasses.replace(secured_elasticsearch.connection, password="not-the-pässword")
        assert "user and password, or the API key, are refused" in self.refusal(connection)

    def test_a_wrong_api_key(self, secured_elasticsearch: SecuredElasticsearch) -> None:
        connection = dataclasses.replace(
            secured_elasticsearch.connection, user=None, password=None, api_key="bm90OmFuIGFwaSBrZXk="
        )
        assert "user and password, or the API key, are refused" in self.refusal(connection)

    @pytest.mark.parametrize(
        ("user", "sentence"),
        [
            (READER, "cannot write to .*: the login is right but lacks the right.*for user \\[reader\\]"),
            (APPENDER, "no right to write to .* for user \\[appender\\]"),  # refused item by item
        ],
        ids=["reader", "appender"],
    )
    def test_a_missing_right_to_write(
        self,
        secured_elasticsearch: SecuredElasticsearch,
        make_index: MakeIndex,
        dead_letters: Path,
        user: User,
        sentence: str,
    ) -> None:
        with connect(secured_elasticsearch.connection) as admin:
            index = make_index(admin)
        connection = dataclasses.replace(secured_elasticsearch.connection, user=user.name, password=user.password)
        with connect(connection) as client:
            writer = BulkWriter(client, index, run_id="run", dead_letters=dead_letters)
            with pytest.raises(AccessDenied, match=sentence):
                writer.write([DOCUMENT])
            with pytest.raises(AccessDenied, match="cannot create index other__g1: the login is right but lacks"):
                IndexGenerations(client, "other").create(
                    "other__g1", KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=True
                )
        assert not list(dead_letters.glob("*.jsonl"))


def test_nobody_at_the_address_is_a_passing_fault_that_names_it() -> None:
    host = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(ServiceUnavailable, match=f"{host} cannot be reached"):
        connect(EsConnection((host,)))


def test_version_8_is_spoken_to_in_its_own_format(
    elasticsearch_8: ElasticsearchServer, alias: str, dead_letters: Path
) -> None:
    with connect(elasticsearch_8.connection) as client:
        generations = IndexGenerations(client, alias)
        for number in (1, 2):
            name = f"{alias}__g{number}"
            generations.create(name, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=True)
            write_one(client, name, dead_letters)
            generations.finalise(name)
            generations.promote(name)
        assert generations.rollback() == f"{alias}__g1"
        assert generations.count(alias) == 1
