"""The served index, followed while it changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from include.errors import ContractError, InputError
from include.images.index import OtherModelNow
from include.images.search import search_image
from include.images.served_models import image_fingerprints
from tests.integration.images.gallery import Gallery
from tests.integration.reader import reading

PROMOTES = 10


@pytest.fixture
def built(gallery: Gallery) -> Gallery:
    gallery.seed(50)
    gallery.build()
    return gallery


def test_a_search_finds_the_image_itself_first_with_every_field(built: Gallery) -> None:
    own = built.files("stain")[3]
    found = search_image(own.read_bytes(), built.settings, top_k=5)
    assert len(found) == 5
    assert found[0].local_path == str(own)
    assert found[0].similarity_score == pytest.approx(1, abs=1e-4)
    assert found[0].version == built.served().name
    assert [each.similarity_score for each in found] == sorted((each.similarity_score for each in found), reverse=True)
    assert list(found[0].as_dict()) == [
        "image_id", "local_path", "storage_url", "product_code", "product_name", "defect_code", "defect_name",
        "image_type", "similarity_score", "version",
    ]  # fmt: skip


def test_no_search_fails_during_ten_promotes_and_each_answer_is_of_one_version(built: Gallery) -> None:
    """The product's name changes with each version, and so do the rows: no answer may mix two."""
    index = built.index()
    vector = np.load(built.served().folder / "embeddings.npy")[20]
    wanted = {built.served().name: "Oak board"}

    def ask() -> frozenset[tuple[str, str]]:
        found = index.search(vector, 50)
        return frozenset((each.version, each.product_name) for each in found if each.product_code == "oak")

    with reading(ask, ask) as searches:
        for number in range(PROMOTES):
            built.tell("UPDATE products SET product_name = %s WHERE product_code = 'oak'", f"Name {number}")
            built.tell("DELETE FROM images WHERE image_type = 'defect' ORDER BY image_id LIMIT 1")
            version = built.build()["version"]
            wanted[version] = f"Name {number}"
            searches.wait_for(lambda version=version: index.version == version, seconds=30)
    assert {len(pairs) for pairs in searches.answered} == {1}
    seen = {pair for pairs in searches.answered for pair in pairs}
    assert seen <= set(wanted.items())
    assert len({version for version, _ in seen}) > PROMOTES // 2


def test_a_version_whose_metadata_is_damaged_is_not_searched_and_the_present_one_goes_on(built: Gallery) -> None:
    index = built.index()
    before = index.version
    built.tell("DELETE FROM images WHERE image_type = 'defect' LIMIT 1")
    built.build()
    path = built.served().folder / "metadata.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-30])
    index.refresh()
    assert index.version == before
    assert isinstance(index.error, ContractError)
    assert len(index.search(index.vector(int(index.ids[0])), 5)) == 5
    with pytest.raises(ContractError, match="has changed since it was written"):
        built.index()


def test_a_vector_of_another_model_is_refused(built: Gallery) -> None:
    index = built.index()
    vector = index.vector(int(index.ids[0]))
    assert index.search(vector, fingerprint=index.model.fingerprint)
    with pytest.raises(OtherModelNow):
        index.search(vector, fingerprint="of another")


@pytest.mark.parametrize("top_k", [0, -1, 101])
def test_a_number_of_neighbours_out_of_bounds_is_refused(built: Gallery, top_k: int) -> None:
    with pytest.raises(InputError, match="ask for 1 to 100"):
        built.index().search(np.ones(24, np.float32), top_k)


def test_more_neighbours_than_images_are_all_images(built: Gallery) -> None:
    index = built.index()
    assert len(index.search(np.ones(24, np.float32), 100)) == index.size == 42


def test_an_index_that_is_not_built_is_told_with_what_builds_it(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="embsearch images build"):
        gallery.index("normal")


def test_the_model_of_a_served_index_stays_loaded(built: Gallery) -> None:
    own = built.index().model.fingerprint
    assert image_fingerprints(built.settings) == {own}
    (built.served().folder / "sources.json").unlink()
    assert image_fingerprints(built.settings) is None, "not known: all that are loaded stay"


def test_what_is_no_image_is_refused(built: Gallery) -> None:
    with pytest.raises(InputError, match="not a readable image"):
        search_image(b"no image", built.settings)


def test_the_first_edition_searches_files_by_their_names(built: Gallery) -> None:
    (built.pictures / "notes.txt").write_text("no image")
    (built.pictures / "odd name.jpg").write_bytes(b"")
    found = built.build(edition="v1")
    assert found["rows"] == 42
    assert built.build("normal", edition="v1")["rows"] == 8
    own = built.files("dent")[0]
    first = search_image(own.read_bytes(), built.settings, edition="v1")[0]
    assert (first.local_path, first.product_code, first.defect_code) == (str(own), own.name.split("_")[0], "dent")
    assert built.build(edition="v1")["outcome"] == "unchanged"


def test_both_editions_over_the_same_files_name_the_same_neighbours(built: Gallery) -> None:
    from include.images.compare import compare
    from include.images.parameters import ImageCompareParameters

    built.build(edition="v1")
    rows, means = compare(ImageCompareParameters(queries=20), built.settings)
    assert len(rows) == means["queries"] == 20
    assert means["overlap"] == pytest.approx(1, abs=0.05)  # neighbours that tie may stand in another order
    assert means["score_difference"] == pytest.approx(0, abs=1e-5)


def test_editions_that_share_half_of_their_files_share_half_of_the_neighbours(built: Gallery) -> None:
    from include.images.compare import compare
    from include.images.parameters import ImageCompareParameters

    folder = built.pictures / "v1"
    folder.mkdir()
    for path in sorted(built.pictures.glob("*_*_*.jpg"))[::2]:
        (folder / path.name).write_bytes(path.read_bytes())
    half = replace(built, settings=built.settings.model_copy(update={"images_v1_dir": folder}))
    half.build(edition="v1")
    _, means = compare(ImageCompareParameters(queries=42), half.settings)
    assert 0.2 < means["overlap"] < 0.8


def test_editions_of_different_models_are_not_compared(built: Gallery) -> None:
    from include.images.compare import compare
    from include.images.parameters import ImageCompareParameters

    built.build(edition="v1")
    path = built.served(edition="v1").folder / "sources.json"
    changed = path.read_text().replace(built.index().model.fingerprint, "0" * 64)
    version = built.served(edition="v1")
    path.chmod(0o644)
    path.write_text(changed)
    from include.faiss_index.storage import FileDigest

    digest = FileDigest.of(path)
    entry = version.manifest.files["sources.json"].model_copy(update={"sha256": digest.sha256})
    files = {**version.manifest.files, "sources.json": entry}
    version.manifest.model_copy(update={"files": files}).write(version.folder)
    with pytest.raises(InputError, match="cannot be compared"):
        compare(ImageCompareParameters(), built.settings)


def test_more_can_be_asked_of_the_version_that_answered_when_another_is_served(built: Gallery) -> None:
    index = built.index()
    number = int(index.ids[0])
    vector = index.vector(number)
    found = index.find(vector, 1)
    built.tell("DELETE FROM images WHERE image_id = %s", number)
    built.build()
    index.refresh()

    with pytest.raises(InputError):
        index.vector(number)
    assert found.version != index.version
    np.testing.assert_array_equal(found.vector(found.images[0].image_id), vector)
