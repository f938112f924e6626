"""From settings to a connection, and from the driver's errors to ours."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pymysql.err import InterfaceError, OperationalError, ProgrammingError

from include.errors import AccessDenied, EmbsearchError, FatalError, InputError, ServiceUnavailable
from include.mysql.connection import MysqlConnection
from include.mysql.faults import meaning
from include.settings import Settings

pytestmark = pytest.mark.usefixtures("bare_settings")
URL = "mysql://db:3306/music"


def test_both_databases_come_from_the_settings_and_the_password_is_not_shown() -> None:
    settings = Settings(
        mysql_url="mysql://db.example/tunes", mysql_user="reader", mysql_password="s3cret",  # type: ignore[arg-type]
        mysql_owner_user="owner", backup_mysql_url="mysql://[::1]:3307/back",
    )  # fmt: skip
    music, backup = MysqlConnection.from_settings(settings), MysqlConnection.backup(settings)
    assert (music.host, music.port, music.database, music.user) == ("db.example", 3306, "tunes", "reader")
    assert (backup.host, backup.port, backup.database, backup.user) == ("::1", 3307, "back", None)
    assert (music.owned(settings).user, music.owned(settings).password) == ("owner", None)
    assert "s3cret" not in repr(music)
    assert music.arguments()["password"] == "s3cret"


@pytest.mark.parametrize(
    "url", ["http://db/music", "mysql://db", "mysql:///music", "mysql://db:x/music", "mysql://db/a/b"]
)
def test_a_url_that_names_no_database_is_told_with_how_to_write_it(url: str) -> None:
    with pytest.raises(InputError, match=r"EMBSEARCH_MYSQL_URL=.* Write it as mysql://<host>:3306/<database>"):
        MysqlConnection.from_settings(Settings(mysql_url=url))


def test_a_file_that_holds_no_certificates_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    connection = MysqlConnection("db", 3306, "music", ca_certs=tmp_path / "ca.pem")
    with pytest.raises(InputError, match=r"EMBSEARCH_MYSQL_CA_CERTS=.*ca\.pem is no file of certificates"):
        connection.arguments()


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (OperationalError(2003, "Can't connect"), ServiceUnavailable, "make up"),
        (OperationalError(2013, "Lost connection"), ServiceUnavailable, "EMBSEARCH_MYSQL_URL"),
        (OperationalError(1053, "Server shutdown in progress"), ServiceUnavailable, "shutdown"),
        (OperationalError(1205, "Lock wait timeout exceeded"), ServiceUnavailable, "Lock wait"),
        (InterfaceError(0, ""), ServiceUnavailable, "connection is closed"),
        (ConnectionResetError("reset"), ServiceUnavailable, "reset"),
        (OperationalError(1045, "Access denied"), AccessDenied, "EMBSEARCH_MYSQL_USER and EMBSEARCH_MYSQL_PASSWORD"),
        (OperationalError(1142, "SELECT command denied"), AccessDenied, "what this user may do"),
        (ProgrammingError(1146, "Table 'x' doesn't exist"), InputError, "embsearch mysql migrate"),
        (OperationalError(1054, "Unknown column 'y'"), InputError, "EMBSEARCH_MYSQL_…_COLUMN"),
        (OperationalError(1049, "Unknown database 'z'"), InputError, "EMBSEARCH_MYSQL_URL"),
        (OperationalError(1021, "Disk full"), FatalError, "its disk is full"),
        (ProgrammingError(1064, "You have an error in your SQL syntax"), FatalError, "error 1064"),
    ],
)
def test_every_failure_is_of_a_class_and_says_what_to_do(
    error: Exception, kind: type[EmbsearchError], said: str
) -> None:
    meant = meaning(error, URL, "EMBSEARCH_MYSQL", "read tb_x")
    assert type(meant) is kind
    assert str(meant).startswith(f"MySQL at {URL}: cannot read tb_x: ")
    assert said in str(meant)


def test_another_certificate_is_no_outage() -> None:
    error = OperationalError(2003, "Can't connect to MySQL server on 'db' (certificate verify failed)")
    error.original_exception = ssl.SSLCertVerificationError("certificate verify failed")  # type: ignore[attr-defined]
    meant = meaning(error, URL, "EMBSEARCH_MYSQL", "connect")
    assert isinstance(meant, AccessDenied)
    assert "EMBSEARCH_MYSQL_CA_CERTS" in str(meant)
