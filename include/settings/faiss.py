"""FAISS indexes: docs/faiss.md and docs/music_index.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from include.settings.values import AbsolutePath


class Faiss:
    """Which, of what kind, how large, and where readers find them."""

    # FAISS indexes: which, of what kind (docs/faiss.md), how large one may be in memory, and where readers find them.
    faiss_types: Annotated[str, Field(pattern="^ *[a-z0-9_]+( *, *[a-z0-9_]+)* *$")] = "all"  # of runs without a form
    faiss_kind: Literal["auto", "ivf_sq8", "ivf_pq", "ivf_pq_refine", "flat"] = "auto"
    faiss_memory_mb: Annotated[int, Field(ge=16, le=1_000_000)] = 8192
    faiss_threads: Annotated[int, Field(ge=0, le=1024)] = 0  # 0 takes all cores
    faiss_keep_versions: Annotated[int, Field(ge=2, le=50)] = 3  # the served one and those to roll back to
    faiss_published_dir: AbsolutePath | None = None  # with <file>.index of each type; default: below state_dir
    # recall@10 below which a version is not served, as song=0.9,artist=0.8; else that of the kind.
    faiss_recall_floors: Annotated[str, Field(pattern=r"^([a-z0-9_]+=[01](\.[0-9]+)?(,|$))*$")] = ""
    faiss_rebuild_on_drift: bool = False  # whether the daily run causes faiss_rebuild for types that have drifted
