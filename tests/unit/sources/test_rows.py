from pathlib import Path

import pytest

from include.errors import InputError
from include.sources.rows import MAX_TEXT_BYTES, Row, Unusable, read_text


def read(tmp_path: Path, data: bytes) -> list[Row | Unusable]:
    path = tmp_path / "in.txt"
    path.write_bytes(data)
    return list(read_text(path))


def test_bom_crlf_and_a_missing_last_line_end_change_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfone\r\n two \r\nthree") == [Row(0, "one"), Row(1, "two"), Row(2, "three")]


def test_blank_lines_keep_the_numbers_of_the_others(tmp_path: Path) -> None:
    assert read(tmp_path, "a\n\n \t　\nb\n".encode()) == [
        Row(0, "a"), Unusable(1, "blank"), Unusable(2, "blank"), Row(3, "b"),
    ]  # fmt: skip


def test_emoji_control_characters_and_nul_inside_a_name_are_kept(tmp_path: Path) -> None:
    assert read(tmp_path, "🎒 bag\na\x00b\x07c\n".encode()) == [Row(0, "🎒 bag"), Row(1, "a\x00b\x07c")]


@pytest.mark.parametrize("raw", [b"\xff\xfeabc"[2:] + b"\xe9", b"\xed\xa0\x80", b"\x83\x89"])
def test_a_line_that_is_not_utf8_is_set_aside_readably(tmp_path: Path, raw: bytes) -> None:
    rows = read(tmp_path, b"good\n" + raw + b"\ngood too\n")
    assert rows[1] == Unusable(1, "not_utf8", raw.decode("utf-8", "backslashreplace"))
    assert [rows[0], rows[2]] == [Row(0, "good"), Row(2, "good too")]


def test_names_of_ten_thousand_characters_are_taken(tmp_path: Path) -> None:
    assert read(tmp_path, ("長" * 10_000 + "\nb\n").encode()) == [Row(0, "長" * 10_000), Row(1, "b")]


def test_an_endless_line_is_one_dead_row_and_not_a_full_memory(tmp_path: Path) -> None:
    rows = read(tmp_path, b"x" * (5 * MAX_TEXT_BYTES) + b"\nafter\n")
    assert [type(row) for row in rows] == [Unusable, Row]
    assert rows[0] == Unusable(0, "too_long", "x" * 200)
    assert rows[1] == Row(1, "after")


def test_another_encoding_is_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is UTF-16LE, not UTF-8.*iconv -f UTF-16LE -t UTF-8"):
        read(tmp_path, "product\n".encode("utf-16"))
