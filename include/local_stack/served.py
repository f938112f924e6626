"""Where the stack's servers are and who may log in, for later processes: ``stack.env`` and ``secrets.env``."""

from __future__ import annotations

import os

from pydantic import SecretStr

from include.local_stack import mariadb
from include.local_stack.passwords import passwords
from include.local_stack.ports import PortNeed
from include.settings import LOGINS, PREFIX, PROJECT_ROOT, Settings
from include.settings.images import documented_edition

ADDRESS = "127.0.0.1"
# What runs work on until their owner says otherwise.
DEMO: dict[str, object] = {
    "model": "minilm",
    "images_model": "picture_features",
    "images_roots": "data/demo/images,data/demo/queries",
    "images_temporary_stores": (PROJECT_ROOT / "data" / "demo" / "queries").as_uri(),
    "images_v1_dir": PROJECT_ROOT / "data" / "demo" / "images",
    "use_index_v2": True,  # what its DAG builds
    "keywords": "data/demo/keywords.txt",
    "products": "data/demo/products.txt",
    "daily_products": "data/demo/daily/products_{date}.txt",
}
# The URLs of the servers that listen on a port of the stack's.
PORTS = {
    "triton_http_port": ("kserve_url",),
    "triton_grpc_port": ("kserve_url",),
    "triton_metrics_port": ("kserve_url",),
    "es_http_port": ("es_url",),
    "es_transport_port": ("es_url",),
    "mariadb_port": ("mysql_url", "backup_mysql_url", "images_mysql_url"),
    "redis_port": ("redis_url",),
}
OWNERS = ("mysql_owner_user", "mysql_owner_password")
NOT_FOR_TASKS = (*OWNERS, *(f"images_{name}" for name in OWNERS))


def served_settings(settings: Settings) -> Settings:
    """``settings`` as they are with the stack up: each service on this machine, unless the user has one elsewhere.

    Servers that the environment names, a Qdrant server, a model or input files that the user has chosen stay chosen;
    else they are this stack's, the engine in process, and those of the demo. Logins are for servers elsewhere; those
    of this stack's are added by :func:`with_logins`.
    """
    chosen = settings.model_fields_set | ({"use_index_v2"} if documented_edition() is not None else set())
    has_qdrant = "qdrant_url" in chosen and not settings.qdrant_url.startswith("edge:")
    values: dict[str, object] = {
        "qdrant_url": settings.qdrant_url if has_qdrant else f"edge:{settings.state_dir / 'qdrant'}",
        **{name: value for name, value in DEMO.items() if name not in chosen},
    }
    for url, address in _own_addresses(settings).items():
        # What stack.env says is what an earlier start wrote, perhaps with other ports: only the environment chooses.
        if f"{PREFIX}{url.upper()}" not in os.environ:
            values[url] = address
            values |= dict.fromkeys(LOGINS.get(url, ()))
            if url == "kserve_url":
                values["kserve_grpc_url"] = f"{ADDRESS}:{settings.triton_grpc_port}"
    return settings.model_copy(update=values)


def with_logins(settings: Settings) -> Settings:
    """``settings`` with the logins of those servers that are this stack's; passwords that are missing are made."""
    values: dict[str, object] = {}
    users = mariadb.logins(settings)
    reader, owner = (SecretStr(users[user]) for user in (mariadb.READER, mariadb.OWNER))
    if is_ours(settings, "mysql_url"):
        values |= {"mysql_user": mariadb.READER, "mysql_password": reader}
        values |= {"mysql_owner_user": mariadb.OWNER, "mysql_owner_password": owner}
    if is_ours(settings, "backup_mysql_url"):
        values |= {"backup_mysql_user": mariadb.READER, "backup_mysql_password": reader}
    if is_ours(settings, "images_mysql_url"):
        values |= {"images_mysql_user": mariadb.READER, "images_mysql_password": reader}
        values |= {"images_mysql_owner_user": mariadb.OWNER, "images_mysql_owner_password": owner}
    if is_ours(settings, "redis_url"):
        values["redis_password"] = SecretStr(
            passwords(settings.local_dir / "redis" / "passwords.json", "default")["default"]
        )
    return settings.model_copy(update=values)


def is_ours(settings: Settings, url: str) -> bool:
    """Whether the server that ``url``, a setting's name, leads to is one of this stack."""
    return bool(getattr(settings, url) == _own_addresses(settings)[url])


def _own_addresses(settings: Settings) -> dict[str, str]:
    mysql = f"mysql://{ADDRESS}:{settings.mariadb_port}"
    return {
        "kserve_url": f"http://{ADDRESS}:{settings.triton_http_port}",
        "es_url": f"http://{ADDRESS}:{settings.es_http_port}",
        "mysql_url": f"{mysql}/{mariadb.DATABASES[0]}",
        "backup_mysql_url": f"{mysql}/{mariadb.DATABASES[1]}",
        "images_mysql_url": f"{mysql}/{mariadb.IMAGES}",
        "redis_url": f"redis://{ADDRESS}:{settings.redis_port}/0",
    }


def env_file(settings: Settings) -> str:
    """The text of ``stack.env``: where the services are, and nothing secret."""
    names = ["kserve_url", "kserve_grpc_url", "es_url", "mysql_url", "backup_mysql_url", "images_mysql_url"]
    names += ["redis_url", "qdrant_url"]
    head = "# Written by `make up`; the environment's EMBSEARCH_… variables come before these."
    return _lines(head, {name: getattr(settings, name) for name in (*names, *DEMO, *_port_fields())})


def secrets_file(settings: Settings) -> str:
    """The text of ``secrets.env``: the logins of this stack's own servers."""
    names = [name for url, logins in LOGINS.items() if is_ours(settings, url) for name in logins]
    values = {name: getattr(settings, name) for name in names}
    head = "# Written by `make up`: logins of the servers on this machine. Keep it to yourself."
    return _lines(head, {name: _plain(value) for name, value in values.items() if value is not None})


def task_environment(settings: Settings) -> dict[str, str]:
    """All settings as environment variables, for tasks; with the secrets, so keep it private.

    A task reads no file beside them: those name the owners of the databases, too.
    """
    values = {name: getattr(settings, name) for name in Settings.model_fields if name not in NOT_FOR_TASKS}
    found = {PREFIX + name.upper(): _plain(value) for name, value in values.items() if value is not None}
    return found | {f"{PREFIX}ENV_FILES": "no"}


def port_needs(settings: Settings) -> list[PortNeed]:
    """Every port that the stack's own servers listen on, with its setting."""
    own = [name for name in _port_fields() if name not in PORTS or any(is_ours(settings, url) for url in PORTS[name])]
    return [PortNeed(getattr(settings, name), f"{PREFIX}{name.upper()}") for name in own]


def _port_fields() -> list[str]:
    return [name for name in Settings.model_fields if name.endswith("_port")]


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _lines(head: str, values: dict[str, object]) -> str:
    lines = [head]
    for name, value in values.items():
        quoted = str(value).replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"{PREFIX}{name.upper()}='{quoted}'")
    return "\n".join(lines) + "\n"
