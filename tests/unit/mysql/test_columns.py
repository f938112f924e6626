"""Names and times in statements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from include.errors import InputError
from include.mysql.columns import EmbeddingColumns, quoted, set_time_zone
from include.settings import Settings, get_settings

pytestmark = pytest.mark.usefixtures("bare_settings")


@pytest.mark.parametrize("name", ["", "a`b", "a b", "a;b", "é", "a" * 65, "a\n"])
def test_a_name_that_could_be_more_than_a_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot name a table or a column"):
        quoted(name)


def test_settings_refuse_such_names_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBSEARCH_MYSQL_ID_COLUMN", "idx` OR 1=1")
    with pytest.raises(InputError, match="EMBSEARCH_MYSQL_ID_COLUMN=.* cannot be used"):
        get_settings()


def test_an_unknown_time_zone_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBSEARCH_MYSQL_TIME_ZONE", "Asia/Soul")
    with pytest.raises(InputError, match=r"EMBSEARCH_MYSQL_TIME_ZONE=Asia/Soul cannot be used: .*such as UTC or Asia"):
        get_settings()


def test_moments_are_written_in_the_zone_of_the_columns_and_read_back() -> None:
    columns = EmbeddingColumns(zone=ZoneInfo("Asia/Seoul"))
    moment = datetime(2026, 11, 21, 16, 58, tzinfo=timezone(timedelta(hours=9)))
    assert columns.stored(moment.astimezone(UTC)) == datetime(2026, 11, 21, 16, 58)  # noqa: DTZ001
    assert columns.moment(columns.stored(moment)) == moment


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="has no time zone"):
        EmbeddingColumns().stored(datetime(2026, 11, 21))  # noqa: DTZ001


def test_creation_stands_in_for_change_where_there_is_no_such_column() -> None:
    assert EmbeddingColumns.of(Settings()).changed == "updated_at"
    assert EmbeddingColumns.of(Settings(mysql_updated_column="")).changed == "created_at"
    neither = EmbeddingColumns.of(Settings(mysql_updated_column="", mysql_created_column=""))
    assert neither.before(datetime.now(UTC)) == ("TRUE", [])


@pytest.mark.parametrize(
    ("zone", "statements"),
    [
        ("UTC", ["SET time_zone = '+00:00'"]),
        ("Asia/Seoul", ["SET time_zone = '+09:00'"]),
        ("Asia/Kathmandu", ["SET time_zone = '+05:45'"]),
        ("America/Bogota", ["SET time_zone = '-05:00'"]),
        ("Europe/Berlin", []),
    ],
)
def test_the_server_is_told_the_zone_where_it_is_always_the_same(zone: str, statements: list[str]) -> None:
    assert set_time_zone(ZoneInfo(zone)) == statements
