"""The drawn pictures and the names by which V1 knows them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from include.errors import InputError
from include.images.defects import DEFECTS
from include.images.first_version import file_rows, id_of
from include.images.generator import drawings
from include.images.parameters import asked_types
from include.images.textures import PRODUCTS, picture_of


def test_products_and_defects_come_in_turn_and_a_fifth_is_normal() -> None:
    drawn = list(drawings(400))
    assert len({each.name for each in drawn}) == 400
    assert Counter(each.image_type for each in drawn) == {"defect": 320, "normal": 80}
    assert set(Counter(each.product.code for each in drawn).values()) == {50}
    assert {each.name for each in drawn}.isdisjoint(each.name for each in drawings(400, first=10))


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.code)
@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.code)
def test_a_defect_shows_on_every_product(product, defect) -> None:  # type: ignore[no-untyped-def]
    picture = picture_of(product, 64, np.random.default_rng(1))
    spoilt = np.clip(defect.draw(picture.copy(), np.random.default_rng(2)), 0, 255)
    assert picture.shape == spoilt.shape == (64, 64, 3)
    assert 0 <= picture.min() <= picture.max() <= 255
    changed = (np.abs(spoilt - picture).max(axis=2) > 20).mean()
    assert 0.005 < changed < 0.6, "it is seen, and the product as well"


def test_files_are_known_by_their_names_alone(tmp_path: Path) -> None:
    names = ["oak_scratch_1.jpg", "oak_normal_1.JPG", "oak_dent.jpeg", "oak.jpg", "oak_dent_1.png", "a_b_c_d.jpg"]
    for name in names:
        (tmp_path / name).touch()
    rows = [row for page in file_rows(tmp_path, "defect", page_rows=2) for row in page]
    assert sorted((row.product_code, row.defect_code) for row in rows) == [
        ("a", "b"),
        ("oak", "dent"),
        ("oak", "scratch"),
    ]
    assert [row.image_id for row in rows] == sorted(id_of(Path(row.local_path or "").name) for row in rows)
    assert all(0 <= row.image_id < 2**63 for row in rows)
    ((normal,),) = file_rows(tmp_path, "normal", page_rows=2)
    assert (normal.defect_code, normal.defect_name) == ("normal", "정상")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="EMBSEARCH_IMAGES_V1_DIR"):
        list(file_rows(tmp_path / "none", "defect", page_rows=2))


def test_all_means_both_types() -> None:
    assert (asked_types("all"), asked_types("normal")) == (["normal", "defect"], ["normal"])
