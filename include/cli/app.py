"""All commands of ``embsearch``, one for every job."""

from __future__ import annotations

import typer

from include.cli import (
    demo,
    demo_faiss,
    demo_images,
    faiss,
    fulltext,
    image_server,
    images,
    jobs,
    models,
    mysql,
    playlists,
    rollback,
    search,
    stack,
)
from include.cli.bench import app as bench_app

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes cut long values and break sentences
    help="An embedding search that stays fresh: see README.md.",
)
app.add_typer(jobs.app)
app.add_typer(models.app)
app.add_typer(search.app)
app.add_typer(rollback.app)
app.add_typer(demo.app)
app.add_typer(demo_faiss.app)
app.add_typer(demo_images.app)
app.add_typer(faiss.app, name="faiss", help="The FAISS indexes over the tables of vectors.")
app.add_typer(playlists.app, name="playlist", help="Sets of ids in Redis, for each programme and index type.")
app.add_typer(fulltext.app, name="fulltext", help="Documents: index, delete, search.")
images.app.command("serve")(image_server.serve)
app.add_typer(images.app, name="images", help="Similar images: test pictures, indexes, searches.")
app.add_typer(mysql.app, name="mysql")
app.add_typer(jobs.generate_app, name="generate")
app.add_typer(bench_app, name="bench", help="Measure each stage beside its baseline.")
app.add_typer(stack.app, name="stack", help="The local servers.")
