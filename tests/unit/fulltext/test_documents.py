"""Documents from files."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import InputError
from include.fulltext import parquet_documents
from include.fulltext.documents import Columns, Found, SetAside, SourceDocument, clean
from include.fulltext.files import read_file
from include.fulltext.reading import read_documents

MAX_BYTES = 1000


def read(path: Path, **columns: str) -> list[Found]:
    return list(read_documents(path, Columns(**columns), max_bytes=MAX_BYTES))


def only(path: Path) -> SourceDocument:
    (found,) = read(path)
    assert isinstance(found, SourceDocument), found
    return found


def reasons(found: list[Found]) -> list[tuple[str, str]]:
    return [(one.id, one.reason) for one in found if isinstance(one, SetAside)]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_folder_gives_its_documents_by_path_and_counts_what_it_passes_over(tmp_path: Path) -> None:
    write(tmp_path, "ja/tent.md", "# テント\n\n二人用。")
    write(tmp_path, "en/tent.txt", "For two.")
    write(tmp_path, "en/photo.png", b"\x89PNG")
    write(tmp_path, ".git/notes.md", "# hidden")
    found = read(tmp_path)
    assert [(one.id, one.title, one.text.strip()) for one in found if isinstance(one, SourceDocument)] == [
        ("en/tent.txt", "tent", "For two."),
        ("ja/tent.md", "テント", "二人用。"),
    ]
    assert reasons(found) == [(".git", "hidden"), ("en/photo.png", "other_ending")]


def test_markdown_may_say_more_of_itself_at_its_head(tmp_path: Path) -> None:
    path = write(tmp_path, "a.md", "---\nid: tent-1\nchat_id: 7\nday: 2026-01-02\n---\n# Tent #\n\nText")
    found = only(path)
    assert (found.id, found.title, found.text.strip()) == ("tent-1", "Tent", "Text")
    assert found.metadata == {"source": "a.md", "chat_id": 7, "day": "2026-01-02"}


def test_a_page_of_html_is_what_its_readers_see(tmp_path: Path) -> None:
    page = """<!doctype html><html><head><title>A &amp; B</title><style>p {color: red}</style>
    <script>if (1 < 2) { alert("<p>no</p>") }</script></head>
    <body><h1>Head</h1><p>One <b>wo</b>rd &lt;x&gt;<br>next</p><ul><li>a<li>b</ul><script src=x /></script>
    <p>end"""
    found = only(write(tmp_path, "a.html", page))
    assert found.title == "A & B"
    assert found.text.split("\n") == ["Head", "One word <x>", "next", "a", "b", "end"]


def test_html_without_a_title_takes_its_first_heading(tmp_path: Path) -> None:
    found = only(write(tmp_path, "a.htm", "<h1>One <i>two</i></h1><h1>Other</h1>"))
    assert (found.title, found.text) == ("One two", "One two\nOther")


def test_json_is_a_document_or_a_list_of_them(tmp_path: Path) -> None:
    one: dict[str, Any] = {"id": 5, "title": "T", "parts": ["a", "b"], "metadata": {"chat_id": "c"}}
    path = write(tmp_path, "a.json", json.dumps([one, {"id": "x", "content": "c"}, {"text": "no id"}, "words"]))
    first, second, *rest = read(path)
    assert first == SourceDocument("5", "T", "a\n\nb", {"source": "a.json#0", "chat_id": "c"})
    assert isinstance(second, SourceDocument)
    assert second.text == "c"
    assert [reason for _, reason in reasons(rest)] == ["no_id", "not_a_document"]


def test_a_broken_line_of_jsonl_takes_no_other_with_it(tmp_path: Path) -> None:
    lines = [
        b'{"id": "a", "text": "A"}',
        b"{",
        b"",
        b'\xff{"id": 1}',
        b'{"id":"long","text":"' + b"x" * 9000 + b'"}',
        b'{"id":"b"}',
    ]
    found = read(write(tmp_path, "a.jsonl", b"\n".join(lines)))
    assert [one.id for one in found if isinstance(one, SourceDocument)] == ["a", "b"]
    assert reasons(found) == [("a.jsonl#1", "not_json"), ("a.jsonl#3", "not_utf8"), ("a.jsonl#4", "too_large")]


def test_what_cannot_be_read_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path, "latin.txt", "café".encode("latin-1"))
    write(tmp_path, "utf16.txt", "text".encode("utf-16"))
    write(tmp_path, "large.txt", "x" * (MAX_BYTES + 1))
    write(tmp_path, "head.md", "---\n: [\n---\ntext")
    write(tmp_path, "meta.json", '{"id": "m", "text": "t", "metadata": {"chat_id": [1]}}')
    write(tmp_path, "name.json", '{"id": "n", "text": "t", "metadata": {"": 1}}')
    write(tmp_path, "text.json", '{"id": "t", "text": 5}')
    assert dict(reasons(read(tmp_path))) == {
        "latin.txt": "not_utf8",
        "utf16.txt": "not_utf8",
        "large.txt": "too_large",
        "head.md": "bad_metadata",
        "m": "bad_metadata",
        "n": "bad_metadata",
        "t": "not_text",
    }


def test_control_characters_and_lone_surrogates_are_replaced_in_place() -> None:
    assert clean("a\x00b\x1bc\td\r\ne\rf\ud800g\x85") == "a b c\td\ne\nf\ufffdg "


def test_lone_surrogates_of_json_spoil_neither_title_nor_metadata(tmp_path: Path) -> None:
    path = write(
        tmp_path, "a.json", r'{"id": "a\ud800", "title": "t\udfff", "text": "x", "metadata": {"k": ["\ud800"]}}'
    )
    found = only(path)
    assert (found.id, found.title, found.metadata["k"]) == ("a\ufffd", "t\ufffd", ["\ufffd"])


def test_parquet_has_the_columns_that_are_named(tmp_path: Path) -> None:
    table = pa.table(
        {
            "doc": ["a", "b", None],
            "title": ["A", None, "C"],
            "body": ["x", "y", "z"],
            "metadata": ['{"chat_id": 1}', None, "{"],
        }
    )
    path = tmp_path / "a.parquet"
    pq.write_table(table, path)
    found = read(path, id="doc", text="body")
    assert found[:2] == [
        SourceDocument("a", "A", "x", {"source": "a.parquet#0", "chat_id": 1}),
        SourceDocument("b", "", "y", {"source": "a.parquet#1"}),
    ]
    with pytest.raises(InputError, match=r"has no column 'text'. It has: doc, title, body, metadata"):
        read(path, id="doc")


def test_metadata_of_parquet_may_be_a_struct_or_a_map(tmp_path: Path) -> None:
    pairs = pa.array([[("chat_id", "m")]], pa.map_(pa.string(), pa.string()))
    for name, column in (("struct", pa.array([{"chat_id": "m", "none": None}])), ("map", pairs)):
        pq.write_table(pa.table({"id": ["a"], "text": ["x"], "metadata": column}), tmp_path / f"{name}.parquet")
        assert only(tmp_path / f"{name}.parquet").metadata == {"source": f"{name}.parquet#0", "chat_id": "m"}


def test_metadata_are_what_json_gives_back_whatever_parquet_has(tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        "day": date(2026, 1, 2), "moment": datetime(2026, 1, 2, 3, tzinfo=UTC), "price": Decimal("1.50"),
        "raw": b"x\xff", "rating": float("nan"),
    }  # fmt: skip
    table = pa.table({"id": ["a"], "text": ["x"], "metadata": pa.array([odd])})
    pq.write_table(table, tmp_path / "a.parquet")
    found = dict(only(tmp_path / "a.parquet").metadata)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found == {
        "source": "a.parquet#0", "day": "2026-01-02", "moment": "2026-01-02T03:00:00+00:00", "price": "1.50",
        "raw": "x\ufffd", "rating": None,
    }  # fmt: skip


def test_no_number_is_nothing_in_json_and_markdown_too(tmp_path: Path) -> None:
    write(tmp_path, "a.json", '{"id": "a", "text": "t", "metadata": {"x": NaN, "y": [Infinity, 1.5]}}')
    write(tmp_path, "b.md", "---\nx: .nan\ndays: {2026-01-02: rain}\n---\nt")
    a, b = (one.metadata for one in read(tmp_path) if isinstance(one, SourceDocument))
    assert a == {"source": "a.json", "x": None, "y": [None, 1.5]}
    assert b == {"source": "b.md", "x": None, "days": {"2026-01-02": "rain"}}


def test_no_metadata_whatever_they_are_keep_other_documents_from_being_read(tmp_path: Path) -> None:
    deep = "[" * 400 + "]" * 400
    write(tmp_path, "alias.md", "---\na: &a [x]\nb: [*a, *a]\n---\ntext")
    write(tmp_path, "day.md", "---\nday: 2026-02-30\n---\ntext")
    write(tmp_path, "deep.md", f"---\na: {deep}\n---\ntext")
    write(tmp_path, "deep.json", f'{{"id": "deep", "text": "t", "metadata": {{"a": {deep}}}}}')
    write(tmp_path, "good.txt", "good")
    lists = pa.table({"id": ["tags", "pairs"], "text": ["x", "y"], "metadata": [["tag"], ["ab", "cd"]]})
    pq.write_table(lists, tmp_path / "lists.parquet")
    found = read(tmp_path)
    assert [one.id for one in found if isinstance(one, SourceDocument)] == ["good.txt"]
    wanted = {"alias.md", "day.md", "deep.md", "deep", "tags", "pairs"}
    assert dict(reasons(found)) == dict.fromkeys(wanted, "bad_metadata")


def test_an_empty_text_does_not_hide_the_content_beside_it(tmp_path: Path) -> None:
    assert only(write(tmp_path, "a.json", '{"id": "a", "text": "", "content": "real"}')).text == "real"


def test_lines_that_cannot_be_opened_are_set_aside(tmp_path: Path) -> None:
    (one,) = read_file(tmp_path / "gone.jsonl", "gone.jsonl", Columns(), max_bytes=MAX_BYTES)
    assert isinstance(one, SetAside)
    assert (one.reason, one.identified) == ("not_readable", False)


def test_a_file_that_may_name_itself_and_cannot_be_read_may_be_any_document(tmp_path: Path) -> None:
    write(tmp_path, "a.md", b"---\nid: tent-1\n---\n\xff")
    write(tmp_path, "b.txt", b"\xff")
    found = read(tmp_path)
    assert [(one.id, one.identified) for one in found if isinstance(one, SetAside)] == [
        ("a.md", False), ("b.txt", True),
    ]  # fmt: skip


def test_a_folder_without_documents_and_a_path_without_anything_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no document: no file ends in .txt, .md"):
        read(tmp_path)
    with pytest.raises(InputError, match="do not exist"):
        read(tmp_path / "nothing")
    with pytest.raises(InputError, match="is no document: its name must end in"):
        read(write(tmp_path, "a.pdf", "x"))
    with pytest.raises(InputError, match="is not a readable Parquet file"):
        read(write(tmp_path, "a.parquet", "x"))


@pytest.mark.parametrize("key", ["chat_id.x", "source.page", "chat_id.x.y"])
def test_metadata_below_a_key_that_is_one_value_are_told_at_reading(tmp_path: Path, key: str) -> None:
    path = write(tmp_path, "a.json", json.dumps({"id": "a", "text": "x", "metadata": {key: 1}}))
    (found,) = read(path)
    assert isinstance(found, SetAside)
    assert (found.id, found.reason) == ("a", "bad_metadata")
    assert f"{key!r} cannot name metadata: {key.split('.', maxsplit=1)[0]} is one value" in found.detail
    other = {"id": "a", "text": "x", "metadata": {"chat_id": 7, "chat_ids.x": 1}}
    assert only(write(tmp_path, "a.json", json.dumps(other))).metadata["chat_ids.x"] == 1


def test_large_rows_of_parquet_come_a_few_at_a_time_even_where_a_repeated_text_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_documents, "BATCH_BYTES", 100_000)
    sizes: list[int] = []
    batches = parquet_documents._rows

    def measured(batch: pa.RecordBatch) -> Any:
        sizes.append(batch.nbytes)
        return batches(batch)

    monkeypatch.setattr(parquet_documents, "_rows", measured)
    texts = ["same " * 10_000] * 50 + [f"{number} " * 20_000 for number in range(5)] + ["short"] * 500
    table = pa.table({"id": list(map(str, range(len(texts)))), "text": texts})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=55)
    found = read(tmp_path / "a.parquet")
    assert [(one.id, one.text) for one in found if isinstance(one, SourceDocument)] == list(
        zip(table["id"].to_pylist(), texts, strict=True)
    )
    assert [one.metadata["source"] for one in found[-2:] if isinstance(one, SourceDocument)] == [
        "a.parquet#553", "a.parquet#554",
    ]  # fmt: skip
    assert max(sizes) < 150_000  # one row, the longest
    assert len(sizes) < 100  # the short ones come together
