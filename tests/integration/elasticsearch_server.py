"""A real Elasticsearch for tests, on free ports, that can be stopped, killed and started again over the same data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.elastic.connection import EsConnection
from include.local_stack import elasticsearch
from include.local_stack.artifacts import MavenArtifact, fetch
from include.local_stack.elasticsearch import ElasticsearchHome, Security, User
from include.local_stack.ports import free_ports
from include.local_stack.service import Service
from include.settings import Settings
from tests.integration.certificates import Certificates, make_certificates
from tests.integration.guarded_server import GuardedServer

PLUGIN_SOURCE = Path(__file__).with_name("elastic") / "plugin" / "Security.java"
PLUGIN_PARTS = {
    "TokenFilterFactory": {
        "pattern_capture": "embsearch.Security$PatternCapture",
        "unique": "embsearch.Security$Unique",
    },
    "TokenizerFactory": {"uax_url_email": "embsearch.Security$UrlEmail"},
}
JAVA_COMPILER = MavenArtifact(  # runs on a Java that has no compiler of its own
    group="org.eclipse.jdt",
    name="ecj",
    version="3.43.0",
    extension="jar",
    size=3_329_190,
    sha512="06d8974af46d81f7a03c257b54fb5854a9b9ba8ab2733db4946745142e07e7dc"
    "3e69ea864d4b011230ffb8f92243503d7ffb6ac2ddf9b747c1bbc155c55fb583",
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
        home = with_security_plugin(home, folder, settings)
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


def with_security_plugin(home: ElasticsearchHome, folder: Path, settings: Settings) -> ElasticsearchHome:
    """A copy of the distribution that also has what API keys need, compiled from ``PLUGIN_SOURCE``."""
    distribution = folder / home.distribution.name
    shutil.copytree(home.distribution, distribution)
    plugin = distribution / "plugins" / "embsearch-security"
    classes = folder / "classes"
    libraries = sorted((distribution / "lib").glob("*.jar"))
    subprocess.run(
        [
            *(home.java / "bin" / "java", "-jar", fetch(JAVA_COMPILER, settings), "-21", "-proc:none"),
            *("-cp", os.pathsep.join(map(str, libraries)), "-d", classes, PLUGIN_SOURCE),
        ],
        check=True,
    )
    plugin.mkdir(mode=0o755)
    with zipfile.ZipFile(plugin / "embsearch-security.jar", "w") as jar:
        for path in sorted(classes.rglob("*.class")):
            jar.write(path, path.relative_to(classes))
    facts = {
        "name": "embsearch-security",
        "description": "What API keys need of analysis-common",
        "version": "1.0",
        "elasticsearch.version": elasticsearch.ELASTICSEARCH.version,
        "java.version": "21",
    }
    (plugin / "stable-plugin-descriptor.properties").write_text("".join(f"{k}={v}\n" for k, v in facts.items()))
    parts = {f"org.elasticsearch.plugin.analysis.{kind}": names for kind, names in PLUGIN_PARTS.items()}
    (plugin / "named_components.json").write_text(json.dumps(parts))
    for path in plugin.iterdir():
        path.chmod(0o644)
    return ElasticsearchHome(distribution, home.java)
