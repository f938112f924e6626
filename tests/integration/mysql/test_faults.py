"""A server that goes away and comes back loses no row and gives none twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from include.errors import AccessDenied, ServiceUnavailable
from include.mysql.connection import MysqlConnection, Session
from tests.integration.certificates import make_certificates
from tests.integration.elasticsearch_server import open_folder
from tests.integration.mariadb_server import MariadbDatabase, MariadbServer
from tests.integration.mysql.conftest import Table

Result = TypeVar("Result")

AWAY_SECONDS = 0.5
ROWS = list(range(1, 100, 3))


def while_away(server: MariadbServer, work: Callable[[], Result]) -> Result:
    """What ``work`` gives, for which the server is away at first.

    It works in a thread: a server ends with the thread that started it.
    """
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        time.sleep(AWAY_SECONDS)
        server.start()
        return working.result()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_paging_goes_on_where_it_was_when_the_server_is_back(table: Table, how: str) -> None:
    table.add(ROWS)
    server = table.database.server
    with table.open() as opened:
        pages = opened.pages()
        found = [next(pages), next(pages)]
        getattr(server, how)()
        found += while_away(server, lambda: list(pages))
        getattr(server, how)()
        assert while_away(server, opened.live_ids).tolist() == ROWS
    assert [int(number) for page in found for number in page.rows.ids] == ROWS


def test_a_question_that_was_under_way_is_asked_again(table: Table) -> None:
    server = table.database.server
    with table.open() as opened:
        killer = threading.Timer(0.3, server.kill)
        killer.start()
        answer = while_away(server, lambda: opened.session.ask("SELECT SLEEP(1), 7", of="nothing"))
        killer.join()
    assert answer == ((0, 7),)


def test_a_connection_that_an_administrator_ended_is_opened_anew_as_it_was(table: Table) -> None:
    table.add(ROWS)
    with table.open() as opened:
        ((own,),) = opened.session.ask("SELECT CONNECTION_ID()", of="nothing")
        with Session(opened.session.connection) as other:
            other.tell(f"KILL {int(own)}", of="nothing")
        assert opened.live_ids().tolist() == ROWS
        ((size,),) = opened.session.ask("SELECT @@group_concat_max_len", of="nothing")
        assert size == 4 << 20


def test_a_server_that_stays_away_is_given_up(table: Table, caplog: pytest.LogCaptureFixture) -> None:
    server = table.database.server
    with Session(MysqlConnection.from_settings(table.database.settings()), retry_seconds=1.0) as session:
        server.stop()
        try:
            with pytest.raises(ServiceUnavailable, match=r"cannot read tb_x: .*Start it"):
                session.ask("SELECT 1", of="tb_x")
        finally:
            server.start()
        assert session.ask("SELECT 1", of="tb_x") == ((1,),)
    assert len([message for message in caplog.messages if "Trying again until it is over" in message]) == 1


def test_what_is_written_is_not_written_again(table: Table) -> None:
    server = table.database.server
    connection = MysqlConnection.from_settings(table.database.settings()).owned(table.database.settings())
    with Session(connection) as session:
        server.stop()
        server.start()
        with pytest.raises(ServiceUnavailable):
            session.tell("CREATE TABLE once (a INT)", of="once")
        assert session.tell("CREATE TABLE once (a INT)", of="once") == 0


def test_with_a_file_of_certificates_only_the_server_that_they_signed_is_talked_to(
    mariadb_distribution: Path, tmp_path: Path, database: MariadbDatabase
) -> None:
    right, wrong = make_certificates(tmp_path / "right"), make_certificates(tmp_path / "wrong")
    with open_folder() as folder:
        for name in ("certificate", "key"):
            (folder / name).write_bytes(getattr(right, name).read_bytes())
            (folder / name).chmod(0o644)
        tls = ("--ssl=1", f"--ssl-cert={folder / 'certificate'}", f"--ssl-key={folder / 'key'}")
        with MariadbServer.at(folder, mariadb_distribution, *tls).running() as server, server.database("tls") as own:
            connection = MysqlConnection.from_settings(own.settings(mysql_ca_certs=right.authority))
            with Session(connection) as session:
                ((_, cipher),) = session.ask("SHOW STATUS LIKE 'Ssl_cipher'", of="TLS")
                assert cipher
            with pytest.raises(AccessDenied, match="EMBSEARCH_MYSQL_CA_CERTS"):
                Session(MysqlConnection.from_settings(own.settings(mysql_ca_certs=wrong.authority)))
    without_tls = database.settings(mysql_ca_certs=right.authority)
    with pytest.raises(AccessDenied, match="SSL is required but the server doesn't support it"):
        Session(MysqlConnection.from_settings(without_tls))
