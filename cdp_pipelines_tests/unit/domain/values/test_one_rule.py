"""A value reads the same wherever it stands: alone, in a list or an object, in every format of both exports."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef

from cdp_pipelines.domain.cells import StyledCell
from cdp_pipelines.domain.contact_export.fields import Column, FieldProperty
from cdp_pipelines.domain.contact_export.values import csv_renderer, xlsx_renderer
from cdp_pipelines.domain.entity_export.entities import Field
from cdp_pipelines.domain.entity_export.values import EntityRenderer
from cdp_pipelines.domain.values.moments import to_instant
from cdp_pipelines.domain.values.numbers import exact_sum, plain
from cdp_pipelines.formats.json_rows import json_rows

ZONE = ZoneInfo("Asia/Jakarta")
OID = ObjectId("65f0c0ffee0000000000abcd")
NAN, INFINITY = float("nan"), float("inf")
READS = [
    (NAN, "NaN"),
    (INFINITY, "Infinity"),
    (-INFINITY, "-Infinity"),
    (Decimal128("NaN"), "NaN"),
    (Decimal128("-NaN"), "NaN"),
    (Decimal128("sNaN"), "NaN"),
    (Decimal128("Infinity"), "Infinity"),
    (Decimal128("-Infinity"), "-Infinity"),
    (Binary(b"\xff"), "/w=="),
    (Binary(b"\xff", 5), "/w=="),
    (b"\xff", "/w=="),
    (Regex("^a"), "Regex('^a', 0)"),
    (Code("x"), "x"),
    (Code("x", {"a": 1}), "x"),
    (Timestamp(1714532400, 1), "2024-05-01T10:00:00+07:00"),
    (MinKey(), "MinKey()"),
    (MaxKey(), "MaxKey()"),
    (OID, str(OID)),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (DatetimeMS(10**17), "+3170843-11-07T09:46:40Z"),
    (DBRef("c", 1), {"$ref": "c", "$id": 1}),
    (DBRef("c", OID, "d", extra=NAN), {"$ref": "c", "$id": str(OID), "$db": "d", "extra": "NaN"}),
    (DBRef("c", DBRef("d", NAN)), {"$ref": "c", "$id": {"$ref": "d", "$id": "NaN"}}),
]


def cells(value: Any) -> list[Any]:
    """The value's cell in every format and kind of column that has texts, sheets and CSV."""
    field = FieldProperty("f", "f", "single_line_text", is_default=True)
    found: list[Any] = [
        renderer([Column(field, "f")], ZONE)({"f": value})[0] for renderer in (csv_renderer, xlsx_renderer)
    ]
    for file_format in ("CSV", "XLSX"):
        for kind in ("text", "json", "any", "number"):
            renderer = EntityRenderer([Field("f", kind=kind)], file_format, ZONE)
            found.append(renderer.columns([{"f": value}])[0][0])
    shown = [cell.value if isinstance(cell, StyledCell) else cell for cell in found]
    return [cell if isinstance(cell, int | float) else str(cell) for cell in shown]


def in_json(value: Any) -> list[Any]:
    """The value as it is read back from NDJSON, by a reader that takes nothing but JSON."""
    found = []
    for kind in ("text", "json", "any", "number", "instant", "day"):
        renderer = EntityRenderer([Field("f", kind=kind)], "NDJSON", ZONE)
        [line] = json_rows(["f"], renderer.columns([{"f": value}]))
        found.append(strict(line.decode())["f"])
    return found


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(("value", "read"), READS, ids=lambda part: repr(part)[:40])
def test_alone(value: Any, read: Any) -> None:
    assert [cell if isinstance(read, str) else strict(cell) for cell in cells(value)] == [read] * 10
    assert all(found == read for found in in_json(value)[:4])


@pytest.mark.parametrize(("value", "read"), READS, ids=lambda part: repr(part)[:40])
@pytest.mark.parametrize("shape", [lambda v: [v], lambda v: {"a": v}, lambda v: [{"b": [1.5, v]}, "x"]])
def test_inside(value: Any, read: Any, shape: Any) -> None:
    assert [strict(cell) for cell in cells(shape(value))] == [shape(read)] * 10
    assert in_json(shape(value)) == [shape(read)] * 6


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (-0.0, "0"), (Decimal128("-0"), "0"), (Int64(5), "5"), (5.0, "5"), (Decimal128("2.50"), "2.5"),
        (1e21, "1" + "0" * 21),
    ],
)  # fmt: skip
def test_numbers(number: Any, digits: str) -> None:
    assert {plain(cell) if isinstance(cell, int | float) else cell for cell in cells(number)} == {digits}
    assert {plain(found) for found in in_json(number)[:4]} == {digits}
    assert not any(repr(found).startswith("-0") for found in in_json(number))


@pytest.mark.parametrize(
    ("number", "decimals", "total"),
    [
        (12.1, Decimal128("0.50"), "12.6"),
        (0.1 + 0.2, Decimal128("0.10"), "0.40000000000000004"),
        (0, Decimal128("12345678901234567890.12"), "12345678901234567890.12"),
        (1e300, Decimal128("0.1"), "1" + "0" * 300 + ".1"),
        (-5, Decimal128("5.00"), "0"),
        (2.5, 0, "2.5"),
        (7, 0, "7"),
        (NAN, Decimal128("1"), "NaN"),
        (1, Decimal128("sNaN"), "NaN"),
        (INFINITY, Decimal128("1"), "Infinity"),
        (1.5, Decimal128("-Infinity"), "-Infinity"),
    ],
)
def test_sums_keep_the_digits_that_were_written(number: Any, decimals: Any, total: str) -> None:
    found = exact_sum(number, decimals)

    assert plain(found) == total
    assert isinstance(found, Decimal) == (decimals != 0 and total[-1].isdigit())


def test_an_instant_without_a_zone_is_in_utc() -> None:
    naive, aware = datetime(2024, 5, 1, 3), datetime(2024, 5, 1, 3, tzinfo=UTC)  # noqa: DTZ001
    assert [to_instant(value) for value in (naive, aware, "2024-05-01T10:00:00+07:00")] == [aware] * 3
