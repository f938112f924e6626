"""The model of the demo: histograms of colour and texture, exported through the gate and served like any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from include.images.generator import Drawing, drawings
from include.images.search import search_image
from include.model_export.launch import export_model
from include.model_export.manifest import Manifest
from include.triton.client import TritonClient
from include.triton.deploy import deploy
from tests.integration.export_cache import export_settings
from tests.integration.images.gallery import Gallery, gallery_in
from tests.integration.mariadb_server import MariadbServer
from tests.integration.triton_server import TritonServer

MODEL = "picture_features"
IMAGES = 240


@pytest.fixture(scope="module")
def exported() -> Path:
    return export_model(MODEL, export_settings())


@pytest.fixture(scope="module")
def shown(
    tmp_path_factory: pytest.TempPathFactory, triton: TritonServer, mariadb: MariadbServer, exported: Path
) -> Iterator[Gallery]:
    """Its index over some pictures."""
    deploy(exported, triton.settings)
    folder = tmp_path_factory.mktemp("features")
    with gallery_in(folder, mariadb, "features", MODEL, triton.settings.kserve_url) as gallery:
        (folder / "models.yaml").unlink()
        changes = {"catalogue": None, "images_page_rows": 100}
        made = Gallery(mariadb, gallery.name, gallery.pictures, gallery.settings.model_copy(update=changes))
        made.seed(IMAGES)
        made.build()
        made.build("normal")
        yield made


def test_the_graph_gives_the_vectors_of_the_definition(exported: Path, shown: Gallery) -> None:
    manifest = Manifest.read(exported)
    assert (manifest.kind, manifest.dimension) == ("image_features", 144)
    assert manifest.gate.min_cosine > 0.99999
    images = [(exported / name).read_bytes() for name in manifest.reference.files]
    with TritonClient(shown.settings.kserve_url) as client:
        assert client.served(MODEL).precision == "fp32", "whatever the CPU"
        np.testing.assert_allclose(client.embed(MODEL, images), np.array(manifest.reference.vectors), atol=1e-4)


def test_neighbours_of_a_new_picture_show_the_same_product_and_mostly_the_same_defect(shown: Gallery) -> None:
    new = [each for each in drawings(64, first=9_000) if each.defect]
    products: list[bool] = []
    defects: list[bool] = []
    for drawing in new[::4]:
        found = search_image(drawing.draw(), shown.settings, top_k=5)
        products += [each.product_code == drawing.product.code for each in found]
        defects += [each.defect_code == drawing.defect.code for each in found if drawing.defect]
    assert np.mean(products) > 0.95
    assert np.mean(defects) > 0.75


def test_the_query_of_the_demo_finds_its_like(shown: Gallery) -> None:
    from include.cli.demo_images import write_query

    found = search_image(write_query(shown.settings).read_bytes(), shown.settings)
    assert {(each.product_code, each.defect_code) for each in found} == {("denim", "stain")}


def test_the_same_seed_draws_the_same_bytes() -> None:
    first, again, other = (next(drawings(1, seed=seed)) for seed in (0, 0, 1))
    assert first.draw() == again.draw() != other.draw()
    assert Drawing(first.product, first.defect, 1, 0).draw() != first.draw()
