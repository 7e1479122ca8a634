"""What may stand in a document that others write: any type, other people's keys, bytes that are no text."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson import DatetimeMS, Decimal128, Int64, MinKey, ObjectId, Regex
from bson.raw_bson import RawBSONDocument
from hypothesis import strategies as st

Document = dict[str, Any]

NO_TEXT = b"Caf\xe9\xff"
"""As Go's driver writes what a program took for text."""
_STANDS_FOR = "Caf\x01\x02"
PAST = datetime(2024, 5, 1, tzinfo=UTC)
FUTURE = datetime(2900, 1, 1, tzinfo=UTC)
BEYOND = DatetimeMS(2**62)

JUNK: list[Any] = [
    None, True, -1, 2**40, Int64(2**62), 1.5, float("nan"), float("inf"), "", "x", "soon", "n/a", "../../x", [], [1],
    ["queued"], [["a"]], {}, {"$ne": 1}, {"a": {"b": [None]}}, b"\x00\xff", ObjectId(), Decimal128("NaN"), MinKey(),
    Regex("^a"), PAST, FUTURE, BEYOND, datetime(1, 1, 1, tzinfo=UTC), "\ufffd", "\x00", "a" * 5_000,
    {"owner_run_id": "run", "expires_at": PAST}, {"owner_run_id": ["run"], "expires_at": "soon"},
    {"token": "t", "at": PAST, "expires_at": FUTURE}, {"token": 5, "at": "soon", "expires_at": [PAST, FUTURE]},
]  # fmt: skip


def leads_to(keys: Sequence[str]) -> list[Any]:
    """Values that lead to somebody's objects, in the shapes that fields of ours have."""
    key, *_ = keys
    file = {"key": key, "url": f"https://s3.example/{key}", "file_name": "x.csv", "size_bytes": 1, "record_count": 1}
    whole = {**file, "sha256": "0" * 64, "token": "t", "expires_at": FUTURE, "total_bytes": 1}
    return [*keys, list(keys), whole, {**whole, "parts": [file, file]}, {"key": key}]


def values(keys: Sequence[str]) -> st.SearchStrategy[Any]:
    """Anything, and often what leads to these keys."""
    return st.one_of(st.sampled_from(leads_to(keys)), st.sampled_from(JUNK), st.text(max_size=8), st.integers(-9, 9))


def forged(ours: Sequence[str], keys: Sequence[str], *, more: Mapping[str, Any]) -> st.SearchStrategy[Document]:
    """Fields of ours as a requester might bring them, and of `more` one of the values given for each."""
    brought = st.dictionaries(st.sampled_from(sorted(ours)), values(keys), min_size=1, max_size=len(ours))
    chosen = st.fixed_dictionaries({name: st.sampled_from(among) for name, among in more.items()})
    return st.builds(lambda one, other: {**one, **other}, brought, chosen)


def with_no_text(document: Mapping[str, Any], *names: str) -> RawBSONDocument:
    """The document with bytes that are no text under these names; `"key:"` makes them the name of a field itself."""
    marked = dict(document)
    for name in names:
        if name == "key:":
            marked[_STANDS_FOR] = "x"
        else:
            marked[name] = _STANDS_FOR
    encoded = bson.encode(marked)
    assert encoded.count(_STANDS_FOR.encode()) == len(names)
    return RawBSONDocument(encoded.replace(_STANDS_FOR.encode(), NO_TEXT))


def with_bad_uuid(document: Mapping[str, Any], name: str) -> RawBSONDocument:
    """The document with a uuid of three bytes, which the driver will not decode."""
    placed = bson.encode({**document, name: bson.Binary(b"abc", 0)})
    found = b"\x05" + name.encode() + b"\x00\x03\x00\x00\x00"
    assert placed.count(found + b"\x00abc") == 1
    return RawBSONDocument(placed.replace(found + b"\x00abc", found + b"\x04abc"))


def ago(**delta: float) -> datetime:
    return datetime.now(UTC) - timedelta(**delta)
