"""What filters are read as; that the database then finds the right rows is in `integration/stores`."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.filter_values import OPERATORS, FilterProblem
from cdp_pipelines.domain.entity_export.filters import Condition, FilterNode, Group, parse_filters

NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
JAKARTA = ZoneInfo("Asia/Jakarta")


def parse(raw: object, entity: str = "voucher", zone: ZoneInfo = JAKARTA) -> FilterNode | None:
    return parse_filters(raw, ENTITIES[entity], now=NOW, zone=zone)


def comparisons(name: str, operator: str, value: Any, entity: str = "voucher") -> list[Any]:
    node = parse({name: {"conditions": {operator: value}}}, entity)
    assert isinstance(node, Condition)
    found: list[Any] = [
        (each.relation, each.value) if each.end is None else (each.relation, each.value, each.end)
        for each in node.any_of
    ]
    return [*found, "none may"] if node.negated else found


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_nothing_asked_is_no_filter() -> None:
    nothing: list[object] = [None, {}, [], {"junction": "or"}]
    assert [parse(raw) for raw in nothing] == [None] * 4


def test_both_junctions_at_both_levels() -> None:
    node = parse(
        {
            "junction": "or",
            "active": True,
            "created_at": {"conditions": {"$after": "2024-01-01", "$before": "2024-02-01"}, "junction": "and"},
        }
    )
    assert isinstance(node, Group)
    assert node.junction == "or"
    inner = node.members[1]
    assert isinstance(inner, Group)
    assert (inner.junction, len(inner.members)) == ("and", 2)


@pytest.mark.parametrize("short", [["PAID"], "PAID", {"conditions": {"$is": "PAID"}}, {"$is": ["PAID"]}])
def test_short_forms_are_equal(short: object) -> None:
    assert parse({"status": short}, "order") == parse({"status": {"conditions": {"$in": ["PAID"]}}}, "order")


def test_metadata_as_an_object_is_a_filter_of_each_key() -> None:
    nested = parse({"metadata": {"tier": "gold", "n": [1, 2]}})
    assert nested == parse({"metadata.tier": "gold", "metadata.n": [1, 2]})


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("code", "$is", ["A", "B"], [("eq", "A"), ("eq", "B")]),
        ("code", "$is_not", ["A"], [("eq", "A"), "none may"]),
        ("code", "$not_in", ["A"], [("eq", "A"), "none may"]),
        ("code", "$is", [None], [("eq", None)]),
        ("code", "$contains", ["x", "y"], [("contains", "x"), ("contains", "y")]),
        ("code", "$not_contain", "x", [("contains", "x"), "none may"]),
        ("code", "$starts_with", "x", [("starts_with", "x")]),
        ("code", "$ends_with", "x", [("ends_with", "x")]),
        ("code", "$has_value", "", [("present", None)]),
        ("code", "$has_value", False, [("present", None), "none may"]),
        ("code", "$is_unknown", [], [("present", None), "none may"]),
        ("code", "$is_unknown", ["false"], [("present", None)]),
        ("redemption_count", "$more_than", ["5"], [("gt", 5)]),
        ("redemption_count", "$less_than", 5.5, [("lt", 5.5)]),
        ("redemption_count", "$more_than_equal", [5], [("gte", 5)]),
        ("redemption_count", "$less_than_equal", [5], [("lte", 5)]),
        ("active", "$is", ["true"], [("eq", True)]),
        ("validity_day_of_week", "$contains", 3, [("eq", 3)]),
        ("validity_day_of_week", "$count", 2, [("size", 2)]),
        ("validity_day_of_week", "$count_more", "2", [("longer", 2)]),
        ("validity_day_of_week", "$count_less", 2, [("shorter", 2)]),
        ("metadata.n", "$more_than", 5, [("gt", 5)]),
        ("metadata.n", "$more_than", "5", [("gt", "5")]),
    ],
)
def test_operators(name: str, operator: str, value: Any, expected: list[Any]) -> None:
    assert comparisons(name, operator, value) == expected


DAY = (utc(2024, 4, 30, 17), utc(2024, 5, 1, 17))


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("$is", "2024-05-01", [("within", *DAY)]),
        ("$after", "2024-05-01", [("gte", DAY[1])]),
        ("$before", "2024-05-01", [("lt", DAY[0])]),
        ("$more_than_equal", "2024-05-01", [("gte", DAY[0])]),
        ("$less_than_equal", "2024-05-01", [("lt", DAY[1])]),
        ("$after", "2024-05-01T10:00:00+07:00", [("gt", utc(2024, 5, 1, 3))]),
        ("$before", utc(2024, 5, 1), [("lt", utc(2024, 5, 1))]),
        ("$is", "2024-05-01T00:00:00Z", [("eq", utc(2024, 5, 1))]),
        ("$is_days_ago", 1, [("within", utc(2026, 11, 25, 17), utc(2026, 11, 26, 17))]),
        ("$is_days_in_future", [1], [("within", utc(2026, 11, 27, 17), utc(2026, 11, 28, 17))]),
        ("$more_than_ago", 2, [("lt", utc(2026, 11, 25, 4))]),
        ("$less_than_ago", 2, [("within", utc(2026, 11, 25, 4), NOW)]),
        ("$more_than_future", 2, [("gt", utc(2026, 11, 29, 4))]),
        ("$less_than_future", "2", [("within", NOW, utc(2026, 11, 29, 4))]),
    ],
)
def test_a_plain_date_is_that_whole_day_in_the_requests_zone(operator: str, value: Any, expected: list[Any]) -> None:
    assert comparisons("created_at", operator, value) == expected


def test_a_birthday_is_compared_as_text_and_as_a_date_and_never_shifted() -> None:
    assert comparisons("birthdate", "$is", "1990-05-01", "customer") == [
        ("eq", "1990-05-01"),
        ("within", utc(1990, 5, 1), utc(1990, 5, 2)),
    ]
    assert comparisons("birthdate", "$after", "1990-05-01", "customer") == [
        ("gt", "1990-05-01"),
        ("gte", utc(1990, 5, 2)),
    ]


def test_dates_in_metadata_are_compared_as_texts_and_as_instants() -> None:
    assert comparisons("metadata.since", "$before", "2024-05-01") == [("lt", "2024-05-01"), ("lt", DAY[0])]


@pytest.mark.parametrize(
    ("name", "operator", "value"),
    [
        ("created_at", "$after", "soon"),
        ("created_at", "$after", [None]),
        ("created_at", "$after", ["2024-01-01", "2024-01-02"]),
        ("created_at", "$contains", "2024"),
        ("created_at", "$is", "2024-02-30"),
        ("code", "$is_days_ago", 1),
        ("created_at", "$is_days_ago", -1),
        ("created_at", "$is_days_ago", 1.5),
        ("created_at", "$is_days_ago", 10**9),
        ("created_at", "$more_than_ago", True),
        ("redemption_count", "$more_than", "many"),
        ("redemption_count", "$is", [float("nan")]),
        ("redemption_count", "$is", [10**30]),
        ("active", "$is", "perhaps"),
        ("active", "$more_than", True),
        ("code", "$contains", ""),
        ("code", "$contains", [3]),
        ("code", "$is", [["a"]]),
        ("code", "$is", [{"a": 1}]),
        ("code", "$is", "a\0b"),
        ("code", "$is", "x" * 1_001),
        ("code", "$is", "\ud800"),
        ("code", "$is", ["x"] * 1_001),
        ("code", "$has_value", "maybe"),
        ("code", "$count", -1),
        ("code", "$count", True),
    ],
)
def test_values_that_do_not_fit(name: str, operator: str, value: Any) -> None:
    with pytest.raises(FilterProblem) as caught:
        parse({name: {"conditions": {operator: value}}})
    assert caught.value.where.startswith(f"filters.{name}")
    assert caught.value.problem


def test_at_most_fifty_conditions() -> None:
    fits = {f"metadata.k{i}": i for i in range(50)}
    assert parse(fits) is not None
    with pytest.raises(FilterProblem, match="at most 50"):
        parse({**fits, "code": "x"})


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_has_a_field_that_takes_it(operator: str) -> None:
    value: Any = 1 if operator.endswith(("ago", "future")) or "count" in operator else "2024-05-01"
    value = True if operator in {"$has_value", "$is_unknown"} else value
    assert parse({"metadata.x": {"conditions": {operator: value}}}) is not None
