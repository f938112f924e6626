"""``metadata.json``, ``sources.json`` and what is known of earlier builds, as files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ContractError
from include.faiss_index.storage import FileDigest
from include.images.collect import collecting_folder, forget, remains
from include.images.collected import CollectedWriter
from include.images.known import Known, first_found
from include.images.metadata import METADATA, Metadata, line_of, write_metadata
from include.images.row import ImageRow
from include.images.sources import Sources


def row(number: int, name: str = "Oak board") -> ImageRow:
    return ImageRow(number, f"/images/{number}.jpg", None, "oak", name, "dent", "찍힘", "defect")


@given(names=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=6))
def test_any_text_comes_back_as_it_was_and_the_file_is_plain_json(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("metadata")
    wanted = [row(number, name).metadata() for number, name in enumerate(names)]
    digest = write_metadata(folder, map(line_of, wanted))
    found = Metadata.read(folder, len(wanted))
    assert [found.of(number) for number in range(len(found))] == wanted
    assert json.loads((folder / METADATA).read_text("utf-8")) == wanted
    assert FileDigest.of(folder / METADATA) == digest


def test_a_file_with_other_rows_than_the_index_is_refused(tmp_path: Path) -> None:
    write_metadata(tmp_path, [line_of(row(1).metadata())])
    with pytest.raises(ContractError, match="has 1 images, the index 2"):
        Metadata.read(tmp_path, 2)
    with pytest.raises(ContractError):
        Metadata.read(tmp_path / "none", 2)


def test_sources_come_back_and_damage_is_told(tmp_path: Path) -> None:
    Sources("clip_image", "f" * 64, ["a", "b"]).write(tmp_path)
    assert Sources.read(tmp_path) == Sources("clip_image", "f" * 64, ["a", "b"])
    (tmp_path / "sources.json").write_text('{"model": 1}')
    with pytest.raises(ContractError, match="is damaged"):
        Sources.read(tmp_path)


def collected(folder: Path, numbers: list[int]) -> None:
    with CollectedWriter.open(folder, 2) as writer:
        vectors = [np.array([number, 1], np.float32) for number in numbers]
        writer.add([row(number) for number in numbers], [f"mark {number}" for number in numbers], vectors)


def test_what_was_collected_is_found_by_id_and_mark_alone(tmp_path: Path) -> None:
    collected(tmp_path, [3, 5, 9])
    known = Known.of_remains(tmp_path, 2)
    assert known is not None
    np.testing.assert_array_equal(known.find(5, "mark 5"), [5, 1])
    assert known.find(5, "mark 6") is None
    assert known.find(6, "mark 6") is None
    assert known.find(99, "mark 99") is None
    assert first_found([known], 9, "mark 9") is not None


@pytest.mark.parametrize("cut", ["vectors.f32", "marks.txt"])
def test_of_rows_that_were_cut_off_only_the_whole_ones_count(tmp_path: Path, cut: str) -> None:
    collected(tmp_path, [3, 5, 9])
    path = tmp_path / cut
    path.write_bytes(path.read_bytes()[:-2])
    known = Known.of_remains(tmp_path, 2)
    assert known is not None
    assert known.ids.tolist() == [3, 5]
    np.testing.assert_array_equal(known.vectors, [[3, 1], [5, 1]])


def test_a_folder_without_rows_is_of_no_use(tmp_path: Path) -> None:
    assert Known.of_remains(tmp_path / "none", 2) is None
    collected(tmp_path, [])
    assert Known.of_remains(tmp_path, 2) is None


def test_each_build_collects_in_a_folder_behind_those_that_were_left(tmp_path: Path) -> None:
    folders = [collecting_folder(tmp_path) for _ in range(11)]
    assert remains(tmp_path) == folders
    forget(tmp_path)
    assert remains(tmp_path) == []
