"""What may be asked for, and where Redis may be."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from include.catalog.index_types import PROGRAMS
from include.errors import InputError
from include.playlists.connection import RedisConnection
from include.playlists.parameters import PlaylistCacheParameters, asked_programs, known_programs
from include.settings import Settings

pytestmark = pytest.mark.usefixtures("bare_settings")


def test_defaults_are_the_documented_ones() -> None:
    assert PlaylistCacheParameters().model_dump() == {
        "programs": "all", "types": "all", "encoding": "int32", "min_share": 0.5,
    }  # fmt: skip
    assert PROGRAMS == ("drp", "fgy", "k2k", "mdi", "nmg", "rtc")


@pytest.mark.parametrize(
    ("names", "asked"),
    [("all", list(PROGRAMS)), ("drp", ["drp"]), (" rtc, drp,rtc ", ["rtc", "drp"]), ("drp,all", list(PROGRAMS))],
)
def test_programmes_are_named_by_commas_each_once(names: str, asked: list[str]) -> None:
    assert asked_programs(PlaylistCacheParameters.checked({"programs": names}).programs, Settings()) == asked


@pytest.mark.parametrize("value", ["", ",", "drp,", "drp fgy", "DRP", "drp;drop table"])
def test_what_is_no_list_of_names_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="Invalid input for param programs"):
        PlaylistCacheParameters.checked({"programs": value})


def test_an_installation_may_have_programmes_of_its_own() -> None:
    settings = Settings(playlist_programs="abc,drp")
    assert known_programs(settings) == asked_programs("all", settings) == ["abc", "drp"]
    with pytest.raises(InputError, match="There is no programme fgy. There are: abc, drp, or all"):
        asked_programs("fgy", settings)
    for value in ("a_b", "abc,", "A"):  # an underscore would make keys ambiguous
        with pytest.raises(ValidationError):
            Settings(playlist_programs=value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://127.0.0.1:6379/0", RedisConnection("127.0.0.1")),
        ("redis://cache", RedisConnection("cache")),
        ("rediss://[::1]:7000/3", RedisConnection("::1", 7000, 3, tls=True)),
    ],
)
def test_the_url_tells_host_port_database_and_tls(url: str, expected: RedisConnection) -> None:
    assert RedisConnection.from_settings(Settings(redis_url=url)) == expected


@pytest.mark.parametrize(
    "url",
    ["http://cache", "redis://", "redis://cache:many", "redis://cache/a", "redis://cache/-1", "redis://cache?db=1",
     "cache"],
)  # fmt: skip
def test_what_is_no_url_of_redis_is_told_with_how_to_write_it(url: str) -> None:
    with pytest.raises(
        InputError, match="EMBSEARCH_REDIS_URL=.* is not the URL of a Redis server. Write it as redis://"
    ):
        RedisConnection.from_settings(Settings(redis_url=url))


def test_the_password_is_never_shown() -> None:
    connection = RedisConnection.from_settings(Settings(redis_user="me", redis_password=SecretStr("hidden")))
    assert (connection.user, connection.password) == ("me", "hidden")
    assert "hidden" not in repr(connection) + connection.url
    with pytest.raises(ValidationError):
        Settings(redis_url="redis://me:hidden@cache:6379/0")


def test_a_file_of_certificates_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="EMBSEARCH_REDIS_CA_CERTS=.*missing.pem is not a file"):
        RedisConnection.from_settings(Settings(redis_ca_certs=tmp_path / "missing.pem"))
