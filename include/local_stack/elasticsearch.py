"""The real Elasticsearch server core, as a service of the local stack.

The distribution is read-only and shared; each node has a folder of its own with ``config``, ``data`` and ``tmp``, and
all that it logs goes to the service's log. Elasticsearch refuses to run as root, so root's node runs as an unprivileged
user; see :func:`include.local_stack.access.reachable` for where its files then are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import shlex
import ssl
import urllib.request
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.generations.files import write_text
from include.generations.locks import locked
from include.local_stack.access import give_to_server, reachable, unprivileged_uid
from include.local_stack.artifacts import MavenArtifact, fetch, unpacking
from include.local_stack.java import find_java
from include.local_stack.service import Service
from include.settings import Settings

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
WAIT_FOR_OTHER_SECONDS = 1800.0  # another process installs

ELASTICSEARCH = MavenArtifact(
    group="org.elasticsearch.distribution.integ-test-zip",
    name="elasticsearch",
    version="9.2.0",
    extension="zip",
    size=99_253_337,
    sha512="2c624e913bb8712fb1698fc1ab3a241c868228183f089ff3cde17ad7bc7b5a96"
    "63454c2af939c65e075663826371e3d4344dca43a55a8aab9594f9a64b01d2c7",
)

# Everything to standard output: the service's log is the only one.
LOGGING = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %marker%m%consoleException%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True)
class ElasticsearchHome:
    """An installed distribution and the Java that runs it."""

    distribution: Path
    java: Path


@dataclass(frozen=True)
class User:
    """Somebody who may log in; kept in the node's own files, so no index is needed."""

    name: str
    password: str = field(repr=False)
    roles: tuple[str, ...] = ("superuser",)


@dataclass(frozen=True)
class Security:
    """Logins and TLS of a node. The PEM files are made by the caller and copied into the node's folder."""

    users: tuple[User, ...]  # the first one must be allowed to see the cluster's health
    certificate: Path  # the node's, followed by those that signed it
    key: Path
    authority: Path
    roles: Mapping[str, Any] = field(default_factory=dict)  # further roles, as in roles.yml


def install(settings: Settings, artifact: MavenArtifact = ELASTICSEARCH) -> ElasticsearchHome:
    """Fetch and unpack Elasticsearch, and find or make a Java for it; quick when that was done before.

    Raises:
        SetupError: a download failed, there is no room, or no Java.
    """
    folder = reachable(settings.local_dir / "elasticsearch")
    folder.mkdir(parents=True, exist_ok=True)
    distribution = folder / f"{artifact.name}-{artifact.version}"
    with locked(folder / ".install.lock", purpose="install Elasticsearch", wait_seconds=WAIT_FOR_OTHER_SECONDS):
        if not distribution.exists():
            _unpack(fetch(artifact, settings), distribution)
        return ElasticsearchHome(distribution, find_java(settings, folder))


def _unpack(archive: Path, target: Path) -> None:
    """Unpack the one folder of ``archive`` to ``target``, with the permissions that :mod:`zipfile` forgets."""
    with unpacking(archive, target, megabytes=110) as folder, zipfile.ZipFile(archive) as zipped:
        for member in zipped.infolist():
            member.filename = member.filename.partition("/")[2]
            if member.filename:
                path = Path(zipped.extract(member, folder))
                path.chmod((member.external_attr >> 16) & 0o777 or 0o644)


def service(
    home: ElasticsearchHome,
    folder: Path,
    *,
    http_port: int,
    transport_port: int,
    log: Path,
    heap_mb: int = 512,
    security: Security | None = None,
    extra: Mapping[str, Any] | None = None,
    name: str = "elasticsearch",
) -> Service:
    """A single node over ``folder``, whose data survive restarts; its configuration is written anew by this call.

    ``extra`` are lines of ``elasticsearch.yml``, for example ``{"indexing_pressure.memory.limit": "200kb"}``. The node
    takes about half as much memory again as ``heap_mb``.
    """
    node = reachable(folder)
    config = node / "config"
    (config / "jvm.options.d").mkdir(parents=True, exist_ok=True)
    for part in ("data", "tmp"):
        (node / part).mkdir(exist_ok=True)
    options = (home.distribution / "config" / "jvm.options").read_text(encoding="utf-8").splitlines()
    kept = [line for line in options if "-Xlog:gc" not in line]
    write_text(config / "jvm.options", "\n".join([*kept, f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m"]) + "\n")
    write_text(config / "log4j2.properties", LOGGING)
    lines = _configuration(node, name, http_port, transport_port) | _secure(config, security) | dict(extra or {})
    write_text(config / "elasticsearch.yml", json.dumps(lines, indent=2) + "\n")  # JSON is YAML
    give_to_server(node)
    if unprivileged_uid() is None:
        node.chmod(0o700)
    url = f"{'https' if security else 'http'}://{ADDRESS}:{http_port}"
    return Service(
        name=name,
        command=(str(home.distribution / "bin" / "elasticsearch"),),
        ready=_ready(url, security),
        ports=(http_port, transport_port),
        log=log,
        env={
            "ES_JAVA_HOME": str(home.java),
            "ES_PATH_CONF": str(config),
            "ES_TMPDIR": str(node / "tmp"),
            "ES_JAVA_OPTS": "",
            "CLI_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -Xmx64m",  # the launcher, which stays beside the server
            # The launcher leaves a folder at each start where Java keeps temporary files. It splits CLI_JAVA_OPTS at
            # spaces, and Java itself understands quotes here.
            "JDK_JAVA_OPTIONS": shlex.quote(f"-Djava.io.tmpdir={node / 'tmp'}"),
            "HOME": str(node / "tmp"),
            "LC_ALL": "C.UTF-8",  # else Java cannot open paths with other letters than ASCII
        },
        folder=node,
        uid=unprivileged_uid(),
        url=url,
    )


def _configuration(node: Path, name: str, http_port: int, transport_port: int) -> dict[str, Any]:
    return {
        "cluster.name": "embsearch",
        "node.name": name,
        "discovery.type": "single-node",
        "network.host": ADDRESS,
        "http.port": http_port,
        "transport.port": transport_port,
        "path.data": str(node / "data"),
        "path.logs": str(node / "tmp"),
        "cluster.routing.allocation.disk.threshold_enabled": False,  # else a disk 95 % full makes indices read-only
        "xpack.security.enabled": False,
    }


def _secure(config: Path, security: Security | None) -> dict[str, Any]:
    """Write logins, roles and certificates; return the lines that turn them on."""
    if security is None:
        return {}
    users = {user.name: _password_hash(user) for user in security.users}
    write_text(config / "users", "".join(f"{name}:{password}\n" for name, password in users.items()))
    members: dict[str, list[str]] = {}
    for user in security.users:
        for role in user.roles:
            members.setdefault(role, []).append(user.name)
    write_text(config / "users_roles", "".join(f"{role}:{','.join(names)}\n" for role, names in members.items()))
    roles = (f"{role}: {json.dumps(rights)}\n" for role, rights in security.roles.items())  # it must have a line each
    write_text(config / "roles.yml", "".join(roles))
    files = {"certificate": security.certificate, "key": security.key, "certificate_authorities": security.authority}
    for role, source in files.items():
        write_text(config / f"{role}.pem", source.read_text(encoding="utf-8"))
    for path in (config / "users", config / "key.pem"):
        path.chmod(0o600)
    lines: dict[str, Any] = {
        "xpack.security.enabled": True,
        "xpack.security.autoconfiguration.enabled": False,
        "xpack.security.authc.reserved_realm.enabled": False,  # so that a user of ours may be called `elastic`
        "xpack.security.authc.api_key.enabled": True,
        "xpack.security.transport.ssl.verification_mode": "certificate",
    }
    for layer in ("http", "transport"):
        lines[f"xpack.security.{layer}.ssl.enabled"] = True
        lines |= {f"xpack.security.{layer}.ssl.{role}": str(config / f"{role}.pem") for role in files}
    return lines


def _password_hash(user: User) -> str:
    """PBKDF2 with HMAC-SHA-512, 10,000 rounds, in the notation of Elasticsearch's file realm."""
    salt = os.urandom(32)
    digest = hashlib.pbkdf2_hmac("sha512", user.password.encode(), salt, 10_000, 32)
    return f"{{PBKDF2}}10000${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _ready(url: str, security: Security | None) -> Any:
    request = urllib.request.Request(f"{url}/_cluster/health?wait_for_status=yellow&timeout=100ms")  # noqa: S310
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # a proxy cannot reach 127.0.0.1
    if security:
        user = security.users[0]
        login = base64.b64encode(f"{user.name}:{user.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
        context = ssl.create_default_context(cafile=str(security.authority))
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)

    def ready() -> bool:
        try:
            with opener.open(request, timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    return ready
