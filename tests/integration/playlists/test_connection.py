"""Every way to reach Redis, and every way to be refused, on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import AccessDenied, FatalError, ServiceUnavailable
from include.local_stack.ports import free_ports
from include.playlists.cache import PlaylistCache
from include.playlists.connection import RedisConnection, connected
from include.playlists.reader import PlaylistReader, open_reader
from include.settings import PROJECT_ROOT, Settings
from tests.integration.certificates import Certificates, make_certificates
from tests.integration.playlists.conftest import one_set, writing
from tests.integration.playlists.tls_front import tls_before
from tests.integration.redis_server import PASSWORD, RedisServer

OTHER = "of an üser"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def user(server: RedisServer, name: str, *rights: str) -> Iterator[RedisConnection]:
    """Somebody with no other rights."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", name, "on", f">{OTHER}", *rights)
        try:
            yield replace(server.connection, user=name, password=OTHER)
        finally:
            client.execute_command("ACL", "DELUSER", name)


def refusal(connection: RedisConnection) -> str:
    with pytest.raises(AccessDenied) as refused, connected(connection):
        pass
    said = str(refused.value)
    assert connection.url in said
    assert PASSWORD not in said
    return said


def test_the_settings_lead_to_the_server(cache: PlaylistCache, redis_server: RedisServer) -> None:
    cache.replace([one_set()], writing())
    with open_reader(redis_server.settings) as reader:
        assert len(reader.read("drp", "song")) == 3


def test_each_database_has_a_cache_of_its_own(cache: PlaylistCache, redis_server: RedisServer) -> None:
    other = replace(redis_server.connection, database=3)
    with connected(other) as client:
        client.flushdb()
        PlaylistCache(client, other).replace([one_set()], writing())
        assert cache.meta().sets == {}
        client.flushdb()


@pytest.mark.parametrize("password", ["wrong", None, ""])
def test_a_wrong_or_missing_password_is_told_with_the_settings(redis_server: RedisServer, password: str | None) -> None:
    said = refusal(replace(redis_server.connection, password=password))
    assert "the login is refused" in said
    assert "EMBSEARCH_REDIS_PASSWORD" in said


def test_the_documented_rights_are_enough_and_without_them_it_is_told(
    cache: PlaylistCache, redis_server: RedisServer
) -> None:
    page = (PROJECT_ROOT / "docs" / "playlists.md").read_text(encoding="utf-8")
    rights = {
        name: line.split(f"SETUSER {name} on >password ")[1].split()
        for name in ("writer", "reader")
        for line in page.splitlines()
        if f"SETUSER {name} " in line
    }
    with (
        user(redis_server, "writer", *rights["writer"]) as writer, connected(writer) as client,
        user(redis_server, "reader", *rights["reader"]) as looker, connected(looker) as looking,
    ):  # fmt: skip
        of_writer, of_reader = PlaylistCache(client, writer), PlaylistCache(looking, looker)
        for outdated in (False, True):
            of_writer.replace([one_set("drp")], writing(outdated=lambda _program, _kind, gone=outdated: gone))
            of_writer.replace([one_set("fgy")], writing())
        assert len(PlaylistReader(of_reader).read("fgy", "song")) == 3
        with pytest.raises(AccessDenied, match="cannot write 1 sets: the login is right but lacks the right.*Grant"):
            of_reader.replace([one_set("fgy", ids=[7, 8])], writing())
    assert len(PlaylistReader(cache).read("fgy", "song")) == 3


def test_tls_with_the_authority_opens_the_server(
    cache: PlaylistCache, redis_server: RedisServer, certificates: Certificates
) -> None:
    with tls_before(redis_server.connection.port, certificates) as port:
        secure = replace(redis_server.connection, port=port, tls=True, ca_certs=certificates.authority)
        with connected(secure) as client:
            PlaylistCache(client, secure).replace([one_set()], writing())
        assert len(PlaylistReader(cache).read("drp", "song")) == 3


def test_an_unknown_authority_is_told_and_the_password_is_not_sent(
    redis_server: RedisServer, certificates: Certificates, tmp_path: Path
) -> None:
    stranger = make_certificates(tmp_path)
    with tls_before(redis_server.connection.port, certificates) as port:
        for authority in (None, stranger.authority):
            secure = replace(redis_server.connection, port=port, tls=True, ca_certs=authority)
            assert "certificate is not the expected one" in refusal(secure)


def test_a_plain_server_asked_for_tls_is_told_as_such(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.playlists.connection.ANSWER_SECONDS", 1.0)  # it waits for the end of a line
    said = "rediss://.*it does not answer.*rediss:// for a server with TLS"
    with pytest.raises(ServiceUnavailable, match=said), connected(replace(redis_server.connection, tls=True)):
        pass


def test_nobody_at_the_address_is_a_passing_fault_that_names_it() -> None:
    settings = Settings(_env_file=None, redis_url=f"redis://127.0.0.1:{free_ports(1)[0]}/0")
    said = f"Redis at {settings.redis_url}: cannot connect: it does not answer"
    with pytest.raises(ServiceUnavailable, match=said), open_reader(settings):
        pass


def test_a_database_that_the_server_does_not_have_is_told(redis_server: RedisServer) -> None:
    with (
        pytest.raises(FatalError, match="DB index is out of range"),
        connected(replace(redis_server.connection, database=99)),
    ):
        pass
