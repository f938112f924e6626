"""How to reach Elasticsearch 8 or 9: one host or several, no login, password or API key, plain or TLS."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from elastic_transport import BaseNode, Transport, TransportApiResponse, Urllib3HttpNode
from elasticsearch import ApiError, BadRequestError, Elasticsearch, OrjsonSerializer
from pydantic import SecretStr

from include.elastic.errors import reason_of, translated
from include.errors import InputError
from include.settings import Settings

REQUEST_SECONDS = 60.0
CONNECTIONS = 10  # to each node

# It writes a traceback for every host that does not answer at once; what matters is in our own errors and warnings.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)

_COMPATIBLE_WITH = re.compile(r"compatible-with=\d+")


@dataclass(frozen=True)
class EsConnection:
    """Where Elasticsearch is and who asks; secrets never appear in its ``repr``."""

    hosts: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    ca_certs: Path | None = None
    ssl_fingerprint: str | None = None  # sha256 of the server's certificate or its CA's, hex

    @classmethod
    def from_settings(cls, settings: Settings, *, urls: str | None = None) -> Self:
        """The settings' connection; ``urls`` (several by commas) replaces its hosts.

        Without a port, http is 9200 and https 443. The settings' credentials go to the settings' hosts only, so that
        whoever may choose ``urls`` cannot collect them.

        Raises:
            InputError: a URL is not one or holds a login, or both an API key and a password are given.
        """
        hosts = tuple(_host(url) for url in _split(urls or settings.es_url))
        if not hosts:
            msg = "No Elasticsearch host is given. Set EMBSEARCH_ES_URL, for example to http://localhost:9200."
            raise InputError(msg)
        if urls and not set(hosts) <= {_host(url) for url in _split(settings.es_url)}:
            settings = settings.model_copy(update={"es_user": None, "es_password": None, "es_api_key": None})
        user, password, api_key = settings.es_user, _revealed(settings.es_password), _revealed(settings.es_api_key)
        if api_key and password:
            msg = "Both an API key and a password are given for Elasticsearch. Unset one of them."
            raise InputError(msg)
        return cls(hosts, user, password, api_key, settings.es_ca_certs, settings.es_ssl_fingerprint)

    def client_arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``elasticsearch.Elasticsearch``."""
        arguments: dict[str, Any] = {"hosts": list(self.hosts)}
        if self.api_key:
            arguments["api_key"] = self.api_key
        elif self.user:
            login = f"{self.user}:{self.password or ''}".encode()  # the client's own basic_auth takes ASCII only
            arguments["headers"] = {"authorization": f"Basic {base64.b64encode(login).decode()}"}
        if self.ssl_fingerprint:
            arguments["ssl_assert_fingerprint"] = self.ssl_fingerprint
        elif self.ca_certs:
            arguments["ca_certs"] = str(self.ca_certs)
        return arguments


def _split(urls: str) -> list[str]:
    return [url.strip() for url in urls.split(",") if url.strip()]


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _host(url: str) -> str:
    """``url`` with its port.

    Raises:
        InputError: it is not the URL of a host, or holds a login, which would be shown in forms and kept in manifests.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 9200)
    except ValueError:
        port = 0
    where = url.rpartition("@")[2]  # never the login
    if parts.username or parts.password:
        settings = "EMBSEARCH_ES_USER and EMBSEARCH_ES_PASSWORD"
        msg = f"The URL of Elasticsearch at {where} holds a login. Give it by {settings}."
        raise InputError(msg)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port:
        msg = f"{where!r} is not the URL of an Elasticsearch host. Write it as http://localhost:9200."
        raise InputError(msg)
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}:{port}{parts.path.rstrip('/')}"


class _Version8Transport(Transport):
    """Asks for the formats of Elasticsearch 8, which refuses requests that ask for those of 9."""

    def perform_request(self, method: str, target: str, **options: Any) -> TransportApiResponse:
        headers: Mapping[str, str] = options.pop("headers", None) or {}
        asked = {name: _COMPATIBLE_WITH.sub("compatible-with=8", value) for name, value in headers.items()}
        return super().perform_request(method, target, headers=asked, **options)


def connect(
    connection: EsConnection, *, seconds: float = REQUEST_SECONDS, node_class: type[BaseNode] = Urllib3HttpNode
) -> Elasticsearch:
    """A client for the server's version, after one request that shows that it can be reached; close it after use.

    Each request tries every host before it fails, and waits ``seconds`` for one that does not answer; what may be tried
    again later is left to the caller. ``node_class`` sends the requests.

    Raises:
        ServiceUnavailable: no host answers.
        AccessDenied: the certificate or the login is not accepted.
        InputError: the settings exclude each other, for example a fingerprint for a plain http:// host.
    """
    client = _client(connection, Transport, seconds, node_class)
    try:
        if _is_version_8(client):
            client.close()
            client = _client(connection, _Version8Transport, seconds, node_class)
            _is_version_8(client)
    except BaseException:
        client.close()
        raise
    return client


def _client(
    connection: EsConnection, transport: type[Transport], seconds: float, node_class: type[BaseNode]
) -> Elasticsearch:
    try:
        return Elasticsearch(
            **connection.client_arguments(),
            transport_class=transport,
            node_class=node_class,
            serializer=OrjsonSerializer(),
            request_timeout=seconds,
            max_retries=len(connection.hosts),  # to the other hosts, at once
            retry_on_timeout=False,  # one that does not answer in time is not asked again at once
            retry_on_status=(),
            connections_per_node=CONNECTIONS,
        )
    except (ValueError, OSError) as error:
        msg = f"Elasticsearch at {', '.join(connection.hosts)}: {error}. Check the EMBSEARCH_ES_ settings."
        raise InputError(msg) from error


def _is_version_8(client: Elasticsearch) -> bool:
    """Ask for something that every server has (``GET /`` is not in every build) and that needs few rights."""
    with translated(client, "connect"):
        try:
            client.cluster.health(filter_path="status")
        except BadRequestError as error:
            if reason_of(error)[0] == "media_type_header_exception":
                return True
            raise
        except ApiError as error:
            if error.meta.status != 403:  # it knows us; which rights are missing will show when they are needed
                raise
    return False
