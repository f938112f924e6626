"""``embsearch fulltext vectors``: the vectors of a collection's chunks, for searches by meaning."""

from __future__ import annotations

import typer

from include import fields
from include.cli.jobs import job
from include.cli.options import takes
from include.fulltext.parameters import collection
from include.fulltext.places import chunk_file, vector_defaults, vectors_of
from include.keywords.parameters import VectorIndexParameters
from include.parameters import Parameters
from include.settings import get_settings

app = typer.Typer()


class DocumentVectorParameters(Parameters):
    """Chunk texts as vectors; all else has the defaults of keywords."""

    collection: str = collection()
    model: str = fields.model()
    qdrant_url: str = fields.qdrant_url()
    kserve_url: str = fields.kserve_url()


@app.command("vectors")
@takes(DocumentVectorParameters)
def vectors(parameters: DocumentVectorParameters) -> None:
    """Embed the chunk texts that `index` wrote; those that have not changed keep their vectors."""
    given = {
        **vector_defaults(),
        "input": str(chunk_file(get_settings(), parameters.collection)),
        "collection": vectors_of(parameters.collection),
        **parameters.model_dump(exclude={"collection"}),
    }
    with job("fulltext-vectors", "include.keywords.vectors", VectorIndexParameters(**given), "input"):
        pass
