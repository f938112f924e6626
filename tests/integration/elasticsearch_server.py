"""A real Elasticsearch for tests, on free ports, that can be stopped, killed and started again over the same data."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.elastic.connection import EsConnection
from include.local_stack import elasticsearch
from include.local_stack.artifacts import MavenArtifact
from include.local_stack.elasticsearch import ElasticsearchHome, Security, User
from include.local_stack.ports import free_ports
from include.local_stack.service import Service
from include.settings import Settings
from tests.integration.certificates import Certificates, make_certificates
from tests.integration.elasticsearch_plugin import AnalysisPlugin
from tests.integration.guarded_server import GuardedServer

SECURITY_PLUGIN = AnalysisPlugin(
    name="embsearch-security",
    description="What API keys need of analysis-common",
    source=Path(__file__).with_name("elastic") / "plugin" / "Security.java",
    parts={
        "TokenFilterFactory": {
            "pattern_capture": "embsearch.Security$PatternCapture",
            "unique": "embsearch.Security$Unique",
        },
        "TokenizerFactory": {"uax_url_email": "embsearch.Security$UrlEmail"},
    },
)
ELASTICSEARCH_8 = MavenArtifact(
    group="org.elasticsearch.distribution.integ-test-zip",
    name="elasticsearch",
    version="8.19.8",
    extension="zip",
    size=98_379_909,
    sha512="fa56c50fa80080f19bb9875348b019785e2ec53848168f007d40d81ca3cb7031"
    "6b45f53f20bb63cc2913ddad703711ce70f67dae5533cc5fd9db84d3f89f5241",
)
ADMIN = User("elastic", "pass:wörd %")
READER = User("reader", "only-reads", ("only_reads",))
APPENDER = User("appender", "only-adds", ("only_adds",))
ROLES = {
    role: {"indices": [{"names": ["*"], "privileges": [privilege, "view_index_metadata"]}]}
    for role, privilege in {"only_reads": "read", "only_adds": "create_doc"}.items()
}


@dataclass
class ElasticsearchServer(GuardedServer):
    """One node."""

    service: Service
    connection: EsConnection

    @classmethod
    def at(
        cls,
        folder: Path,
        home: ElasticsearchHome,
        *,
        security: Security | None = None,
        extra: dict[str, Any] | None = None,
    ) -> ElasticsearchServer:
        http, transport = free_ports(2)
        service = elasticsearch.service(
            home,
            folder / "node",
            http_port=http,
            transport_port=transport,
            log=folder / "elasticsearch.log",
            security=security,
            extra=extra,
        )
        if security is None:
            return cls(service, EsConnection((service.url,)))
        first = security.users[0]
        return cls(service, EsConnection((service.url,), first.name, first.password, ca_certs=security.authority))


@dataclass
class SecuredElasticsearch(ElasticsearchServer):
    """A node with TLS and logins: ``elastic`` may do all, ``reader`` only read, ``appender`` replace nothing."""

    certificates: Certificates = field(kw_only=True)

    @classmethod
    def make(cls, folder: Path, home: ElasticsearchHome, settings: Settings) -> SecuredElasticsearch:
        made = make_certificates(folder / "certificates")
        security = Security((ADMIN, READER, APPENDER), made.certificate, made.key, made.authority, ROLES)
        home = SECURITY_PLUGIN.added_to(home, folder, settings)
        plain = ElasticsearchServer.at(
            folder, home, security=security, extra={"indexing_pressure.memory.limit": "200kb"}
        )
        return cls(plain.service, plain.connection, certificates=made)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that a server's unprivileged user may enter, as pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="embsearch-tests-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
