"""When the demo CRM's audits happen, and about whom, in ascending order of time without sorting anything.

Belongs here: the order of a company's history. Not here: what happens (`demo_crm_stories.py`).

People are ranked by the watermark of their contact. The clock goes once through the ranks; at each moment it picks
among those who are synced next, a third of all people, so that each person gets the same number of audits, before the
watermark, within a year or so of it. Now and then it picks one who is synced already.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 the CRM's columns have no zone
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = 86_400_000_000
_POSTGRES_EPOCH: Final = 10_957 * _DAY
_HISTORY: Final = 540 * _DAY
_AHEAD: Final = 0.35
_SEAM: Final = 0.002
_MOST_JITTER: Final = 6 * 3_600_000_000


Moment: TypeAlias = tuple[int, int]
"""The audit's person, by rank, and its `created_at` in microseconds since 1970. No class: a million are made."""


def microseconds(instant: datetime) -> int:
    """Since 1970, of an aware instant."""
    return (instant.astimezone(UTC).replace(tzinfo=None) - _EPOCH) // _MICROSECOND


def instant_of(since_1970: int) -> datetime:
    """The aware instant."""
    return (_EPOCH + timedelta(microseconds=since_1970)).replace(tzinfo=UTC)


def postgres_timestamp(since_1970: int) -> int:
    """As PostgreSQL holds a timestamp: microseconds since 2000."""
    return since_1970 - _POSTGRES_EPOCH


class Clock:
    """Moments of `audits` audits, number 0 first.

    Args:
        watermarks: of each person, in microseconds since 1970, ascending, at least one.
        audits: how many moments there will be.
        late_share: about how many of them are to be late.
        rnd: the random stream.
    """

    def __init__(self, watermarks: Sequence[int], audits: int, *, late_share: float, rnd: Callable[[], float]) -> None:
        self._rnd = rnd
        self._watermarks = watermarks
        self._step = len(watermarks) / max(audits, 1)
        self._ahead = _AHEAD * len(watermarks)
        self._marks = (watermarks[0] - _HISTORY // 4, *watermarks)
        self._late = late_share / (1 - _AHEAD)
        pace = (watermarks[-1] - watermarks[0] + _HISTORY) / max(audits, 1)
        self._jitter = min(1.3 * pace, _MOST_JITTER)

    def at(self, number: int) -> Moment:
        """The moment of audit `number`; about in the order of the numbers, as ids are given before commits."""
        rnd, people = self._rnd, len(self._watermarks)
        now = number * self._step
        synced = now - self._ahead
        when = self._time(synced) + int((rnd() - 0.5) * self._jitter)
        if synced >= 1 and rnd() < self._late:
            rank = int(rnd() * int(synced))
        elif synced >= 1 and rnd() < _SEAM:
            # The very moment of the watermark, and the microsecond before and after it.
            rank = int(synced)
            when = self._watermarks[rank] + int(rnd() * 3) - 1
        else:
            rank = int(now - self._ahead * rnd() + people) % people
        return rank, when

    def _time(self, synced: float) -> int:
        """When so many people are synced; fractions and what lies before the first are filled evenly."""
        if synced < 0:
            return int(self._marks[0] + synced / self._ahead * 0.75 * _HISTORY)
        before = int(synced)
        earlier = self._marks[before]
        return earlier + int((synced - before) * (self._marks[before + 1] - earlier))
