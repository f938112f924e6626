"""The songs of each radio programme, from the backup MySQL."""

from __future__ import annotations

import logging

from include.mysql.columns import check_table, quoted
from include.mysql.connection import READ_ONLY, MysqlConnection, Session
from include.settings import Settings

log = logging.getLogger(__name__)


def playlist_table(programme: str) -> str:
    """The table with a programme's songs: ``tb_song_<programme>_m``.

    Raises:
        InputError: the programme's name cannot be part of a table's.
    """
    quoted(f"tb_song_{programme}_m")
    return f"tb_song_{programme}_m"


class PlaylistTables:
    """The tables of the programmes' songs; use it as a context manager.

    Raises:
        ServiceUnavailable: the server does not answer.
        AccessDenied: it refuses the login or the right.
    """

    def __init__(self, settings: Settings) -> None:
        connection = MysqlConnection.backup(settings)
        self._url = connection.url
        self._session = Session(connection, prepare=[READ_ONLY])
        self._id = settings.backup_mysql_id_column
        self._song = settings.backup_mysql_song_column
        self._deleted = settings.backup_mysql_deleted_column
        self._page_rows = settings.mysql_page_rows

    def __enter__(self) -> PlaylistTables:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._session.close()

    def songs_of(self, programme: str) -> list[str]:
        """The live songs of ``programme``, each once, in the order of their rows.

        Raises:
            InputError: there is no such table or column.
        """
        table = playlist_table(programme)
        prefix = "EMBSEARCH_BACKUP_MYSQL"
        columns = {self._id: f"{prefix}_ID_COLUMN", self._song: f"{prefix}_SONG_COLUMN"}
        check_table(self._session, table, {**columns, self._deleted: f"{prefix}_DELETED_COLUMN"})
        live = f"{quoted(self._deleted)} IS NULL" if self._deleted else "TRUE"
        number, song = quoted(self._id), quoted(self._song)
        statement = f"SELECT {number}, {song} FROM {quoted(table)} WHERE {live}"
        songs: dict[str, None] = {}
        rows = self._session.ask(f"{statement} ORDER BY {number} LIMIT {self._page_rows}", of=table)
        while rows:
            for at, name in rows:
                if name is None:
                    log.warning("%s: row %s of %s names no song and is left out", self._url, at, table)
                else:
                    songs[str(name)] = None
            after = f"{statement} AND {number} > %s ORDER BY {number} LIMIT {self._page_rows}"
            rows = self._session.ask(after, (rows[-1][0],), of=table)
        return list(songs)
