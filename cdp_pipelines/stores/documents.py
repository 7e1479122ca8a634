"""Reading documents that others write, each for itself: one that cannot be read harms no neighbour (SPEC 2).

The driver decodes a whole batch or fails it, so documents come as bytes and are decoded one by one. Texts that are no
UTF-8 (Go's driver writes them) are read with U+FFFD; what cannot be read at all, and what has an `_id` that would not
be found again by what was read of it, is `Unreadable`: it still has the bytes of its `_id`, by which it is set aside.
"""

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import bson
from bson.binary import UUID_SUBTYPE, Binary, UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from cdp_pipelines.domain.admission import Rejected

Document = dict[str, Any]

UNREADABLE: Final = Rejected(
    "DOCUMENT_UNREADABLE",
    422,
    "The request cannot be read: it, or its _id, holds bytes that are no text, or values that are none of their type. "
    "Ask again with a new document.",
)

_SHOWN: Final = 80
_UUID_BYTES: Final = 16
_ID: Final = b"_id\0"
# What BSON orders one behind the other, by the numbers of its types; see the server's comparison order.
_ORDER: Final = ((-1,), (10, 6), (1, 16, 18, 19), (2, 14), (3,), (4,), (5,), (7,), (8,), (9,), (17,), (11,), (127,))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that cannot be worked on: the bytes of its `_id` as a filter, and how it is shown to operators."""

    identity: RawBSONDocument
    shown: str


class Found(list[Document]):
    """The documents of one read, and beside them those that could not be read."""

    def __init__(self, documents: Iterable[Document] = (), unreadable: Sequence[Unreadable] = ()) -> None:
        super().__init__(documents)
        self.unreadable = tuple(unreadable)


def readable_options(collection: Collection[Any]) -> "CodecOptions[Document]":
    """The collection's options, but that no text and no date is a reason not to read a document."""
    options: CodecOptions[Document] = collection.codec_options.with_options(
        unicode_decode_error_handler="replace", datetime_conversion=DatetimeConversion.DATETIME_AUTO
    )
    return options


def as_bytes(collection: Collection[Document]) -> Collection[RawBSONDocument]:
    """The same collection, whose documents come as they are."""
    return collection.with_options(codec_options=CodecOptions(document_class=RawBSONDocument))


def read_each(documents: Iterable[RawBSONDocument], options: "CodecOptions[Document]") -> Found:
    """Decode each for itself."""
    readable, unreadable = [], []
    for raw in documents:
        read = read_one(raw, options)
        if isinstance(read, Unreadable):
            unreadable.append(read)
        else:
            readable.append(read)
    return Found(readable, unreadable)


def decoded(batches: Iterable[Any], options: "CodecOptions[Document]") -> Iterator[Document]:
    """The rows of raw batches (bytes), decoded a batch at once, as fast as the driver does it.

    A batch with a row that cannot be decoded is decoded row by row: what is no uuid stays the bytes that it is.
    """
    for batch in batches:
        try:
            rows = bson.decode_all(batch, options)
        except BSONError:
            yield from map(partial(_mended, options=options), _each_of(batch))
        else:
            yield from rows


def _each_of(batch: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(batch):
        end = start + int.from_bytes(batch[start : start + 4], "little")
        yield batch[start:end]
        start = end


def _mended(encoded: bytes, options: "CodecOptions[Document]") -> Document:
    try:
        return bson.decode(encoded, options)
    except BSONError:
        found = bson.decode(encoded, options.with_options(uuid_representation=UuidRepresentation.UNSPECIFIED))
        return {name: _with_uuids(value) for name, value in found.items()}


def _with_uuids(value: Any) -> Any:
    """A value in which those bytes that are a uuid are one."""
    if isinstance(value, Binary) and value.subtype == UUID_SUBTYPE and len(value) == _UUID_BYTES:
        return value.as_uuid()
    if isinstance(value, dict):
        return {name: _with_uuids(each) for name, each in value.items()}
    return [_with_uuids(each) for each in value] if isinstance(value, list) else value


def read_one(raw: RawBSONDocument, options: "CodecOptions[Document]") -> Document | Unreadable:
    """Decode one document that has an `_id`."""
    try:
        document = bson.decode(raw.raw, options)
    except (BSONError, ValueError, OverflowError, RecursionError):
        return _unreadable(raw)
    element = id_element(bytes(raw.raw))
    try:
        same = id_element(bson.encode({"_id": document.get("_id")}, codec_options=options)) == element
    except (BSONError, ValueError, OverflowError):
        same = False
    return document if same else _unreadable(raw)


def _unreadable(raw: RawBSONDocument) -> Unreadable:
    element = id_element(bytes(raw.raw))
    kind, value = element[0], element[1 + len(_ID) :]
    # A text begins with its length and ends with a zero byte.
    text = value[4:-1] if kind == bson.BSONSTR[0] else value
    if kind == bson.BSONOID[0]:
        return Unreadable(_document(element), value.hex())
    readable = "".join(c if c.isprintable() else "\ufffd" for c in text.decode("utf-8", "replace"))
    return Unreadable(_document(element), f"{readable[:_SHOWN]} (bytes {text.hex()[:_SHOWN]})")


def id_element(encoded: bytes) -> bytes:
    """The bytes of a document's `_id`: type, name, value. The server puts it first.

    Raises:
        ValueError: the document has none there.
    """
    if encoded[5 : 5 + len(_ID)] != _ID:
        raise ValueError("the document does not begin with its _id")
    return encoded[4 : _end_of_value(encoded, 4, 5 + len(_ID))]


_FIXED: Final = {0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16,
                 0x7F: 0, 0xFF: 0}  # fmt: skip


def _end_of_value(encoded: bytes, type_at: int, start: int) -> int:
    kind = encoded[type_at]
    if kind in _FIXED:
        return start + _FIXED[kind]
    length = int.from_bytes(encoded[start : start + 4], "little")
    if kind in (0x02, 0x0D, 0x0E):  # text, code, symbol: a length, then so many bytes
        return start + 4 + length
    if kind == 0x05:  # binary: a length, a subtype, then so many bytes
        return start + 5 + length
    if kind in (0x03, 0x04, 0x0F):  # document, array, code with scope: the length counts itself
        return start + length
    raise ValueError("an _id cannot be of this type")


def _document(element: bytes) -> RawBSONDocument:
    return RawBSONDocument((len(element) + 5).to_bytes(4, "little") + element + b"\0")


def behind(document_id: object) -> Document:
    """Leads to all documents whose `_id` comes behind this one in the server's order, also those of other types.

    A plain `$gt` compares within one type only, so a walk with it never sees the others.
    """
    kind = bson.encode({"_id": document_id})[4]
    number = kind if kind < 128 else kind - 256
    rank = next((rank for rank, kinds in enumerate(_ORDER) if number in kinds), len(_ORDER))
    later = [number for kinds in _ORDER[rank + 1 :] for number in kinds]
    return (
        {"$or": [{"_id": {"$gt": document_id}}, {"_id": {"$type": later}}]} if later else {"_id": {"$gt": document_id}}
    )


def position_text(document_id: object) -> str:
    """Where a walk stands, to be kept as a text; see `position_of`."""
    return base64.b64encode(bson.encode({"_id": document_id})).decode("ascii")


def position_of(text: str | None) -> object | None:
    """The `_id` that a walk goes on behind; None for what cannot be read, which begins it again."""
    try:
        return bson.decode(base64.b64decode(text or "", validate=True)).get("_id")
    except (BSONError, ValueError):
        return None
