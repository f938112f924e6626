"""The served version as an increment's start: whole, or put back to the one before and said so."""

from __future__ import annotations

from include.errors import ContractError
from include.faiss_index.increment import Base, begin
from include.faiss_index.repair import Repair, repair_alone
from include.faiss_index.versions import Alone


def begun(alone: Alone) -> tuple[Base, Repair | None]:
    """Start to read the served version; one whose manifest is damaged is given up for the one before it.

    Raises:
        InputError: none is served yet.
        ContractError: no version is whole.
    """
    try:
        return begin(alone), None
    except ContractError as error:
        return _repaired(alone, error)


def whole(alone: Alone, base: Base, repaired: Repair | None) -> tuple[Base, Repair | None]:
    """``base``, read to its end; when its bytes are not those that were written, the version before it.

    Raises:
        ContractError: no version is whole.
    """
    try:
        base.opened()
    except ContractError as error:
        return _repaired(alone, error)
    return base, repaired


def _repaired(alone: Alone, error: ContractError) -> tuple[Base, Repair]:
    repaired = repair_alone(alone)
    if repaired is None:
        raise error
    base = begin(alone)
    base.opened()
    return base, repaired
