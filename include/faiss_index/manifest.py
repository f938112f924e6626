"""What a version says of itself: ``manifest.json`` beside its files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from include.errors import ContractError
from include.faiss_index.recipe import Recipe
from include.generations.files import write_text

MANIFEST = "manifest.json"
INDEX = "index.faiss"
IDS = "ids.npy"
TRUTH = "truth.npz"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Frozen):
    """Which rows a version holds, and who asked for it. The index itself does not know where rows come from."""

    key: str  # of the run; the same for the same work done again
    day: date  # that the version is for: readers find it as <file>_YYYYMMDD.index
    table: str = ""
    watermark: AwareDatetime | None = None  # rows changed before it are in the index
    watermark_id: int = 0  # the largest id that was read
    interval_start: AwareDatetime | None = None
    interval_end: AwareDatetime | None = None


class FileEntry(_Frozen):
    """A file of the version."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RowCounts(_Frozen):
    """before − deleted + new = the version's rows."""

    before: int  # rows of the version before; 0 for a full build
    deleted: int
    updated: int  # taken out and put in again
    new: int
    absent: int = 0  # ids that were to be deleted and were not there


class TrainingFigures(_Frozen):
    """Of the training that the version goes back to."""

    at: AwareDatetime
    rows: int  # trained on
    table_rows: int  # of the table at that time
    quantisation_error: float | None  # mean squared distance of sample queries to their list's centroid; None if flat


class Quality(_Frozen):
    """What was measured on the written files."""

    recall_at_10: float | None  # None: too few rows to measure
    queries: int
    queries_left_out: int
    self_recall: float  # share of sampled rows that find themselves among their first ten
    self_samples: int
    imbalance: float | None
    quantisation_error: float | None  # of the rows that came last


class Manifest(_Frozen):
    """One version."""

    format: Literal[1] = 1
    version: str
    parent: str | None
    made: Literal["build", "increment"]
    made_at: AwareDatetime
    origin: Origin
    recipe: Recipe
    ntotal: int
    counts: RowCounts
    training: TrainingFigures
    quality: Quality
    quality_at_build: Quality  # of the full build that the version goes back to
    files: dict[str, FileEntry]
    faiss_version: str
    seconds: dict[str, float]  # stage → wall seconds

    def write(self, folder: Path) -> None:
        """Put it beside the version's files; written last."""
        write_text(folder / MANIFEST, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The manifest in ``folder``.

        Raises:
            FileNotFoundError: there is none.
            ContractError: it cannot be understood.
        """
        path = folder / MANIFEST
        text = path.read_bytes()
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            where = ".".join(map(str, found["loc"])) or "the file"
            msg = f"{path} is damaged ({where}: {found['msg']}). Run faiss_rebuild, or roll back."
            raise ContractError(msg) from error
