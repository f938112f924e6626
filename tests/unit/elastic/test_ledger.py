"""What later runs have said of documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.elastic.document_id import document_id
from include.elastic.ledger import Ledger, key_of
from include.errors import ContractError


def test_an_older_run_learns_which_documents_a_later_one_has_spoken_of(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new" / "seen.sqlite3")
    a, b, c = map(key_of, "abc")
    assert ledger.newest() is None
    ledger.note([a, b], 10)
    ledger.note([b], 5)
    ledger.note([c], 20)
    assert ledger.newer([a, b, c], 9) == {a, b, c}
    assert ledger.newer([a, b, c], 10) == {c}
    assert Ledger(tmp_path / "new" / "seen.sqlite3").newest() == 20
    ledger.clear()
    assert ledger.newer([a, b, c], 0) == set()


@pytest.mark.parametrize("name", ["short", "登" * 171, "lone \ud800", ""], ids=["short", "long", "surrogate", "empty"])
def test_a_document_is_the_same_by_its_name_and_by_its_id_in_the_index(name: str) -> None:
    assert key_of(document_id(name)) == key_of(name)
    assert key_of(name) != key_of(name + "x")


def test_many_are_asked_for_at_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "seen.sqlite3")
    keys = [key_of(str(number)) for number in range(1200)]
    ledger.note(keys, 7)
    assert ledger.newer(keys, 6) == set(keys)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "seen.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(ContractError, match=r"seen.sqlite3: file is not a database. If it is damaged, remove it"):
        Ledger(tmp_path / "seen.sqlite3").newest()
