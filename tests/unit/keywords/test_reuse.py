import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.generations.vectors import to_column
from include.keywords.reuse import KnownVectors
from include.sources.plan import text_digest


def part(path: Path, texts: list[str], first: float) -> Path:
    vectors = np.arange(first, first + len(texts), dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    hashes = pa.array([text_digest(text) for text in texts], pa.binary(16))
    pq.write_table(pa.table({"text_hash": hashes, "vector": to_column(vectors)}), path)
    return path


def test_known_texts_get_their_vectors_wherever_they_stood_and_others_are_left_alone(tmp_path: Path) -> None:
    known = KnownVectors([part(tmp_path / "0", ["a", "b"], 10), part(tmp_path / "1", ["c", "d"], 20)], scratch=tmp_path)
    assert len(known) == 4
    into = np.full((5, 4), -1, np.float32)
    found = known.fill([text_digest(text) for text in ("d", "new", "a", "c", "A")], into)
    assert found.tolist() == [True, False, True, True, False]
    assert into[:, 0].tolist() == [21, -1, 10, 20, -1]
    assert (into == into[:, :1]).all()


def test_each_part_is_read_once_however_the_texts_are_shuffled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [str(number) for number in range(400)]
    parts = [part(tmp_path / str(first), texts[first : first + 20], first) for first in range(0, 400, 20)]
    read: list[Path] = []

    def read_table(path: Path, **options: Any) -> pa.Table:
        read.append(path)
        return pq.read_table(path, **options)

    monkeypatch.setattr("include.keywords.reuse.pq", SimpleNamespace(read_table=read_table))
    known = KnownVectors(parts, scratch=tmp_path)
    order = random.Random(0).sample(range(400), 400)
    for start in range(0, 400, 20):
        shard = order[start : start + 20]
        into = np.empty((20, 4), np.float32)
        assert known.fill([text_digest(texts[row]) for row in shard], into).all()
        assert into[:, 3].tolist() == shard
    assert read == parts
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in parts}  # no file is left behind


def test_nothing_is_known_without_an_earlier_build(tmp_path: Path) -> None:
    into = np.zeros((1, 4), np.float32)
    assert KnownVectors([], scratch=tmp_path).fill([text_digest("a")], into).tolist() == [False]
