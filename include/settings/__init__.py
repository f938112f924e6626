"""Every URL, path, port and size in one typed place.

Values come from the environment (``EMBSEARCH_<NAME>``), else from ``stack.env`` in ``local_dir``, which the local stack
writes when it starts, else from the defaults below, which are the documented ones. Secrets come from the environment
or from an Airflow connection, never from parameters; those of the local stack's servers are in ``secrets.env`` beside
``stack.env``, which its owner alone may read. With ``EMBSEARCH_ENV_FILES=no`` neither file is read: the local stack's
tasks have all that they may know in their environment, and no parse of a DAG file spends 30 ms on reading them.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from include.errors import InputError
from include.settings.documents import Documents
from include.settings.faiss import Faiss
from include.settings.images import Images, documented_edition
from include.settings.local_stack import LocalStack
from include.settings.mysql import Mysql
from include.settings.places import Places
from include.settings.runs import Runs
from include.settings.services import Services
from include.settings.values import ENV_FILES, LOCAL_DIR, PREFIX, PROJECT_ROOT

__all__ = ["LOCAL_DIR", "LOGINS", "PREFIX", "PROJECT_ROOT", "Settings", "get_settings"]

# Settings that belong to a server, by the setting of its URL.
LOGINS = {
    "es_url": ("es_user", "es_password", "es_api_key", "es_ca_certs", "es_ssl_fingerprint"),
    "mysql_url": (
        *("mysql_user", "mysql_password", "mysql_ca_certs"),
        *("mysql_owner_user", "mysql_owner_password"),
    ),
    "backup_mysql_url": ("backup_mysql_user", "backup_mysql_password", "backup_mysql_ca_certs"),
    "images_mysql_url": (
        *("images_mysql_user", "images_mysql_password", "images_mysql_ca_certs"),
        *("images_mysql_owner_user", "images_mysql_owner_password"),
    ),
    "redis_url": ("redis_user", "redis_password", "redis_ca_certs"),
}


class Settings(Places, Services, Mysql, Runs, Documents, Faiss, Images, LocalStack, BaseSettings):
    """The project's settings; immutable, so that a run sees one set of values from start to end."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ENV_FILES,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - this and the last are the library's to give
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, the environment, files: looking through no file takes as long as looking through one."""
        return init_settings, env_settings, *([dotenv_settings] if getattr(dotenv_settings, "env_file", None) else [])

    @property
    def faiss_published_folder(self) -> Path:
        """Where readers of FAISS indexes find them."""
        return self.faiss_published_dir or self.state_dir / "faiss" / "published"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        InputError: values cannot be used; the message has a line for each, that of ``USE_INDEX_V2`` stands alone.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise InputError("\n".join(_refusal(found) for found in error.errors(include_url=False))) from None
    update: dict[str, Any] = dict.fromkeys(_strange_logins())
    if (edition := documented_edition()) is not None and f"{PREFIX}USE_INDEX_V2" not in os.environ:
        update["use_index_v2"] = edition  # the environment comes before stack.env
    return settings.model_copy(update=update)


def _strange_logins() -> list[str]:
    """Logins that are those of the local stack's servers, while the environment names another server."""
    named = [url for url in LOGINS if f"{PREFIX}{url.upper()}" in os.environ]
    return [login for url in named for login in LOGINS[url] if f"{PREFIX}{login.upper()}" not in os.environ]


def _refusal(found: Any) -> str:
    """Variable, value and what is allowed, of one error that pydantic found; no secret is shown."""
    name, value = str(found["loc"][0]), str(found["input"])
    schema = Settings.model_json_schema()["properties"].get(name, {})
    allowed = found["msg"].removeprefix("Value error, ")
    if "minimum" in schema:
        number = "a whole number" if schema.get("type") == "integer" else "a number"
        allowed = f"give {number} from {schema['minimum']} to {schema['maximum']}"
    elif "enum" in schema:
        allowed = f"give one of {', '.join(schema['enum'])}"
    shown = "" if "@" in value or "password" in str(schema) else f"={value}"
    return f"{PREFIX}{name.upper()}{shown} cannot be used: {allowed}."
