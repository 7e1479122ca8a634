"""Whose a field of a queued document is: the requester's, or ours (SPEC 2).

Others write these documents. What is ours is wiped when a request is taken in, and read with care ever after, since a
later edit may have put anything there; what is the requester's is kept as a snapshot, and only that is worked from.

Belongs here: the table of a kind's fields and the pure ways to part and join a document. Not here: any one kind's table
(`stores/export_jobs.py` and its like), keeping snapshots (`stores/request_intake.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

Document = dict[str, Any]
Kind: TypeAlias = Literal["text", "count", "instant", "switch", "texts", "list", "mapping"]

LARGEST_COUNT: Final = 2**53
CANCEL: Final = "cancel_requested"
"""The one field that people may change after a request was taken in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFields:
    """The fields of one kind of request.

    `asked` are the requester's. `ours` are those that the pipeline keeps, with what each must be to be believed; beside
    `launch` and `lease`, whose parts are looked at too. `neutral` is what some of ours are until a run begins, for
    readers who expect them; the others are absent. `filled` are the requester's that the pipeline fills where they were
    left out.
    """

    asked: frozenset[str]
    ours: Mapping[str, Kind]
    neutral: Mapping[str, Any]
    filled: frozenset[str] = frozenset()

    @property
    def written(self) -> tuple[str, ...]:
        """The fields that are read from a document once its request was taken in."""
        return ("status", CANCEL, *self.ours, *self.filled)

    def snapshot(self, document: Mapping[str, Any]) -> Document:
        """What is the requester's of a document."""
        return {name: document[name] for name in document if name in self.asked}

    def brought(self, document: Mapping[str, Any]) -> list[str]:
        """Which fields of ours a document has, `launch` apart, which its claim has just written."""
        return [name for name in document if name in self.ours and name != "launch"]

    def believed(self, document: Mapping[str, Any]) -> Document:
        """A document without those of our fields that cannot be what the pipeline wrote."""
        return {name: value for name, value in document.items() if name not in self.ours or self._is_sane(name, value)}

    def joined(self, document: Mapping[str, Any], snapshot: Mapping[str, Any]) -> Document:
        """The request as it was taken in, with what the pipeline has written since and whether it is to stop."""
        kept = {"_id", "status", CANCEL}
        found = {
            name: value
            for name, value in document.items()
            if name in kept or (name in self.ours and self._is_sane(name, value))
        }
        filled = {name: document[name] for name in self.filled if isinstance(document.get(name), str)}
        return {**found, **filled, **{name: value for name, value in snapshot.items() if value is not None}}

    def _is_sane(self, name: str, value: object) -> bool:
        if value is None:
            return True
        if name in _PARTS:
            parts = _PARTS[name]
            return isinstance(value, Mapping) and all(_IS[kind](value.get(part)) for part, kind in parts.items())
        if name == "result":
            return _is_result(value)
        return _IS[self.ours[name]](value)


_PARTS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "lease": {"owner_run_id": "text", "expires_at": "instant"},
    "launch": {"token": "text", "at": "instant", "expires_at": "instant"},
}
_RESULT_PARTS: Final[Mapping[str, Kind]] = {
    "key": "text", "url": "text", "file_name": "text", "token": "text", "sha256": "text", "size_bytes": "count",
    "total_bytes": "count", "record_count": "count", "expires_at": "instant",
}  # fmt: skip


def _is_result(value: object) -> bool:
    """A result as a run writes it; files in several parts have the same facts each."""
    if not isinstance(value, Mapping):
        return False
    if not all(value.get(name) is None or _IS[kind](value[name]) for name, kind in _RESULT_PARTS.items()):
        return False
    parts = value.get("parts")
    return parts is None or (isinstance(parts, list) and all(_is_part(part) for part in parts))


def _is_part(part: object) -> bool:
    if not isinstance(part, Mapping) or "parts" in part or not _is_result(part):
        return False
    return all(part.get(name) is not None for name in ("key", "file_name", "size_bytes", "record_count"))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_IS: Final[Mapping[Kind, Callable[[object], bool]]] = {
    "text": lambda value: isinstance(value, str),
    "count": _is_count,
    # A BSON date beyond Python's calendar is none here, nor is one without a zone, which our client never makes.
    "instant": lambda value: isinstance(value, datetime) and value.tzinfo is not None,
    "switch": lambda value: isinstance(value, bool),
    "texts": _is_texts,
    "list": lambda value: isinstance(value, list),
    "mapping": lambda value: isinstance(value, Mapping),
}
