"""Comparing what must be in the CDP with what is, by id and by content digest (SPEC 5.3, reconciliation).

Belongs here: the digest, the comparison of two streams in the order of their ids, the tally. Not here: reading either
side, and which keys of a document may differ (each migration says that with its `comparable`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cdp_pipelines.domain.migrations import percent

LISTED_IDS: Final = 100
"""How many ids of each kind a report lists; the counts are of all."""

Verdict: TypeAlias = Literal["identical", "changed_since", "different", "missing", "extra"]
CHANGED_SINCE: Final = "changed_since"
"""Differs, and provably because somebody else than the migration wrote it later: people, in the CDP."""
DELETED_FLAGS: Final = ("is_deleted", "deleted", "deleted_at")


class Pair(NamedTuple):
    """One id with what each side has under it; None: that side has nothing."""

    id: int
    expected: Any
    stored: Any


def merged(expected: Iterable[tuple[int, Any]], stored: Iterable[tuple[int, Any]]) -> Iterator[Pair]:
    """Join two streams that ascend by id, holding one item of each at a time."""
    left, right = iter(expected), iter(stored)
    here, there = next(left, None), next(right, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here[0] < there[0]):
            if here is None:
                return
            yield Pair(here[0], here[1], None)
            here = next(left, None)
        elif here is None or there[0] < here[0]:
            yield Pair(there[0], None, there[1])
            there = next(right, None)
        else:
            yield Pair(here[0], here[1], there[1])
            here, there = next(left, None), next(right, None)


def is_flagged_deleted(document: Mapping[str, Any]) -> bool:
    """Whether a document says that it is deleted, which no migration ever writes."""
    return any(document.get(flag) is True or isinstance(document.get(flag), datetime) for flag in DELETED_FLAGS)


def content_digest(document: Mapping[str, Any]) -> bytes:
    """16 bytes that depend on every key and value and not on the order of keys; instants count to the millisecond."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).digest()


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return str(value)


@dataclass(slots=True)
class Tally:
    """What a reconciliation found so far; `as_document` and `from_document` carry it over a restart.

    `eligible` are the source's rows that no rule skips; those that failed or were quarantined are among them and count
    as `missing`. `extra` are documents that no eligible row stands for. `degraded` are identical but for an author whom
    an outage left unknown, and who is known now; `mended` are those that were just set right.
    """

    source: int = 0
    skipped_by_rule: int = 0
    identical: int = 0
    changed_since: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    degraded: int = 0
    mended: int = 0
    notes: dict[str, int] = field(default_factory=dict)
    ids: dict[str, list[str]] = field(default_factory=dict)

    @property
    def eligible(self) -> int:
        """Rows that must be in the CDP."""
        return self.source - self.skipped_by_rule

    @property
    def matching(self) -> int:
        """Rows that arrived: identical still, or changed by people since."""
        return self.identical + self.changed_since

    @property
    def match_pct(self) -> float | None:
        """Matching of eligible, in percent; None where there is nothing to compare."""
        return percent(self.matching, self.eligible)

    @property
    def accuracy_pct(self) -> float | None:
        """Matching of those that are there at all, in percent; None where there are none."""
        return percent(self.matching, self.matching + self.different)

    def count(self, verdict: Verdict, identifier: str) -> None:
        """Count one id, and list it if it is not identical."""
        setattr(self, verdict, getattr(self, verdict) + 1)
        if verdict != "identical":
            self.list(verdict, identifier)

    def list(self, name: str, identifier: str) -> None:
        """List one id, up to the bound."""
        listed = self.ids.setdefault(name, [])
        if len(listed) < LISTED_IDS:
            listed.append(identifier)

    def note(self, name: str, number: int = 1) -> None:
        """Count something noticed beside the verdict."""
        self.notes[name] = self.notes.get(name, 0) + number

    def as_document(self) -> dict[str, Any]:
        """All counts and listed ids, with the shares."""
        return {
            "source": self.source,
            "skipped_by_rule": self.skipped_by_rule,
            "eligible": self.eligible,
            "identical": self.identical,
            "changed_since": self.changed_since,
            "different": self.different,
            "missing": self.missing,
            "extra": self.extra,
            "degraded": self.degraded,
            "mended": self.mended,
            "match_pct": self.match_pct,
            "accuracy_pct": self.accuracy_pct,
            "notes": dict(self.notes),
            "ids": {verdict: list(listed) for verdict, listed in self.ids.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None) -> "Tally":
        """The tally of an interrupted reconciliation, or an empty one."""
        if not document:
            return cls()
        counts = {name: int(document.get(name) or 0) for name in _COUNTS}
        notes = {str(name): int(number) for name, number in (document.get("notes") or {}).items()}
        ids = {str(name): [str(item) for item in listed] for name, listed in (document.get("ids") or {}).items()}
        return cls(**counts, notes=notes, ids=ids)


_COUNTS: Final = (
    "source", "skipped_by_rule", "identical", "changed_since", "different", "missing", "extra", "degraded", "mended",
)  # fmt: skip

Comparable: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
