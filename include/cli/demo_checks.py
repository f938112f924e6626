"""Before a demo writes test data: it must reach nothing but the stack that it starts, and no other's indexes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from include.errors import InputError
from include.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.airflow_api import AirflowApi
    from include.catalog.index_types import IndexType

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


def check_connections(api: AirflowApi, names: Sequence[str] = CONNECTIONS) -> None:
    """Check that no connection leads the DAGs to other servers than those that the demo fills.

    Raises:
        InputError: there is one.
    """
    known = {
        *api.connection_ids(),
        *(name.removeprefix(IN_ENVIRONMENT).lower() for name in os.environ if name.startswith(IN_ENVIRONMENT)),
    }
    if found := [name for name in names if name in known]:
        msg = (
            f"Airflow has the connection {', '.join(found)}, so its DAGs work on other servers than those that the "
            "demo fills. Remove it for the demo."
        )
        raise InputError(msg)


def check_indexes(settings: Settings, kinds: Sequence[IndexType]) -> None:
    """Check that the demo's indexes would take the place of none but an earlier demo's.

    Raises:
        InputError: an index of other rows is served.
    """
    from include.music_index.folders import index_folder  # noqa: PLC0415
    from include.mysql.connection import MysqlConnection, Session  # noqa: PLC0415
    from include.mysql.seed_marks import DEMO, mark_of  # noqa: PLC0415

    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        for kind in kinds:
            folder, mark = index_folder(kind, settings), mark_of(session, kind.table)
            if folder.served_name() is not None and (mark is None or mark.made_by != DEMO):
                msg = (
                    f"{folder.root} serves an index of rows that are not the demo's, and the demo's would take its "
                    f"place. Give the demo a folder of its own: {PREFIX}STATE_DIR=/another/folder make demo-faiss."
                )
                raise InputError(msg)


def forget_playlists(settings: Settings) -> None:
    """Drop the sets that an earlier demo has cached: of fewer rows, this one's would be refused as too small."""
    from include.playlists.connection import RedisConnection, connected  # noqa: PLC0415
    from include.playlists.meta import KEY_PREFIX  # noqa: PLC0415

    with connected(RedisConnection.from_settings(settings)) as client:
        if keys := list(client.scan_iter(match=f"{KEY_PREFIX}:*")):
            client.delete(*keys)
