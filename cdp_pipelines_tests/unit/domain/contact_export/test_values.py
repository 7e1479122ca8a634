"""The format table of SPEC 3.3, row by row, in both formats."""
# ruff: noqa: DTZ001, DTZ901
# The driver gives naive datetimes, which are UTC, and sheets have naive wall clocks.

import base64
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Binary, Code, Decimal128, Int64, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from cdp_pipelines.domain.cells import CellStyle, StyledCell, XlsxCell
from cdp_pipelines.domain.contact_export.fields import Column, FieldProperty
from cdp_pipelines.domain.contact_export.values import csv_renderer, sheet_columns, xlsx_renderer

JAKARTA = ZoneInfo("Asia/Jakarta")
DATE = CellStyle("yyyy-mm-dd")
MOMENT = CellStyle("yyyy-mm-dd hh:mm:ss")
MILLISECONDS = CellStyle("yyyy-mm-dd hh:mm:ss.000")
WRAP = CellStyle(None, wrap=True)
GENERAL_ID = CellStyle("0")


def column(field_type: str, number_type: str = "", *, name: str = "f", default: bool = False) -> Column:
    return Column(FieldProperty(name, name, field_type, is_default=default, number_type=number_type), name)


def both(made: Column, value: Any, code: Any = None, zone: ZoneInfo = JAKARTA) -> tuple[str, XlsxCell]:
    entry = {"key": made.field.name, "value": value, "currency_code": code}
    contact = {made.field.name: value} if made.field.is_default else {"custom_fields": [entry]}
    return csv_renderer([made], zone)(contact)[0], xlsx_renderer([made], zone)(contact)[0]


TEXT_TYPES = [
    "single_line_text", "dropdown_select", "url", "upload", "signature", "email", "phone", "bool", "", "never_heard_of",
]  # fmt: skip


@pytest.mark.parametrize("field_type", TEXT_TYPES)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Ann", "Ann"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (-5, "-5"),
        (5.0, "5"),
        (1e22, "10000000000000000000000"),
        (Int64(2**60), "1152921504606846976"),
        (float("nan"), "NaN"),
        (Decimal128("1.10"), "1.1"),
        (Decimal128("12345678901234567890.123456789012"), "12345678901234567890.123456789012"),
        (["a", "é"], '["a","é"]'),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([datetime(2024, 5, 1, 3, tzinfo=UTC), Decimal128("2.5")], '["2024-05-01T10:00:00+07:00","2.5"]'),
        (ObjectId("0123456789abcdef01234567"), "0123456789abcdef01234567"),
        (datetime(2024, 5, 1, 3), "2024-05-01T10:00:00+07:00"),
        (date(2024, 5, 1), "2024-05-01"),
        (b"\x00\x01", "AAE="),
        (Binary(b"\x00\x01", 128), "AAE="),
        (Timestamp(1714532400, 1), "2024-05-01T10:00:00+07:00"),
        (DatetimeMS(253402300800000), "+010000-01-01T00:00:00Z"),
        (DatetimeMS(-62167219200000), "+000000-01-01T00:00:00Z"),
        ("=1+1", "'=1+1"),
        (Code("=1+1"), "'=1+1"),
        (base64.b64decode("+AAA"), "'+AAA"),
    ],
)
def test_text(field_type: str, value: Any, text: str) -> None:
    assert both(column(field_type), value) == (text, text)


@pytest.mark.parametrize("value", [Regex("a"), MinKey(), object])
def test_other_types_have_some_text(value: Any) -> None:
    csv_cell, xlsx_cell = both(column("single_line_text"), value)

    assert csv_cell == xlsx_cell == str(value)


def test_a_phone_is_guarded_where_it_could_become_a_number() -> None:
    assert both(column("phone"), "+62 812-3456-7890") == ("'+62 812-3456-7890", "+62 812-3456-7890")


def test_text_area_wraps_and_keeps_its_lines() -> None:
    assert both(column("text_area"), "a\nb") == ("a\nb", StyledCell("a\nb", WRAP))
    assert both(column("text_area"), "-a\nb") == ("'-a\nb", StyledCell("'-a\nb", WRAP))
    assert both(column("text_area"), 7) == ("7", StyledCell("7", WRAP))


@pytest.mark.parametrize(
    ("value", "csv_cell", "xlsx_cell"),
    [
        (0, "0", 0),
        (-5, "-5", -5),
        (12.5, "12.5", 12.5),
        (3.0, "3", 3.0),
        (-0.0, "0", 0.0),
        (1e-7, "0.0000001", 1e-7),
        (1e22, "10000000000000000000000", 1e22),
        (123456789012, "123456789012", StyledCell(123456789012, GENERAL_ID)),
        (2**53, "9007199254740992", StyledCell(2**53, GENERAL_ID)),
        (2**53 + 1, "9007199254740993", "9007199254740993"),
        (-(2**53) - 1, "-9007199254740993", "-9007199254740993"),
        (Int64(10**18), "1000000000000000000", StyledCell(1e18, GENERAL_ID)),
        (Decimal128("0.1"), "0.1", 0.1),
        (Decimal("2.50"), "2.5", 2.5),
        (Decimal128("0.12345678901234567890123456789"), "0.12345678901234567890123456789", None),
        (Decimal128("1E+30"), "1" + "0" * 30, 1e30),
        (Decimal128("NaN"), "NaN", "NaN"),
        (Decimal128("Infinity"), "Infinity", "Infinity"),
        (float("nan"), "NaN", "NaN"),
        (float("inf"), "Infinity", "Infinity"),
        (float("-inf"), "-Infinity", "-Infinity"),
        ("42", "42", 42.0),
        ("-1.50", "-1.50", -1.5),
        ("0.1", "0.1", 0.1),
        ("9007199254740993", "9007199254740993", None),
        ("007", "007", None),
        ("1e5", "1e5", None),
        ("1,000", "1,000", None),
        ("١٢", "١٢", None),
        ("12 pcs", "12 pcs", None),
        ("+62812345678", "'+62812345678", "+62812345678"),
        ("=1", "'=1", "'=1"),
        (True, "true", "true"),
        ([1], "[1]", "[1]"),
    ],
)
def test_number(value: Any, csv_cell: str, xlsx_cell: XlsxCell) -> None:
    expected = csv_cell if xlsx_cell is None else xlsx_cell

    assert both(column("number", "number"), value) == (csv_cell, expected)
    assert type(both(column("number"), value)[1]) in {type(expected), int, float}


@pytest.mark.parametrize(
    ("value", "shown", "stored", "number_format"),
    [
        (12.5, "12.5%", 0.125, "0.0%"),
        (12, "12%", 0.12, "0%"),
        (100.0, "100%", 1.0, "0%"),
        (0, "0%", 0.0, "0%"),
        (-3.25, "-3.25%", -0.0325, "0.00%"),
        (12.3, "12.3%", 0.123, "0.0%"),
        (0.07, "0.07%", 0.0007, "0.00%"),
        ("12.50", "12.5%", 0.125, "0.0%"),
        (Decimal128("12.5"), "12.5%", 0.125, "0.0%"),
        (1e-20, "0.00000000000000000001%", 1e-22, "0.000000000000000%"),
    ],
)
def test_percentage(value: Any, shown: str, stored: float, number_format: str) -> None:
    assert both(column("number", "percentage"), value) == (shown, StyledCell(stored, CellStyle(number_format)))


IDR = '"IDR "#,##0;"IDR "-#,##0'


@pytest.mark.parametrize(
    ("value", "code", "shown", "number_format"),
    [
        (1_000_000, "IDR", "IDR 1,000,000", IDR),
        (-1_000, "IDR", "IDR -1,000", IDR),
        (0, "IDR", "IDR 0", IDR),
        (1_000_000.0, "IDR", "IDR 1,000,000", IDR),
        (1234.5, "USD", "USD 1,234.5", '"USD "#,##0.0;"USD "-#,##0.0'),
        (1234.56, "idr", "idr 1,234.56", '"idr "#,##0.00;"idr "-#,##0.00'),
        ("2500", " IDR ", "IDR 2,500", IDR),
        (Decimal128("2500.00"), "IDR", "IDR 2,500", IDR),
        (1_000, None, "1,000", "#,##0"),
        (-1_000.5, "", "-1,000.5", "#,##0.0"),
    ],
)
def test_currency(value: Any, code: Any, shown: str, number_format: str) -> None:
    csv_cell, xlsx_cell = both(column("number", "currency"), value, code)

    assert csv_cell == shown
    assert isinstance(xlsx_cell, StyledCell)
    assert xlsx_cell == StyledCell(float(str(value)), CellStyle(number_format))


@pytest.mark.parametrize(
    ("code", "text"),
    [("=cmd", "'=cmd 5"), ("TOOLONG", "TOOLONG 5"), ('"', '" 5'), (5, "5 5"), ("Rp.", "Rp. 5"), ("١٢", "١٢ 5")],
)
def test_a_currency_code_that_is_none_makes_a_text(code: Any, text: str) -> None:
    assert both(column("number", "currency"), 5, code) == (text, text)


def test_currency_codes_cannot_make_more_formats_than_a_sheet_bears() -> None:
    columns = [column("number", "currency")]
    render = xlsx_renderer(columns, JAKARTA)
    codes = [a + b for a in "ABCDEFGHIJKLMNOPQRST" for b in "ABCDEFGHIJKLMNOPQRST"]
    cells = [render({"custom_fields": [{"key": "f", "value": 1000, "currency_code": code}]})[0] for code in codes]
    styles = {cell.style for cell in cells if isinstance(cell, StyledCell)}

    assert 100 <= len(styles) <= 150
    assert cells[-1] == "TT 1,000"


@pytest.mark.parametrize("number_type", ["percentage", "currency"])
@pytest.mark.parametrize("value", ["about 5", True, 2**53 + 1, "=5", float("nan")])
def test_what_is_no_exact_number_is_text_unchanged(number_type: str, value: Any) -> None:
    text = {"=5": "'=5", True: "true"}.get(value, str(value).replace("nan", "NaN"))

    assert both(column("number", number_type), value, "IDR") == (text, text)


@pytest.mark.parametrize(
    ("value", "shown", "stored"),
    [
        (datetime(1990, 5, 1), "1990-05-01", date(1990, 5, 1)),
        (datetime(1990, 5, 1, 23, 59), "1990-05-01", date(1990, 5, 1)),
        (datetime(1990, 5, 1, 23, 59, tzinfo=UTC), "1990-05-01", date(1990, 5, 1)),
        (datetime(1990, 5, 2, 1, tzinfo=timezone(timedelta(hours=7))), "1990-05-01", date(1990, 5, 1)),
        (date(1990, 5, 1), "1990-05-01", date(1990, 5, 1)),
        ("1990-05-01", "1990-05-01", date(1990, 5, 1)),
        ("1990-05-01T23:30:00-11:00", "1990-05-01", date(1990, 5, 1)),
        ("1990-05-01 10:00", "1990-05-01", date(1990, 5, 1)),
        (datetime(1900, 3, 1), "1900-03-01", date(1900, 3, 1)),
        (datetime(1900, 2, 28), "1900-02-28", None),
        (datetime(1850, 1, 1), "1850-01-01", None),
        (datetime(33, 1, 1), "0033-01-01", None),
        ("1990-02-30", "1990-02-30", None),
        ("0000-00-00", "0000-00-00", None),
        ("1990-05-012", "1990-05-012", None),
        ("1990-05-01 or later", "1990-05-01 or later", None),
        ("01/05/1990", "01/05/1990", None),
        (641520000, "641520000", None),
        ("=1", "'=1", None),
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Jakarta", "Pacific/Pago_Pago", "Pacific/Kiritimati"])
def test_date_is_never_shifted(value: Any, shown: str, stored: date | None, zone: str) -> None:
    expected: XlsxCell = shown if stored is None else StyledCell(stored, DATE)

    assert both(column("date"), value, zone=ZoneInfo(zone)) == (shown, expected)


TIMESTAMP_COLUMNS = [
    column("single_line_text", name="created_at", default=True), column("", name="updated_at", default=True),
    *(column(kind) for kind in ("datetime", "date_time", "timestamp", "time")),
]  # fmt: skip


@pytest.mark.parametrize("made", TIMESTAMP_COLUMNS, ids=lambda made: f"{made.field.name}-{made.field.field_type}")
@pytest.mark.parametrize(
    ("value", "shown", "stored"),
    [
        (datetime(2024, 5, 1, 3), "2024-05-01T10:00:00+07:00", datetime(2024, 5, 1, 10)),
        (datetime(2024, 5, 1, 3, tzinfo=UTC), "2024-05-01T10:00:00+07:00", datetime(2024, 5, 1, 10)),
        (datetime(2024, 5, 1, 20, 30), "2024-05-02T03:30:00+07:00", datetime(2024, 5, 2, 3, 30)),
        ("2024-05-01T03:00:00Z", "2024-05-01T10:00:00+07:00", datetime(2024, 5, 1, 10)),
        ("2024-05-01 05:00:00+0200", "2024-05-01T10:00:00+07:00", datetime(2024, 5, 1, 10)),
        (Timestamp(1714532400, 1), "2024-05-01T10:00:00+07:00", datetime(2024, 5, 1, 10)),
        (datetime(1850, 1, 1), "1850-01-01T07:07:00+07:07", None),
        ("2024-05-01T03:00:00", "2024-05-01T03:00:00", None),
        ("2024-13-01T03:00:00Z", "2024-13-01T03:00:00Z", None),
        ("yesterday", "yesterday", None),
        (1714532400000, "1714532400000", None),
        ("-1+1", "'-1+1", None),
    ],
)
def test_timestamps(made: Column, value: Any, shown: str, stored: datetime | None) -> None:
    expected: XlsxCell = shown if stored is None else StyledCell(stored, MOMENT)

    assert both(made, value) == (shown, expected)


def test_milliseconds_are_shown_where_there_are_some() -> None:
    value = datetime(2024, 5, 1, 3, 0, 0, 250_000)

    assert both(column("datetime"), value) == (
        "2024-05-01T10:00:00.250+07:00",
        StyledCell(datetime(2024, 5, 1, 10, 0, 0, 250_000), MILLISECONDS),
    )
    assert both(column("datetime"), value.replace(microsecond=7))[0] == "2024-05-01T10:00:00.000007+07:00"
    assert both(column("datetime"), value.replace(tzinfo=UTC))[0] == "2024-05-01T10:00:00.250+07:00"


@pytest.mark.parametrize(
    ("zone", "value", "shown"),
    [
        ("Europe/Berlin", datetime(2024, 3, 31, 0, 59, 59), "2024-03-31T01:59:59+01:00"),
        ("Europe/Berlin", datetime(2024, 3, 31, 1), "2024-03-31T03:00:00+02:00"),
        ("Europe/Berlin", datetime(2024, 10, 27, 0, 30), "2024-10-27T02:30:00+02:00"),
        ("Europe/Berlin", datetime(2024, 10, 27, 1, 30), "2024-10-27T02:30:00+01:00"),
        ("Asia/Kathmandu", datetime(2024, 5, 1), "2024-05-01T05:45:00+05:45"),
        ("America/New_York", datetime(2024, 1, 1), "2023-12-31T19:00:00-05:00"),
        ("Asia/Jakarta", datetime(1910, 1, 1), "1910-01-01T07:07:00+07:07"),
        ("America/New_York", datetime(1880, 1, 1), "1879-12-31T19:03:00-04:57"),
        ("Asia/Jakarta", datetime.max.replace(microsecond=0), "9999-12-31T23:59:59+00:00"),
        ("America/New_York", datetime.min, "0001-01-01T00:00:00+00:00"),
        ("Pacific/Apia", datetime(2011, 12, 30, 9, 59, 59), "2011-12-29T23:59:59-10:00"),
        ("Pacific/Apia", datetime(2011, 12, 30, 10), "2011-12-31T00:00:00+14:00"),
    ],
)
def test_zones(zone: str, value: datetime, shown: str) -> None:
    found = both(column("datetime"), value, zone=ZoneInfo(zone))

    assert found[0] == both(column("single_line_text"), value, zone=ZoneInfo(zone))[1] == shown
    aware = both(column("datetime"), value.replace(tzinfo=UTC), zone=ZoneInfo(zone))
    assert aware == found
    assert datetime.fromisoformat(shown) == value.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["a", "b"], '["a","b"]'),
        (['say "hi"', "back\\slash"], '["say \\"hi\\"","back\\\\slash"]'),
        (["a\nb", "é😀"], '["a\\nb","é😀"]'),
        ([], "[]"),
        ([1, None, "a"], '[1,null,"a"]'),
        (["=1"], '["=1"]'),
        ('["a","b"]', '["a","b"]'),
        ("a, b", "a, b"),
        ("=a", "'=a"),
    ],
)
def test_multiple_select(value: Any, text: str) -> None:
    assert both(column("multiple_select"), value) == (text, text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"lat": -6.2, "lng": 106.8}, "-6.2,106.8"),
        ({"latitude": -6.2, "longitude": 106.8}, "-6.2,106.8"),
        ({"lat": "-6.2", "lon": "106.8"}, "-6.2,106.8"),
        ([-6.2, 106.8], "-6.2,106.8"),
        ({"type": "Point", "coordinates": [106.8, -6.2]}, "-6.2,106.8"),
        ({"lat": 0, "lng": 0.0}, "0,0"),
        ({"lat": Decimal128("-6.20"), "lng": Int64(107)}, "-6.2,107"),
        ("-6.2,106.8", "-6.2,106.8"),
        ("-6.2, 106.8", "-6.2, 106.8"),
        ("=1,2", "'=1,2"),
        ("somewhere", "somewhere"),
        ({"lat": "=1", "lng": 2}, "'=1,2"),
        ({"lat": None, "lng": 2}, '{"lat":null,"lng":2}'),
        ({"type": "Point", "coordinates": [106.8]}, '{"type":"Point","coordinates":[106.8]}'),
        ([1, 2, 3], "[1,2,3]"),
        ({}, "{}"),
        (7, "7"),
    ],
)
def test_gps(value: Any, text: str) -> None:
    assert both(column("gps"), value) == (text, text)


EVERY_COLUMN = [
    *(column(kind) for kind in ("single_line_text", "text_area", "date", "datetime", "multiple_select", "gps", "bool")),
    *(column("number", kind) for kind in ("number", "percentage", "currency", "", "strange")),
]


@pytest.mark.parametrize("made", EVERY_COLUMN, ids=lambda made: made.field.field_type + made.field.number_type)
def test_missing_and_null_are_empty(made: Column) -> None:
    default = column(made.field.field_type, made.field.number_type, default=True)

    assert both(made, None) == both(default, None) == ("", None)
    contacts: list[dict[str, Any]] = [{}, {"custom_fields": []}, {"custom_fields": [{"key": "other", "value": 1}]}]
    for contact in contacts:
        assert csv_renderer([made, default], JAKARTA)(contact) == ["", ""]
        assert xlsx_renderer([made, default], JAKARTA)(contact) == [None, None]


@pytest.mark.parametrize(
    ("custom_fields", "shown"),
    [
        (None, ""), ("f", ""), (7, ""), ({"f": 1}, ""), ({"key": "f", "value": 1}, ""), (["f"], ""),
        ([None, 7, []], ""), ([{"value": 1}], ""), ([{"key": "f"}], ""), ([{"key": ["f"], "value": 1}], ""),
        ([{"key": None, "value": 1}], ""),
        ([None, {"key": "f", "value": 1, "currency_code": "IDR"}], "IDR 1"),
        ([{"key": "f", "value": 1}, {"key": "f", "value": 2, "currency_code": "IDR"}], "1"),
        ([{"key": "f", "value": 1, "currency_code": "IDR"}, {"key": "f", "value": 2}], "IDR 1"),
    ],
)  # fmt: skip
def test_untidy_custom_fields(custom_fields: Any, shown: str) -> None:
    contact = {"custom_fields": custom_fields, "f": "top level is not looked at"}

    assert csv_renderer([column("number", "currency")], JAKARTA)(contact) == [shown]


def test_a_default_field_is_read_at_the_top_and_a_custom_one_by_its_key() -> None:
    contact = {"name": "top", "custom_fields": [{"key": "name", "value": "custom"}, {"key": "a.b", "value": "dotted"}]}
    columns = [
        column("", name="a.b"), column("", name="name", default=True), column("", name="name"),
        column("", name="name", default=True),
    ]  # fmt: skip

    assert csv_renderer(columns, JAKARTA)(contact) == ["dotted", "top", "custom", "top"]


def test_a_batch_is_the_same_as_its_rows() -> None:
    columns = [*EVERY_COLUMN, column("", name="name", default=True)]
    contacts: list[dict[str, Any]] = [
        {"name": f"n{number}", "custom_fields": [{"key": "f", "value": number, "currency_code": "IDR"}]}
        for number in range(7)
    ]
    for make in (csv_renderer, xlsx_renderer):
        renderer: Any = make(columns, JAKARTA)
        assert list(map(list, zip(*renderer.columns(contacts), strict=True))) == [renderer(one) for one in contacts]
        assert renderer.columns([]) == [[] for _ in columns]


def test_headers_are_guarded_and_columns_have_room() -> None:
    columns = [
        Column(column("number").field, "=cmd"),
        Column(column("text_area").field, "+62 812 3456 789"),
        column(""),
    ]

    assert [made.header for made in sheet_columns(columns, "csv")] == ["'=cmd", "'+62 812 3456 789", "f"]
    assert [made.header for made in sheet_columns(columns, "xlsx")] == ["'=cmd", "+62 812 3456 789", "f"]
    assert [made.width for made in sheet_columns(columns, "xlsx")] == [14.0, 40.0, 20.0]
    assert sheet_columns([Column(column("").field, "x" * 400)], "xlsx")[0].width == 50.0
