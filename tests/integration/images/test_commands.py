"""The jobs as commands."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from include.local_stack import mariadb
from include.settings import PROJECT_ROOT
from tests.integration.images.gallery import Gallery, days_ago
from tests.integration.mariadb_server import PASSWORDS
from tests.integration.running_stack import environment


def embsearch(gallery: Gallery, *words: str, status: int = 0) -> str:
    secret = {
        "EMBSEARCH_IMAGES_MYSQL_PASSWORD": PASSWORDS[mariadb.READER],
        "EMBSEARCH_IMAGES_MYSQL_OWNER_PASSWORD": PASSWORDS[mariadb.OWNER],
    }
    done = subprocess.run(
        [".local/venvs/airflow/bin/embsearch", "images", *words],
        cwd=PROJECT_ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
        env=environment(gallery.settings) | secret,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert not any(password in done.stdout + done.stderr for password in secret.values())
    return done.stdout + done.stderr


def test_seed_build_search_compare_and_clean_up(gallery: Gallery, tmp_path: Path) -> None:
    assert "50 pictures, 50 of them drawn now; 50 rows written" in embsearch(gallery, "seed", "--images", "50")
    assert "50 pictures, 0 of them drawn now; 0 rows written" in embsearch(gallery, "seed", "--images", "50")
    assert "Nothing is missing" in embsearch(gallery, "migrate")

    built = embsearch(gallery, "build")
    assert re.search(r"normal serves normal__\S+ \(flat\): read 8 = indexed 8 \+ not \(none\); embedded 8", built)
    assert "read 42 = indexed 42" in built
    again = embsearch(gallery, "build", "--type", "defect")
    assert "defect has not changed, and serves" in again
    assert "embedded 0, taken over 42" in again

    own, sheet = gallery.files("stain")[0], tmp_path / "sheet.png"
    found = embsearch(gallery, "search", str(own), "--top-k", "3", "--sheet", str(sheet))
    assert "1.0000" in found
    assert str(sheet) in found.replace("\n", "")
    with Image.open(sheet) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > 4 * 224

    (occupied := tmp_path / "file").touch()
    for place, why in ((occupied / "sheet.png", "File exists"), (tmp_path, "Is a directory")):
        refused = embsearch(gallery, "search", str(own), "--sheet", str(place), status=1)
        assert f"images search: The sheet cannot be written to {place}: {why}. Give another place.\n" in refused

    embsearch(gallery, "build", "--edition", "v1")
    compared = embsearch(gallery, "compare", "--queries", "5")
    assert re.search(r"overlap: (1\.0|0\.9)", compared)

    with gallery.database() as database:
        number = database.register((gallery.pictures / "gone.jpg").as_uri(), "oak")
    gallery.tell("UPDATE images SET upload_date = %s WHERE image_id = %s", days_ago(2), number)
    told = "temporary images: read 1 = deleted 1 + kept (none); objects: 1 gone before\n"
    assert embsearch(gallery, "cleanup") == told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("search", "README.md", "--type", "other"), "'other' is not one of ['normal', 'defect']"),
        (("search", "README.md", "--type", "all"), "'all' is not one of ['normal', 'defect']"),
        (("search", "README.md"), "README.md: Not a readable JPEG, PNG, WEBP or BMP picture"),
        (("build", "--type", "other"), "'other' is not one of"),
        (("compare",), "embsearch images build --edition v1"),
        (("seed", "--to", "/tmp"), "outside of the allowed folders"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(gallery: Gallery, words: tuple[str, ...], said: str) -> None:
    status = 2 if "--type" in words else 1
    assert said in " ".join(embsearch(gallery, *words, status=status).split())
