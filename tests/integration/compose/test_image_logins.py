"""The logins that the containers' database makes let each process do its work on the images, and no more."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from include.errors import AccessDenied
from include.images.database import ImageDatabase
from include.images.schema import migrate
from include.images.tables import Image, Product
from include.local_stack import mariadb
from include.settings import PROJECT_ROOT, Settings
from tests.integration.elasticsearch_server import open_folder
from tests.integration.mariadb_server import PASSWORDS, MariadbServer

SCRIPT = PROJECT_ROOT / "docker" / "mariadb" / "databases.sh"
SEARCH, SEARCH_PASSWORD = "embsearch_images", "searches-images"
URL = "s3://images/queries/1.jpg"


@pytest.fixture(scope="module")
def server(mariadb_distribution: Path) -> Iterator[MariadbServer]:
    """A server whose databases and logins are those of the containers' script, and no others."""
    passwords = {
        "READER_PASSWORD": PASSWORDS[mariadb.READER],
        "OWNER_PASSWORD": PASSWORDS[mariadb.OWNER],
        "IMAGES_PASSWORD": SEARCH_PASSWORD,
    }
    shell = f"docker_process_sql() {{ cat; }}\n{SCRIPT.read_text(encoding='utf-8')}"
    statements = subprocess.run(["bash", "-c", shell], env=passwords, capture_output=True, text=True, check=True).stdout
    with open_folder() as folder:
        (folder / "databases.sql").write_text(statements, encoding="utf-8")
        (folder / "databases.sql").chmod(0o644)
        made = MariadbServer.at(folder, mariadb_distribution, f"--init-file={folder / 'databases.sql'}")
        with made.running():
            yield made


@pytest.fixture
def settings(server: MariadbServer, bare_settings: None) -> Settings:
    """Of the owner of the tables, which hold one product."""
    found = Settings(images_mysql_url=f"mysql://127.0.0.1:{server.port}/{mariadb.IMAGES}")
    found = signed_in(found, mariadb.OWNER, PASSWORDS[mariadb.OWNER])
    migrate(found)
    with ImageDatabase.from_settings(found) as database, database.session("write products") as session:
        session.query(Image).delete()
        session.query(Product).delete()
        session.add(Product(product_id=1, product_code="denim", product_name="denim"))
    return found


def signed_in(settings: Settings, user: str, password: str) -> Settings:
    login = {"images_mysql_user": user, "images_mysql_password": SecretStr(password)}
    return settings.model_copy(update=login)


def test_whoever_searches_registers_an_image_and_tasks_delete_it(settings: Settings) -> None:
    search = signed_in(settings, SEARCH, SEARCH_PASSWORD)
    with ImageDatabase.from_settings(search) as database:
        database.ping()
        with database.alone_with([URL]) as alone:
            assert alone
            image = database.register(URL, "denim")
        with pytest.raises(AccessDenied):
            database.delete_temporary(image)
    with ImageDatabase.from_settings(signed_in(settings, mariadb.READER, PASSWORDS[mariadb.READER])) as database:
        assert [row.image_id for page in database.pages("query_temp") for row in page] == [image]
        assert database.delete_temporary(image)


def test_whoever_searches_sees_no_other_table(settings: Settings) -> None:
    elsewhere = settings.images_mysql_url.replace(mariadb.IMAGES, "music")
    search = signed_in(settings.model_copy(update={"images_mysql_url": elsewhere}), SEARCH, SEARCH_PASSWORD)
    with ImageDatabase.from_settings(search) as database, pytest.raises(AccessDenied):
        database.ping()
