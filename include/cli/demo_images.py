"""``embsearch demo-images``: pictures are drawn, indexed by the DAGs, and one is searched with, as a user would."""

from __future__ import annotations

import logging
import shlex
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from include.cli.dag_runs import caused_run, finished
from include.cli.demo_checks import check_connections
from include.cli.session import command_session
from include.errors import InputError
from include.settings import PREFIX, PROJECT_ROOT, Settings, get_settings

if TYPE_CHECKING:
    from include.airflow_api import AirflowApi
    from include.images.index import SimilarImage

app = typer.Typer()
log = logging.getLogger(__name__)

IMAGES = 400
MODEL = "picture_features"
EXPORT, DEPLOY, INDEX = "model_export", "triton_deployment", "image_index"
CONNECTIONS = ("mysql_images", "images_store")  # of Airflow, that come before the settings
PRODUCT, DEFECT, NUMBER = "denim", "stain", 1_000_000  # of the query: no picture of the index has that number


@app.command("demo-images")
def demo_images(
    *, images: Annotated[int, typer.Option(min=40, max=100_000, help="Pictures to draw.")] = IMAGES
) -> None:
    """Draw pictures, serve a model of images, build the indexes, and find the neighbours of a new picture."""
    from include.images.seed import seed  # noqa: PLC0415 — help must be quick
    from include.local_stack import stack  # noqa: PLC0415
    from include.local_stack.served import served_settings  # noqa: PLC0415

    with command_session("demo-images", get_settings()):
        began = time.monotonic()
        check_own(served_settings(get_settings()))
        stack.up(get_settings())
        settings = get_settings()
        folder = PROJECT_ROOT / settings.images_roots.split(",", 1)[0].strip()
        try:
            with stack.airflow_api(settings) as api:
                check_connections(api, CONNECTIONS)
            check_tables(settings, folder)
            log.info("Drawing %d pictures in %s", images, folder)
            seed(settings, images=images)
            install_export(settings)
            log.info("Running the DAGs; watch them at %s", stack.local_airflow(settings).url)
            with stack.airflow_api(settings) as api:
                api.wait_for_dags({EXPORT, DEPLOY, INDEX})
                built = run_dags(api)
        except BaseException:
            log.info("The stack goes on running: make status, make logs, make down.")
            raise
        show(settings, built, time.monotonic() - began)


def check_own(settings: Settings) -> None:
    """Check that test pictures would be written into the stack's own database alone.

    Raises:
        InputError: the settings lead elsewhere.
    """
    from include.local_stack.served import is_ours  # noqa: PLC0415

    variable = f"{PREFIX}IMAGES_MYSQL_URL"
    if not is_ours(settings, "images_mysql_url"):
        msg = f"{variable} is not of the stack that `make up` starts, and the demo would put pictures there. Unset it."
        raise InputError(msg)


def check_tables(settings: Settings, folder: Path) -> None:
    """Check that the tables hold no images but an earlier demo's.

    Raises:
        InputError: they do.
    """
    from sqlalchemy import select  # noqa: PLC0415

    from include.images.database import ImageDatabase  # noqa: PLC0415
    from include.images.parameters import IMAGE_TYPES  # noqa: PLC0415
    from include.images.schema import migrate  # noqa: PLC0415
    from include.images.tables import Image  # noqa: PLC0415

    migrate(settings)
    own = Image.file_path.startswith(f"{folder}/", autoescape=True)
    with ImageDatabase.from_settings(settings, owner=True) as database, database.session("look for images") as session:
        others = select(Image.image_id).where(Image.image_type.in_(IMAGE_TYPES), Image.file_path.is_(None) | ~own)
        other = session.scalar(others.limit(1))
    if other is not None:
        msg = (
            f"The tables hold images that are not the demo's, such as {other}, and the demo would put its own beside "
            f"them. Give it a stack of its own: {PREFIX}LOCAL_DIR=/another/folder make demo-images."
        )
        raise InputError(msg)


def install_export(settings: Settings) -> None:
    """What the first DAG would install by itself, here where its size and progress are seen."""
    from include.local_stack.environments import ensure  # noqa: PLC0415
    from include.model_export.launch import exported_folder  # noqa: PLC0415

    if not exported_folder(MODEL, settings).exists():
        ensure(settings, "export")


def run_dags(api: AirflowApi) -> dict[str, Any]:
    """Export and serve the model, then build both indexes; return what was built."""
    moment = datetime.now(UTC)
    finished(api, EXPORT, api.trigger(EXPORT, {"model": MODEL}), "export")
    finished(api, DEPLOY, caused_run(api, DEPLOY, moment), "announce")
    api.set_paused(INDEX, paused=False)
    found: dict[str, Any] = finished(api, INDEX, api.trigger(INDEX, {"model": MODEL}), "report")
    return found


def show(settings: Settings, built: dict[str, Any], wall: float) -> None:
    """The neighbours of a picture that was never indexed: as a table, and as a picture."""
    from include.cli.images import neighbours_table  # noqa: PLC0415
    from include.cli.tables import console  # noqa: PLC0415
    from include.images.contact_sheet import write_sheet  # noqa: PLC0415
    from include.images.search import search_image  # noqa: PLC0415
    from include.local_stack.airflow import USER  # noqa: PLC0415
    from include.local_stack.stack import local_airflow  # noqa: PLC0415

    query = write_query(settings)
    found: list[SimilarImage] = search_image(query.read_bytes(), settings)
    for name, figures in built.items():
        console.print(f"{name}: {figures['rows']:,} images are indexed")
    console.print(f"The neighbours of a new picture of {PRODUCT} with a {DEFECT}:")
    console.print(neighbours_table(found))
    sheet = write_sheet(query.with_name("neighbours.png"), query.read_bytes(), found, settings)
    airflow = local_airflow(settings)
    console.print(f"Airflow: {airflow.url}  user {USER}  password {airflow.password}")
    embsearch = Path(".local/venvs/airflow/bin/embsearch")
    console.print(f"DAG {INDEX} stays switched on there: every day at 03:30 Asia/Seoul, and with a new model.")
    console.print(f"Try:\n  {embsearch} images search {shlex.quote(str(query))} --top-k 10", soft_wrap=True)
    console.print(f"  {embsearch} images build --edition v1; {embsearch} images compare", soft_wrap=True)
    console.print(f"Query and neighbours as a picture: {sheet}", soft_wrap=True)
    console.print(f"Done in {wall:.0f} s. The stack is running: make status, make logs, make down.")


def write_query(settings: Settings) -> Path:
    """Draw the query; return its file."""
    from include.images.defects import DEFECTS  # noqa: PLC0415
    from include.images.generator import Drawing  # noqa: PLC0415
    from include.images.textures import PRODUCTS  # noqa: PLC0415

    product = next(each for each in PRODUCTS if each.code == PRODUCT)
    defect = next(each for each in DEFECTS if each.code == DEFECT)
    path = settings.local_dir / "demo" / "query.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Drawing(product, defect, NUMBER, 0).draw())
    return path
