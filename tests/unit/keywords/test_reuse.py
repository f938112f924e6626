from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from include.generations.vectors import to_column
from include.keywords.reuse import KnownVectors
from include.sources.plan import text_hash


def part(path: Path, texts: list[str], first: float) -> Path:
    vectors = np.arange(first, first + len(texts), dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    hashes = pa.array([text_hash(text) for text in texts], pa.binary(16))
    pq.write_table(pa.table({"text_hash": hashes, "vector": to_column(vectors)}), path)
    return path


def test_known_texts_get_their_vectors_wherever_they_stood_and_others_are_left_alone(tmp_path: Path) -> None:
    known = KnownVectors([part(tmp_path / "0", ["a", "b"], 10), part(tmp_path / "1", ["c", "d"], 20)])
    assert len(known) == 4
    into = np.full((5, 4), -1, np.float32)
    found = known.fill([text_hash(text) for text in ("d", "new", "a", "c", "A")], into)
    assert found.tolist() == [True, False, True, True, False]
    assert into[:, 0].tolist() == [21, -1, 10, 20, -1]
    assert (into == into[:, :1]).all()


def test_nothing_is_known_without_an_earlier_build() -> None:
    into = np.zeros((1, 4), np.float32)
    assert KnownVectors([]).fill([text_hash("a")], into).tolist() == [False]
