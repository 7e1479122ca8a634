"""Documents as bytes: read as far as they can be, and known by the bytes of their `_id`."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import CodecOptions, ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.raw_bson import RawBSONDocument

from cdp_pipelines.stores.documents import (
    Unreadable,
    behind,
    decoded,
    id_element,
    position_of,
    position_text,
    read_each,
    read_one,
)
from cdp_pipelines_tests.support.hostile import BEYOND, with_bad_uuid, with_no_text

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
IDS: list[Any] = [
    "text", "", 5, 2**40, 1.5, ObjectId("65f0c0ffee65f0c0ffee65f0"), b"xy", True, {"a": {"b": [1]}},
    datetime(2024, 5, 1, tzinfo=UTC),
    UUID(int=7),
    None,
]  # fmt: skip


def raw(document: dict[str, Any]) -> RawBSONDocument:
    return RawBSONDocument(bson.encode(document, codec_options=OPTIONS))


@pytest.mark.parametrize("document_id", IDS, ids=str)
def test_an_id_of_any_type_is_read_and_a_walk_goes_on_behind_it(document_id: Any) -> None:
    read = read_one(raw({"_id": document_id, "a": 1}), OPTIONS)
    assert read == {"_id": document_id, "a": 1}
    assert bson.decode(RawBSONDocument(bson.encode({"_id": document_id}, codec_options=OPTIONS)).raw, OPTIONS)
    if not isinstance(document_id, UUID):
        assert str(position_of(position_text(document_id)))[:10] == str(document_id)[:10]
        assert "$gt" in str(behind(document_id))


@pytest.mark.parametrize("text", [None, "", "x", "6650f0000000000000000000", "AAAA", "é"])
def test_a_place_that_cannot_be_read_begins_the_walk_again(text: str | None) -> None:
    assert position_of(text) is None


@pytest.mark.parametrize("names", [("a",), ("key:",), ("a", "b")])
def test_texts_that_are_none_are_read_with_a_mark(names: tuple[str, ...]) -> None:
    read = read_one(with_no_text({"_id": 1, "z": BEYOND}, *names), OPTIONS)
    assert isinstance(read, dict)
    assert "Caf\ufffd\ufffd" in str(read)


def test_an_id_that_would_not_be_found_again_is_unreadable_but_known() -> None:
    odd = [with_no_text({"_id": "x", "a": 1}, "_id"), with_bad_uuid({"_id": ObjectId("6" * 24)}, "a")]
    found = read_each([*odd, raw({"_id": 2})], OPTIONS)
    assert list(found) == [{"_id": 2}]
    assert [type(each) for each in found.unreadable] == [Unreadable, Unreadable]
    for each, whole in zip(found.unreadable, odd, strict=True):
        assert id_element(bytes(each.identity.raw)) == id_element(bytes(whole.raw))
    assert [each.shown for each in found.unreadable] == ["Caf\ufffd\ufffd (bytes 436166e9ff)", "6" * 24]


def test_a_row_that_cannot_be_decoded_leaves_its_neighbours_and_its_own_uuids_as_they_are() -> None:
    good = UUID(int=7)
    rows = [raw({"_id": 1, "u": good}), with_bad_uuid({"_id": 2}, "u"), raw({"_id": 3, "u": [good]})]
    batch = b"".join(bytes(row.raw) for row in rows)
    read = list(decoded([batch, bytes(raw({"_id": 4}).raw)], OPTIONS))
    assert [row["_id"] for row in read] == [1, 2, 3, 4]
    assert (read[0]["u"], read[2]["u"]) == (good, [good])
    assert bytes(read[1]["u"]) == b"abc"
