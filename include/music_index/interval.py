"""Which changes a run is for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from include.errors import InputError
from include.generations.run import Run

ZONE = ZoneInfo("Asia/Seoul")
DAILY = time(16, 58)  # when the daily run is, there


@dataclass(frozen=True)
class Interval:
    """``[start, until)``; a run by hand has no start: it takes all since the watermark."""

    start: datetime | None
    until: datetime

    @property
    def day(self) -> date:
        """That its version is named for."""
        return self.until.astimezone(ZONE).date()

    def since(self, watermark: datetime | None, overlap: timedelta) -> datetime:
        """From when on changes are looked for: what an index up to ``watermark`` may lack, and ``overlap`` before."""
        known = [moment for moment in (self.start, watermark) if moment is not None]
        return min(known, default=datetime(1970, 1, 2, tzinfo=UTC) + overlap) - overlap

    def watermark(self, before: datetime | None) -> datetime:
        """Up to when the index is complete after the run; that of a late run for an early day does not go back."""
        return self.until if before is None else max(before, self.until)


def interval_of(run: Run, day: str = "") -> Interval:
    """The data interval of ``run``, or that of the daily run which ends on ``day``, YYYY-MM-DD.

    Raises:
        InputError: there is no such day, or it has not ended yet.
    """
    if not day:
        return Interval(run.start, run.date)
    try:
        until = datetime.combine(date.fromisoformat(day), DAILY, ZONE)
    except ValueError:
        msg = f"{day!r} is no day: write it as 2026-11-21."
        raise InputError(msg) from None
    if until > run.date:
        msg = f"The day {day} ends at {until:%H:%M} in Seoul, which is still to come. Leave it out to take all."
        raise InputError(msg)
    return Interval(until - timedelta(days=1), until)
