"""Cut texts into runs of a bounded number of tokens and lay them end to end. Needs numpy alone.

A GPU replays a recorded graph of fixed size many times faster than it starts its kernels one by one, so a run has one
of a few sizes, its budget. Packing leaves no padding between texts, only at the end of a run.
"""

from dataclasses import dataclass

import numpy as np

SHORT = 32  # tokens: texts up to here, nearly all product names, have a kernel of their own
MEDIUM = 128  # tokens: texts up to here are recorded as well
# Tokens of a recorded run. 4,096 gives 96 % of the rate of 32,768; the steps keep a small rest from costing much.
STEPS = (128, 256, *range(512, 4097, 512))
BUDGETS = {SHORT: STEPS, MEDIUM: STEPS}
LONG_BUDGET = 8192  # tokens of a run that is not recorded
TOKENS_PER_TEXT = 4  # a run has room for one text for every so many tokens: of two words with begin and end


@dataclass(frozen=True)
class Run:
    """Texts that are computed together."""

    rows: np.ndarray  # numbers of the texts
    tokens: int
    budget: int  # tokens that are computed


@dataclass(frozen=True)
class Packed:
    """The texts of one run end to end, then padding; all int32."""

    ids: np.ndarray  # [T]
    positions: np.ndarray  # [T], from 0 in each text
    owners: np.ndarray  # [T], the number of the text in the run; of padding the row after the last, which is dropped
    starts: np.ndarray  # [N + 1], where each text begins; the last value, repeated, is the end of all


def slots(budget):
    """How many texts a run of ``budget`` tokens has room for."""
    return max(1, budget // TOKENS_PER_TEXT)


def cut(rows, lengths, budgets):
    """Cut ``rows`` in their order into runs within the largest of the ascending ``budgets``.

    A run's budget is the smallest that holds it. A text longer than all budgets is a run of its own length.
    """
    ends = np.cumsum(lengths[rows])
    runs, start = [], 0
    while start < len(rows):
        before = int(ends[start - 1]) if start else 0
        fits = int(np.searchsorted(ends, before + budgets[-1], side="right"))
        end = max(start + 1, min(fits, start + slots(budgets[-1])))
        tokens = int(ends[end - 1]) - before
        wanted = [budget for budget in budgets if tokens <= budget and end - start <= slots(budget)]
        runs.append(Run(rows[start:end], tokens, wanted[0] if wanted else tokens))
        start = end
    return runs


def plan(lengths, budgets):
    """The runs of texts of these lengths, each with the lane that records it.

    ``budgets`` holds the recorded budgets of each lane, by its longest text. Texts longer than all lanes have runs of
    lane 0, which need no fixed size: they are computed at the number of their tokens.
    """
    runs, shorter = [], 0
    for longest in sorted(budgets):
        rows = np.flatnonzero((lengths > shorter) & (lengths <= longest))
        runs += [(longest, run) for run in cut(rows, lengths, budgets[longest])]
        shorter = longest
    rest = cut(np.flatnonzero(lengths > shorter), lengths, (LONG_BUDGET,))
    return runs + [(0, Run(run.rows, run.tokens, run.tokens)) for run in rest]


def pack(texts, budget, room):
    """Lay the token ids of ``texts`` (1-D arrays, at least one token each) end to end, in ``room`` places for texts."""
    lengths = np.fromiter((len(ids) for ids in texts), np.int32, len(texts))
    tokens = int(lengths.sum())
    starts = np.full(room + 1, tokens, np.int32)
    starts[0] = 0
    starts[1 : len(texts) + 1] = np.cumsum(lengths)
    packed = Packed(
        ids=np.zeros(budget, np.int32),
        positions=np.zeros(budget, np.int32),
        owners=np.full(budget, room, np.int32),
        starts=starts,
    )
    packed.ids[:tokens] = np.concatenate(texts)
    packed.owners[:tokens] = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
    packed.positions[:tokens] = np.arange(tokens, dtype=np.int32) - np.repeat(starts[: len(texts)], lengths)
    return packed


def fill(runs):
    """Share of the tokens computed in a plan that belong to a text, 0 to 1."""
    return sum(run.tokens for _, run in runs) / sum(run.budget for _, run in runs)
