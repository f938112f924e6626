"""Row counts that must add up: read = written + skipped (by reason) + dead.

A row is dead when a server refused it for good: it is a dead letter, which can be sent again. A row of the input that
cannot be worked on is skipped as ``unusable``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from include.errors import ContractError


@dataclass(frozen=True)
class Counts:
    """What became of every row read."""

    read: int = 0
    written: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason → rows
    dead: int = 0

    def __add__(self, other: Counts) -> Counts:
        skipped = Counter(self.skipped) + Counter(other.skipped)
        return Counts(self.read + other.read, self.written + other.written, dict(skipped), self.dead + other.dead)

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        """The sum over all parts."""
        return sum(parts, start=cls())

    def check(self, of_what: str) -> Self:
        """Return self when the counts add up.

        Raises:
            ContractError: rows are missing or doubled; the message holds the sum.
        """
        accounted = self.written + sum(self.skipped.values()) + self.dead
        if self.read != accounted:
            msg = (
                f"{of_what}: counts do not add up: read {self.read} ≠ written {self.written} + "
                f"skipped {dict(self.skipped)} + dead {self.dead} = {accounted}. This is a defect: please report it."
            )
            raise ContractError(msg)
        return self

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and XCom."""
        return {"read": self.read, "written": self.written, "skipped": dict(self.skipped), "dead": self.dead}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Counts:
        """The inverse of :meth:`as_dict`."""
        return cls(value["read"], value["written"], dict(value["skipped"]), value["dead"])
