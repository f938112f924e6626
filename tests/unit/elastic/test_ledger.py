"""What later runs have said of documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from include.elastic import ledger
from include.elastic.document_id import document_id
from include.elastic.ledger import Ledger, key_of
from include.errors import Busy, ContractError, SetupError


def test_an_older_run_learns_which_documents_a_later_one_has_spoken_of(tmp_path: Path) -> None:
    seen = Ledger(tmp_path / "new" / "seen.sqlite3")
    a, b, c = map(key_of, "abc")
    assert seen.newest() is None
    seen.note([a, b], 10)
    seen.note([b], 5)
    seen.note([c], 20)
    assert seen.newer([a, b, c], 9) == {a, b, c}
    assert seen.newer([a, b, c], 10) == {c}
    assert Ledger(tmp_path / "new" / "seen.sqlite3").newest() == 20
    seen.clear()
    assert seen.newer([a, b, c], 0) == set()


@pytest.mark.parametrize("name", ["short", "登" * 171, "lone \ud800", ""], ids=["short", "long", "surrogate", "empty"])
def test_a_document_is_the_same_by_its_name_and_by_its_id_in_the_index(name: str) -> None:
    assert key_of(document_id(name)) == key_of(name)
    assert key_of(name) != key_of(name + "x")


def test_many_are_asked_for_at_once(tmp_path: Path) -> None:
    seen = Ledger(tmp_path / "seen.sqlite3")
    keys = [key_of(str(number)) for number in range(1200)]
    seen.note(keys, 7)
    assert seen.newer(keys, 6) == set(keys)


def test_a_damaged_file_is_named_with_what_to_do_and_what_that_costs(tmp_path: Path) -> None:
    (tmp_path / "seen.sqlite3").write_bytes(b"no database at all" * 100)
    told = r"seen.sqlite3 is damaged: file is not a database. Remove it.* lost is which run .* No document is lost"
    with pytest.raises(ContractError, match=told):
        Ledger(tmp_path / "seen.sqlite3").newest()


def test_a_file_whose_pages_were_spoilt_is_damaged_too(tmp_path: Path) -> None:
    path = tmp_path / "seen.sqlite3"
    Ledger(path).note(map(key_of, map(str, range(2000))), 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(ContractError, match="is damaged: database disk image is malformed. Remove it"):
        Ledger(path).newest()


def test_while_another_run_writes_for_long_it_is_busy_and_nobody_is_told_to_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "BUSY_SECONDS", 0.0)
    path = tmp_path / "seen.sqlite3"
    Ledger(path).note([key_of("a")], 1)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Busy, match=r"seen.sqlite3: database is locked\. Another run has been writing") as told:
            Ledger(path).note([key_of("b")], 2)
        assert "emove" not in str(told.value)
    Ledger(path).note([key_of("b")], 2)
    assert Ledger(path).newest() == 2


def read_only(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA query_only = ON")


def full(database: sqlite3.Connection) -> None:
    (pages,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {pages}")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(read_only, "attempt to write a readonly database"), (full, "database or disk is full")],
    ids=["read only", "full"],
)
def test_a_full_disk_and_a_file_that_cannot_be_written_are_the_machine_s_and_leave_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[sqlite3.Connection], None], why: str
) -> None:
    """SQLite itself refuses: as root, under whom tests may run, no right keeps anybody from writing."""
    path = tmp_path / "seen.sqlite3"
    Ledger(path).note([key_of("a")], 1)
    connect = sqlite3.connect

    def spoilt(*arguments: Any, **named: Any) -> sqlite3.Connection:
        database = connect(*arguments, **named)
        spoil(database)
        return database

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", spoilt)
        with pytest.raises(SetupError, match=rf"seen.sqlite3 cannot be used: {why}. Look at the space") as told:
            Ledger(path).note(map(key_of, map(str, range(2000))), 2)
    assert "emove" not in str(told.value)
    assert Ledger(path).newest() == 1


@pytest.mark.parametrize("place", ["folder", "below a file"])
def test_a_file_that_cannot_be_opened_is_the_machine_s(tmp_path: Path, place: str) -> None:
    path = tmp_path / "seen.sqlite3"
    path.mkdir()
    if place == "below a file":
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "seen.sqlite3"
    with pytest.raises(SetupError, match="seen.sqlite3 cannot be used: (unable to open|Not a directory|File exists)"):
        Ledger(path).newest()
