from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import InputError
from include.sources.files import Source
from include.sources.plan import plan_input
from include.sources.rows import Row, Unusable


def source(tmp_path: Path, **columns: pa.Array) -> Source:
    path = tmp_path / "in.parquet"
    pq.write_table(pa.table(columns), path)
    return Source(path, "keyword", "keyword_id")


def test_ids_come_from_their_column_and_nulls_are_blank(tmp_path: Path) -> None:
    rows = source(
        tmp_path, keyword_id=pa.array([7, 9]), keyword=pa.array([" bag ", None]), other=pa.array([1.0, 2.0])
    ).rows()
    assert list(rows) == [Row(7, "bag"), Unusable(9, "blank")]


@pytest.mark.parametrize("id_column", [None, ""])
def test_without_an_id_column_the_position_is_the_number(tmp_path: Path, id_column: str | None) -> None:
    plain = replace(source(tmp_path, keyword=pa.array(["a", "b"])), id_column=id_column)
    assert list(plain.rows()) == [Row(0, "a"), Row(1, "b")]


def test_the_usual_id_column_is_taken_when_none_is_named(tmp_path: Path) -> None:
    columns = {"keyword": pa.array(["a", "b"]), "keyword_id": pa.array([7, 9])}
    assert list(replace(source(tmp_path, **columns), id_column="").rows()) == [Row(7, "a"), Row(9, "b")]


def test_columns_encoded_as_dictionaries_are_read_like_plain_ones(tmp_path: Path) -> None:
    texts = pa.chunked_array([pa.array(["a", None, "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()])
    numbers = pa.array([5, 6, 7, 8]).dictionary_encode()
    found = list(source(tmp_path, keyword=texts, keyword_id=numbers).rows())
    assert found == [Row(5, "a"), Unusable(6, "blank"), Row(7, "b"), Row(8, "c")]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"name": pa.array(["a"])}, r"no column 'keyword'. It has: name \(string\)"),
        ({"keyword": pa.array([1])}, r"column 'keyword' holds int64, but text is needed"),
        ({"keyword": pa.array(["a"])}, r"no column 'keyword_id'. It has: keyword \(string\)"),
        ({"keyword": pa.array(["a"]), "keyword_id": pa.array(["x"])}, "column 'keyword_id' holds string, but integer"),
        ({"keyword": pa.array(["a"]), "keyword_id": pa.array([None], pa.int64())}, "row 0 has no usable 'keyword_id'"),
        ({"keyword": pa.array(["a"]), "keyword_id": pa.array([2**40])}, "Ids go from 0 to 2147483647"),
    ],
)
def test_a_column_that_cannot_be_used_is_named_with_those_there_are(
    tmp_path: Path, columns: dict[str, pa.Array], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        list(source(tmp_path, **columns).rows())


def test_two_texts_with_one_id_are_refused_because_one_would_be_lost(tmp_path: Path) -> None:
    twice = source(tmp_path, keyword=pa.array(["a", "b"]), keyword_id=pa.array([5, 5]))
    with pytest.raises(InputError, match="id 5 stands twice, again at 'b'"):
        plan_input(twice, tmp_path / "input", fingerprint="f" * 64, limit=0, shard_rows=10)


def test_text_that_is_not_utf8_inside_parquet_is_set_aside(tmp_path: Path) -> None:
    raw = pa.array([b"\xed\xa0\x80", b"fine"]).cast(pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    rows = list(replace(source(tmp_path, keyword=broken), id_column=None).rows())
    assert rows == [Unusable(0, "not_utf8", "\\xed\\xa0\\x80"), Row(1, "fine")]


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InputError, match=r"in\.parquet is not a readable Parquet file"):
        list(Source(path, "keyword").rows())
