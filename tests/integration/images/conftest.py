"""Image indexes behind the API, made once for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.integration.images.gallery import Gallery, gallery_in
from tests.integration.images.served import ServedImages, served_images
from tests.integration.mariadb_server import MariadbServer
from tests.integration.s3_server import S3Server
from tests.integration.triton.small_served import SmallModels, exported
from tests.integration.triton_server import TritonServer

_numbers = count()


@pytest.fixture(scope="session")
def small(triton: TritonServer) -> SmallModels:
    """Small random models of the true architectures, on the shared server."""
    return SmallModels(triton, exported())


@pytest.fixture
def gallery(tmp_path: Path, mariadb: MariadbServer, small: SmallModels) -> Iterator[Gallery]:
    """Nothing yet: a database, a folder for pictures, and a small CLIP to embed them."""
    url = small.server.settings.kserve_url
    with gallery_in(tmp_path, mariadb, f"t{next(_numbers)}", small.serve("clip_image"), url) as made:
        yield made


@pytest.fixture(scope="session")
def images(
    tmp_path_factory: pytest.TempPathFactory, small: SmallModels, mariadb: MariadbServer, s3: S3Server
) -> Iterator[ServedImages]:
    """Indexes that the tests only search."""
    with served_images(tmp_path_factory.mktemp("images"), small, mariadb, s3, "embsearch_images_api") as made:
        yield made


@pytest.fixture
def client(images: ServedImages) -> Iterator[TestClient]:
    """A caller with the server's token."""
    with images.client() as client:
        yield client
