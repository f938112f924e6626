"""What must hold before a demo writes test data: it reaches nothing but the stack that it starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from include.errors import InputError
from include.settings import PREFIX, Settings

if TYPE_CHECKING:
    from include.local_stack.airflow_api import AirflowApi

SERVERS = ("mysql_url", "backup_mysql_url", "redis_url")  # that the demo writes into
CONNECTIONS = ("mysql_default", "mysql_backup", "redis_default")  # of Airflow, that come before the settings
IN_ENVIRONMENT = "AIRFLOW_CONN_"


def check_own(settings: Settings) -> None:
    """Check that the demo would write into the stack's own servers and folders alone.

    Raises:
        InputError: the settings lead elsewhere.
    """
    from include.local_stack.served import is_ours  # noqa: PLC0415

    others = [name for name in SERVERS if not is_ours(settings, name)]
    if settings.faiss_published_dir is not None:
        others.append("faiss_published_dir")
    for name in others:
        variable = f"{PREFIX}{name.upper()}"
        msg = (
            f"{variable}={getattr(settings, name)} is not of the stack that `make up` starts, and the demo would put "
            f"test data there. Unset {variable} for the demo."
        )
        raise InputError(msg)


def check_connections(api: AirflowApi) -> None:
    """Check that no connection leads the DAGs to other servers than those that the demo fills.

    Raises:
        InputError: there is one.
    """
    known = {
        *api.connection_ids(),
        *(name.removeprefix(IN_ENVIRONMENT).lower() for name in os.environ if name.startswith(IN_ENVIRONMENT)),
    }
    if found := [name for name in CONNECTIONS if name in known]:
        msg = (
            f"Airflow has the connection {', '.join(found)}, so its DAGs work on other servers than those that the "
            "demo fills. Remove it for the demo."
        )
        raise InputError(msg)
