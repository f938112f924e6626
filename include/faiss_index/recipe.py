"""What an index is made of, chosen from its rows, its dimension and the memory it may take.

The rule, whose figures are in docs/faiss.md:

- ``flat`` (exact) below 1,000 rows, which are too few to train on;
- ``ivf_sq8`` (one byte a dimension) while it fits the memory: the highest recall, and trained within seconds;
- ``ivf_pq_refine`` beyond: codes of D / 8 bytes in memory choose candidates, float16 rows on disk put them in order;
- ``ivf_pq``, the documented kind of 64 bytes a vector, only when it is asked for.

Lists: the power of 2 nearest below 4 · √rows, fewer where the training sample has less than 39 points for each (what
FAISS asks for). Training sample: 50 points a list, at most 1 GiB of them. ``nprobe`` is measured when the index is
built.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.errors import InputError

Kind = Literal["flat", "ivf_sq8", "ivf_pq", "ivf_pq_refine"]
AUTO = "auto"
KINDS: tuple[str, ...] = get_args(Kind)

FLAT_BELOW = 1_000  # rows
POINTS_PER_LIST = 50
MIN_POINTS_PER_LIST = 39
MIN_POINTS_PER_CODE = 39
MAX_TRAINING_BYTES = 1 << 30
HELD_OUT = 256  # sample queries, kept out of the training
DOCUMENTED_PQ = 64  # bytes a vector
REFINE_FACTOR = 16  # candidates for each neighbour that is asked for
ID_BYTES = 8

# recall@10 below which a version is not served, and share of sampled rows that must find themselves among their first
# ten. Plain PQ of 64 bytes cannot do better on vectors that lie close together, whatever else is set.
RECALL_FLOORS: dict[Kind, float] = {"flat": 0.99, "ivf_sq8": 0.85, "ivf_pq": 0.3, "ivf_pq_refine": 0.8}
SELF_FLOORS: dict[Kind, float] = {"flat": 0.99, "ivf_sq8": 0.95, "ivf_pq": 0.8, "ivf_pq_refine": 0.95}


class Recipe(BaseModel):
    """How an index is trained, filled and searched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    dimension: Annotated[int, Field(ge=1, le=65_536)]
    rows: Annotated[int, Field(ge=1)]  # of the table when this was chosen
    training_rows: Annotated[int, Field(ge=0)]
    nlist: Annotated[int, Field(ge=0)] = 0
    m: Annotated[int, Field(ge=0)] = 0  # sub-quantisers of PQ; each takes nbits
    nbits: Annotated[int, Field(ge=0, le=8)] = 0
    nprobe: Annotated[int, Field(ge=1)] | None = None  # lists searched; None: measured when the index is built
    refine_factor: Annotated[int, Field(ge=0)] = 0

    @property
    def key(self) -> str:
        """The name that FAISS makes the empty index from."""
        if self.kind == "flat":
            return "IDMap2,Flat"
        return f"IVF{self.nlist}," + (
            "SQ8" if self.kind == "ivf_sq8" else f"PQ{self.m}x{self.nbits}np"
        )  # np: no polysemous training

    @property
    def sample_rows(self) -> int:
        """How many rows to draw from the table: those to train on, and those that are held out."""
        return self.training_rows + HELD_OUT

    def memory_bytes(self, rows: int) -> int:
        """What an index of so many rows takes in memory."""
        code = {"flat": 4 * self.dimension, "ivf_sq8": self.dimension}.get(
            self.kind, math.ceil(self.m * self.nbits / 8)
        )
        return rows * (code + ID_BYTES) + 4 * self.nlist * self.dimension


def choose(
    rows: int,
    dimension: int,
    *,
    memory_budget_bytes: int,
    kind: str = AUTO,
    nlist: int | None = None,
    m: int | None = None,
    nprobe: int | None = None,
    training_rows: int | None = None,
    refine_factor: int | None = None,
) -> Recipe:
    """The recipe for a table of ``rows`` usable rows; whatever is given is taken instead of the rule's own.

    Raises:
        InputError: there are no rows, a value cannot be used, or no kind fits the budget.
    """
    if rows < 1:
        msg = "There are no rows to make an index of: fill the table, then run this again."
        raise InputError(msg)
    if kind not in (AUTO, *KINDS):
        msg = f"There is no kind of index {kind!r}. There are: {AUTO}, {', '.join(KINDS)}."
        raise InputError(msg)
    given = {"nprobe": nprobe, "nlist": nlist, "m": m, "training_rows": training_rows, "refine_factor": refine_factor}
    overrides = {name: value for name, value in given.items() if value is not None}
    if kind != AUTO:
        return _made(kind, rows, dimension, overrides)
    for candidate in ("flat",) if rows < FLAT_BELOW else ("ivf_sq8", "ivf_pq_refine"):
        recipe = _made(candidate, rows, dimension, overrides)
        if recipe.memory_bytes(rows) <= memory_budget_bytes:
            return recipe
    msg = (
        f"{rows:,} rows of {dimension} dimensions need {recipe.memory_bytes(rows) >> 20:,} MiB as {recipe.kind}, "
        f"{memory_budget_bytes >> 20:,} MiB are allowed: raise the memory budget, or split the table."
    )
    raise InputError(msg)


def _made(kind: str, rows: int, dimension: int, overrides: dict[str, int]) -> Recipe:
    values: dict[str, Any] = {"kind": kind, "training_rows": 0}
    if kind == "flat" or rows < FLAT_BELOW:  # on so few the others cannot be trained
        values["kind"] = "flat"
    else:
        values |= {"nprobe": None, **_shape(kind, rows, dimension, overrides)}
        values |= {name: value for name, value in overrides.items() if name in values}
    try:
        recipe = Recipe(dimension=dimension, rows=rows, **values)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        msg = f"{'.'.join(map(str, found['loc']))}={found['input']!r} cannot be used: {found['msg']}."
        raise InputError(msg) from None
    return _checked(recipe)


def _shape(kind: str, rows: int, dimension: int, overrides: dict[str, int]) -> dict[str, int]:
    available = max(rows - HELD_OUT, rows // 2)
    most = min(available, MAX_TRAINING_BYTES // (4 * dimension))
    wanted = overrides.get("nlist") or _power_below(4 * math.sqrt(rows))
    training = overrides.get("training_rows") or min(most, POINTS_PER_LIST * wanted)
    shape = {"nlist": _power_below(min(wanted, training / MIN_POINTS_PER_LIST)), "training_rows": training}
    if kind == "ivf_sq8":
        return shape
    m = overrides.get("m") or _divisor(dimension, DOCUMENTED_PQ if kind == "ivf_pq" else max(8, dimension // 8))
    nbits = next((bits for bits in (8, 6) if training >= MIN_POINTS_PER_CODE << bits), 4)
    return {**shape, "m": m, "nbits": nbits, "refine_factor": REFINE_FACTOR if kind == "ivf_pq_refine" else 0}


def _checked(recipe: Recipe) -> Recipe:
    if recipe.m and recipe.dimension % recipe.m:
        msg = f"m={recipe.m} cannot be used: it must divide the dimension, {recipe.dimension}."
        raise InputError(msg)
    if recipe.kind != "flat" and recipe.training_rows < recipe.nlist:
        msg = f"training_rows={recipe.training_rows} cannot be used: {recipe.nlist} lists need at least as many."
        raise InputError(msg)
    if recipe.nprobe and recipe.nprobe > recipe.nlist:
        msg = f"nprobe={recipe.nprobe} cannot be used: there are {recipe.nlist} lists."
        raise InputError(msg)
    return recipe


def _power_below(value: float) -> int:
    return 1 << max(0, int(math.log2(max(1.0, value))))


def _divisor(dimension: int, most: int) -> int:
    """The largest divisor of ``dimension`` that is at most ``most`` and leaves 2 dimensions to each part."""
    return max(part for part in range(1, min(most, max(1, dimension // 2)) + 1) if dimension % part == 0)
