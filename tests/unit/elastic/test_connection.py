"""From settings to a client's arguments, with secrets kept out of sight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from include.elastic.connection import EsConnection
from include.errors import InputError
from include.settings import Settings


def connection(urls: str | None = None, **values: Any) -> EsConnection:
    return EsConnection.from_settings(Settings(**{"es_url": "http://localhost:9200", **values}), urls=urls)


pytestmark = pytest.mark.usefixtures("bare_settings")


def test_the_default_is_one_plain_host() -> None:
    assert connection() == EsConnection(("http://localhost:9200",))


def test_several_hosts_are_separated_by_commas_and_ports_have_defaults() -> None:
    found = connection("http://one, https://two/prefix/ ,http://[::1]:9201")
    assert found.hosts == ("http://one:9200", "https://two:443/prefix", "http://[::1]:9201")


def test_a_login_is_sent_as_utf_8() -> None:
    made = connection(es_user="ünal", es_password=SecretStr("pä:ss"))
    assert made.client_arguments()["headers"] == {"authorization": "Basic w7xuYWw6cMOkOnNz"}


def test_a_login_inside_a_url_is_refused_without_showing_it() -> None:
    inside = "https://user:hidden@host:9200"
    with pytest.raises(InputError, match="at host:9200 holds a login. Give it by EMBSEARCH_ES_USER") as by_parameter:
        connection(inside)
    with pytest.raises(ValueError, match="a login inside a URL would be shown") as by_setting:
        Settings(es_url=inside)
    assert "hidden" not in str(by_parameter.value) + str(by_setting.value)


def test_a_fingerprint_is_enough_without_an_authority() -> None:
    made = connection("https://host", es_ssl_fingerprint="ab" * 32, es_ca_certs=Path("/ca.pem"))
    assert made.client_arguments()["ssl_assert_fingerprint"] == "ab" * 32
    assert "ca_certs" not in made.client_arguments()


def test_secrets_are_not_shown() -> None:
    shown = repr(connection(es_user="u", es_password=SecretStr("hidden"))) + repr(
        connection(es_api_key=SecretStr("hidden"))
    )
    assert "hidden" not in shown


@pytest.mark.parametrize("url", ["localhost:9200", "ftp://host", "http://", "http://host:99999", " , "])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="EMBSEARCH_ES_URL|not the URL of an Elasticsearch host"):
        connection(url)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(InputError) as caught:
        connection("ftp://user:hidden@host")
    assert "hidden" not in str(caught.value)


def test_an_api_key_and_a_password_exclude_each_other() -> None:
    with pytest.raises(InputError, match="Both an API key and a password"):
        connection(es_api_key=SecretStr("key"), es_user="user", es_password=SecretStr("password"))


def test_credentials_go_to_the_configured_hosts_only() -> None:
    settings = Settings(_env_file=None, es_url="https://a:9200,https://b:9200", es_user="u", es_password=SecretStr("p"))
    own = EsConnection.from_settings(settings, urls="https://b:9200")
    assert (own.user, own.password) == ("u", "p")
    other = EsConnection.from_settings(settings, urls="https://b:9200,https://elsewhere:9200")
    assert (other.user, other.password, other.api_key) == (None, None, None)
