from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cdp_pipelines.domain.contact_export.fields import FieldProperty
from cdp_pipelines.domain.contact_export.filter_fields import filter_fields
from cdp_pipelines.domain.contact_export.filter_values import Money
from cdp_pipelines.domain.contact_export.filters import Condition, FilterProblem, Span, parse_filter
from cdp_pipelines.domain.values.instants import LATEST, read_instant

JAKARTA = ZoneInfo("Asia/Jakarta")
KINDS = {
    "day": ("date", ""), "at": ("datetime", ""), "n": ("number", "number"), "pct": ("number", "percentage"),
    "money": ("number", "currency"), "word": ("single_line_text", ""), "memo": ("text_area", ""), "place": ("gps", ""),
}  # fmt: skip
FIELDS = filter_fields(
    FieldProperty(f"{prefix}{name}", "x", field_type, number_type=number_type, is_default=prefix == "")
    for name, (field_type, number_type) in KINDS.items()
    for prefix in ("", "my_")
)


def read(name: str, op: str, value: Any) -> tuple[str, Any]:
    node = parse_filter(
        {"field": name, "op": op, "value": value}, FIELDS, read_instant=lambda text: read_instant(text, JAKARTA)
    )
    assert isinstance(node, Condition)
    return node.op, node.value


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize("prefix", ["", "my_"])
@pytest.mark.parametrize(
    ("name", "op", "value", "expected"),
    [
        ("day", "eq", "1990-01-15", ("eq", date(1990, 1, 15))),
        ("day", "lte", " 1990-01-15 ", ("lte", date(1990, 1, 15))),
        ("day", "gt", "1990-01-15T23:59:00-11:00", ("gt", date(1990, 1, 15))),
        ("day", "eq", utc(1990, 1, 15, 23), ("eq", date(1990, 1, 15))),
        ("day", "in", ["0001-01-01", "9999-12-31", None], ("in", (date.min, date.max, None))),
        ("at", "eq", "2024-06-01", ("eq", Span(utc(2024, 5, 31, 17), utc(2024, 6, 1, 17)))),
        ("at", "nin", ["2024-06-01"], ("nin", (Span(utc(2024, 5, 31, 17), utc(2024, 6, 1, 17)),))),
        ("at", "gt", "2024-06-01", ("gte", utc(2024, 6, 1, 17))),
        ("at", "gte", "2024-06-01", ("gte", utc(2024, 5, 31, 17))),
        ("at", "lt", "2024-06-01", ("lt", utc(2024, 5, 31, 17))),
        ("at", "lte", "2024-06-01", ("lt", utc(2024, 6, 1, 17))),
        ("at", "lte", "9999-12-31", ("lt", LATEST)),
        ("at", "lte", "2024-06-01T00:00:00+07:00", ("lte", utc(2024, 5, 31, 17))),
        ("created_at", "ne", "2024-06-01", ("ne", Span(utc(2024, 5, 31, 17), utc(2024, 6, 1, 17)))),
        ("n", "eq", "12.50", ("eq", 12.5)),
        ("n", "gt", "10.0", ("gt", 10)),
        ("n", "eq", 2**60, ("eq", 2**60)),
        ("n", "eq", True, ("eq", True)),
        ("n", "eq", "1,000", ("eq", "1,000")),
        ("n", "eq", "12345678901234567890.5", ("eq", "12345678901234567890.5")),
        ("pct", "eq", "12.5%", ("eq", 12.5)),
        ("pct", "lte", "-7 %", ("lte", -7)),
        ("money", "eq", "IDR 1,000,000", ("eq", Money(1_000_000, "IDR"))),
        ("money", "gt", "1,000.50", ("gt", 1000.5)),
        ("money", "eq", "1000", ("eq", 1000)),
        ("word", "eq", "2024-06-01", ("eq", "2024-06-01")),
        ("memo", "gte", "5", ("gte", "5")),
        ("place", "eq", "1,2", ("eq", "1,2")),
    ],
)
def test_values_mean_what_they_mean_in_a_file(
    prefix: str, name: str, op: str, value: Any, expected: tuple[str, Any]
) -> None:
    assert read(name if name == "created_at" else prefix + name, op, value) == expected


@pytest.mark.parametrize(
    ("name", "op", "value", "problem"),
    [
        ("day", "eq", "soon", "a date"),
        ("day", "eq", "2024-02-30", "a date"),
        ("day", "gt", 5, "a date"),
        ("my_day", "lt", "soon", "a date"),
        ("at", "in", ["2024-06-01", "soon"], "instant"),
        ("created_at", "eq", 5, "instant"),
        ("my_at", "gte", "2024-06-01T10:00:00", "instant"),
        ("n", "gt", "many", "a number"),
        ("my_n", "gt", "12345678901234567890.5", "a number"),
        ("money", "lt", "IDR 1,000", "without its currency"),
        ("pct", "lt", "1,0%", "a number"),
        ("word", "eq", 2**63, "64 bits"),
        ("word", "eq", "\ud800", "half a character"),
        ("n", "eq", float("inf"), "must be"),
        ("n", "eq", 10**400, "64 bits"),
    ],
)
def test_what_a_field_cannot_be_compared_with_is_refused(name: str, op: str, value: Any, problem: str) -> None:
    with pytest.raises(FilterProblem, match=problem):
        read(name, op, value)


def test_untidy_texts_of_custom_fields_can_be_found_as_they_are() -> None:
    assert read("my_day", "eq", "unknown") == ("eq", "unknown")
    assert read("my_at", "ne", "soon") == ("ne", "soon")
    assert read("my_n", "in", ["many", "5"]) == ("in", ("many", 5))


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, "x" * 1_000])
def test_the_largest_values_that_a_text_field_is_compared_with(value: Any) -> None:
    assert read("word", "eq", value) == ("eq", value)


@pytest.mark.parametrize("value", [-(2**63) - 1, 2**63, "x" * 1_001])
def test_larger_ones_are_refused(value: Any) -> None:
    with pytest.raises(FilterProblem):
        read("word", "eq", value)


def test_a_percent_sign_belongs_to_percentages_alone() -> None:
    assert read("n", "eq", "5%") == ("eq", "5%")
