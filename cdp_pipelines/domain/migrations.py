"""What every migration into the CDP has in common: statuses, counts, shards, and who may start what (SPEC 2, 5.3).

Belongs here: pure rules that activity logs and notes share. Not here: what a row becomes (each migration's own folder)
and where jobs are kept (`stores/migration_jobs.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

IN_PROGRESS: Final = "in_progress"
HALTED: Final = "halted"
COMPLETED: Final = "completed"
COMPLETED_SUCCESS: Final = "completed_success"
"""What the notes migration calls a job that is completed (SPEC 6)."""
COMPLETED_WITH_ERRORS: Final = "completed_with_errors"
FAILED: Final = "failed"
CANCELED: Final = "canceled"
ROLLED_BACK: Final = "rolled_back"
NOT_STARTED: Final = "not_started"

RESUMABLE: Final = frozenset({IN_PROGRESS, HALTED, FAILED, CANCELED})
"""A start goes on from the cursors of a job that stands so; `in_progress` only if its owner is dead."""

FULL_PERCENT: Final = 100.0
MATCH_PCT_AT_LEAST: Final = 99.0
COVERAGE_PCT_AT_LEAST: Final = 99.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by outcome. `skipped` has a reason for each, `already present` among them, so it always adds up:
    `processed = migrated + sum(skipped) + failed`. `notes` count what was noticed on rows that have an outcome too.
    """

    migrated: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def processed(self) -> int:
        """All rows that have an outcome."""
        return self.migrated + sum(self.skipped.values()) + self.failed

    @property
    def failure_rate(self) -> float:
        """Failed rows of the processed ones, 0 to 1."""
        return self.failed / self.processed if self.processed else 0.0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.migrated + other.migrated,
            added(self.skipped, other.skipped),
            self.failed + other.failed,
            added(self.notes, other.notes),
        )

    def __sub__(self, other: "Counts") -> "Counts":
        return self + Counts(-other.migrated, negated(other.skipped), -other.failed, negated(other.notes))


def added(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    """Two tallies in one; names that count nothing are left out."""
    total = {name: left.get(name, 0) + right.get(name, 0) for name in {**left, **right}}
    return {name: number for name, number in total.items() if number}


def negated(tally: Mapping[str, int]) -> dict[str, int]:
    """The same names, each number below zero."""
    return {name: -number for name, number in tally.items()}


def percent(part: int, whole: int) -> float | None:
    """`part` of `whole` in percent with two digits, rounded down, so that 100 means all; None for a part of nothing."""
    if whole <= 0:
        return None
    return part * 10_000 // whole / 100


@dataclass(frozen=True, slots=True)
class ShardRange:
    """Ids above `after` up to and including `to`."""

    after: int
    to: int


def shard_ranges(first_id: int, last_id: int, shards: int) -> list[ShardRange]:
    """Ranges of equal width that hold every id from first to last once, in order; never more than there are ids.

    For a source that cannot say where its rows lie; see `ranges_up_to` for one that can.
    """
    width = last_id - first_id + 1
    if width <= 0:
        return []
    number = max(1, min(shards, width))
    edges = [first_id - 1 + width * index // number for index in range(number + 1)]
    return [ShardRange(after, to) for after, to in pairwise(edges)]


def ranges_up_to(first_id: int, uppers: Sequence[int], last_id: int) -> list[ShardRange]:
    """Ranges that hold every id from first to last once, in order, each but the last up to one of `uppers`."""
    edges = [first_id - 1, *sorted({upper for upper in uppers if first_id <= upper < last_id}), last_id]
    return [ShardRange(after, to) for after, to in pairwise(edges) if after < to]


HALTS_FROM_ROWS: Final = 100
"""Of fewer rows a rate says nothing yet: one bad row of the first ten must not stop a company."""


def halts(counts: Counts, since: Counts, *, limit: float) -> bool:
    """Whether too many rows failed: of all, and also of those since the job was last started, which is `since`. So
    neither what ops have looked into after a halt nor the first page of a run that goes on halts a job by itself.
    """
    return counts.processed >= HALTS_FROM_ROWS and counts.failure_rate > limit and (counts - since).failure_rate > limit
