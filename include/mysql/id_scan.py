"""All ids of a table that meet a condition, packed by the server: a tenth of the time of one row an id.

The server joins the ids of a block to one text, so that neither its protocol nor Python meets every id by itself. A
block follows the id, so a lost connection costs one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.errors import ContractError, InputError
from include.mysql.columns import quoted
from include.mysql.connection import Session
from include.mysql.decoding import LARGEST_ID

BLOCK = 50_000  # ids; at most 1 MB of text, which every server's limit of a packet lets pass
PREPARE = "SET SESSION group_concat_max_len = 4194304"  # its default is 1 KB on some servers


def ids_where(session: Session, table: str, column: str, condition: str, arguments: Sequence[Any]) -> NDArray[np.int64]:
    """``[N]`` int64, ascending: the ids of the rows of ``table`` that meet ``condition``.

    Raises:
        InputError: the ids are no whole numbers below 2^63.
        ContractError: the server gave other ids than it counted.
    """
    blocks: list[NDArray[np.int64]] = []
    after: int | None = None
    name = quoted(column)
    while True:
        beyond, bound = ("TRUE", []) if after is None else (f"{name} > %s", [after])
        statement = (
            f"SELECT COUNT(*), MAX(id), BIT_XOR(id), GROUP_CONCAT(id) FROM (SELECT {name} AS id FROM {quoted(table)}"
            f" WHERE {beyond} AND {condition} ORDER BY {name} LIMIT {BLOCK}) AS block"
        )
        ((count, last, check, text),) = session.ask(statement, [*bound, *arguments], of=f"the ids of {table}")
        if not count:
            return np.concatenate([np.empty(0, np.int64), *blocks])
        blocks.append(_parsed(text, int(count), last, int(check), table))
        after = int(last)


def _parsed(text: str | bytes, count: int, last: Any, check: int, table: str) -> NDArray[np.int64]:
    """The ids in a block's text, checked: a server cuts what it joins at its limit, and says so to nobody."""
    if not isinstance(last, int) or last > LARGEST_ID:
        msg = f"{table}: ids must be whole numbers below 2^63, as an index keeps them; found {last!r}."
        raise InputError(msg)
    ids = np.sort(np.fromstring(text, dtype=np.int64, sep=","))
    if len(ids) != count or int(np.bitwise_xor.reduce(ids)) != check:
        msg = (
            f"{table}: the server counted {count:,} ids up to {last} and gave {len(ids):,} others. "
            "Is its group_concat_max_len fixed below 4 MB?"
        )
        raise ContractError(msg)
    return ids
