"""What runs take when nobody says otherwise, and how work is cut."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from include.settings.values import AbsolutePath


class Runs:
    """Inputs, names, shards, retries."""

    # Input of runs that nobody gives parameters to; the local stack points them to its demo data.
    keywords: str = "data/keywords_400k.txt"
    products: str = "data/products_400k.txt"
    daily_products: str = "data/daily/products_{date}.txt"  # {date} is the run's day, YYYY-MM-DD

    # Folders by commas. Where they are set, runs read inputs and write to other folders only below them: who may start
    # a run names paths freely, on the command line as well as in a trigger form.
    input_roots: str = ""
    output_roots: str = ""

    # What is served under which name.
    model: str = "ruri_v3"
    catalogue: AbsolutePath | None = None  # models of yours beside those shipped: see docs/models.md
    collection: str = "keywords"
    keyword_index: str = "keywords"
    link_index: str = "product_keywords"

    # The playlist cache. Programmes by commas, each with a table tb_song_<programme>_m; empty: the documented ones.
    playlist_programs: Annotated[str, Field(pattern="^([a-z0-9]+(,[a-z0-9]+)*)?$")] = ""
    playlist_encoding: Literal["int32", "int64", "json"] = "int32"  # of ids: little-endian bytes, or a JSON list

    # Rows of one shard: the unit that is done again after an interruption.
    link_shard_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    vector_shard_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    text_shard_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000

    # How many mapped tasks share a run's shards; 4–8 for each slot that may work on it. The bound keeps the list of
    # their numbers, which travels between tasks, below 4 KiB.
    mapped_tasks: Annotated[int, Field(ge=1, le=800)] = 4

    # How long Airflow waits before it tries a task again after a failure that may pass.
    retry_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
