from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cdp_pipelines.domain.contact_export.filters import Condition, FilterProblem, Group, parse_filter
from cdp_pipelines.domain.values.instants import read_instant
from cdp_pipelines_tests.unit.domain.contact_export.requests import FIELDS

JAKARTA = ZoneInfo("Asia/Jakarta")


def parse(raw: object) -> Any:
    return parse_filter(raw, FIELDS, read_instant=lambda text: read_instant(text, JAKARTA))


@pytest.mark.parametrize("raw", [None, {}, []])
def test_nothing_asked(raw: object) -> None:
    assert parse(raw) is None


@pytest.mark.parametrize(
    ("op", "value", "read"),
    [
        ("eq", "Ann", "Ann"),
        ("eq", None, None),
        ("ne", 5, 5),
        ("in", ["a", 1, None], ("a", 1, None)),
        ("nin", [], ()),
        ("gt", 1.5, 1.5),
        ("gte", "a", "a"),
        ("lt", 0, 0),
        ("lte", -1, -1),
        ("contains", ".*", ".*"),
        ("starts_with", "(", "("),
        ("exists", True, True),
        ("exists", False, False),
    ],
)
def test_each_operator(op: str, value: object, read: object) -> None:
    assert parse({"field": "city", "op": op, "value": value}) == Condition("city", op, read, custom=True)  # type: ignore[arg-type]


def test_exists_needs_no_value() -> None:
    assert parse({"field": "name", "op": "exists"}) == Condition("name", "exists", True, custom=False)


def test_instants_are_read_in_the_requests_zone() -> None:
    parsed = parse({"field": "updated_at", "op": "gte", "value": "2024-05-01"})
    assert parsed.value == datetime(2024, 4, 30, 17, tzinfo=UTC)


def test_groups_nest_five_deep() -> None:
    node: dict[str, Any] = {"field": "name", "op": "eq", "value": 1}
    for junction in ("and", "or", "and", "or", "and"):
        node = {junction: [node]}
    assert isinstance(parse(node), Group)
    assert isinstance(parse({"or": [{"field": "name", "op": "exists"}, *node["and"]]}), Group)
    with pytest.raises(FilterProblem, match="5 deep"):
        parse({"and": [node]})


def test_fifty_conditions_and_no_more() -> None:
    condition = {"field": "name", "op": "eq", "value": 1}
    assert len(parse({"or": [condition] * 50}).members) == 50
    with pytest.raises(FilterProblem, match="at most 50"):
        parse({"or": [condition] * 51})


@pytest.mark.parametrize(
    "raw",
    [
        "name = 1",
        7,
        [{"field": "name", "op": "eq", "value": 1}],
        {"$where": "sleep(1000)"},
        {"$or": [{"name": 1}]},
        {"name": {"$gt": ""}},
        {"field": "name", "op": "$gt", "value": 1},
        {"field": "name", "op": "regex", "value": ".*"},
        {"field": "name", "op": ["eq"], "value": 1},
        {"field": "company_sso_id", "op": "ne", "value": "me"},
        {"field": "_id", "op": "eq", "value": 1},
        {"field": "custom_fields.value", "op": "eq", "value": 1},
        {"field": {"$ne": 1}, "op": "eq", "value": 1},
        {"field": "name", "op": "eq"},
        {"field": "name", "op": "eq", "value": {"$gt": ""}},
        {"field": "name", "op": "eq", "value": ["a"]},
        {"field": "name", "op": "eq", "value": float("nan")},
        {"field": "name", "op": "in", "value": "a"},
        {"field": "name", "op": "in", "value": [{"$gt": ""}]},
        {"field": "name", "op": "in", "value": ["x"] * 1001},
        {"field": "name", "op": "contains", "value": 5},
        {"field": "name", "op": "contains", "value": ""},
        {"field": "name", "op": "starts_with", "value": "x" * 1001},
        {"field": "name", "op": "eq", "value": "\0"},
        {"field": "name", "op": "gt", "value": None},
        {"field": "name", "op": "lt", "value": True},
        {"field": "name", "op": "exists", "value": "yes"},
        {"field": "updated_at", "op": "gt", "value": "soon"},
        {"field": "name", "op": "eq", "value": 1, "$comment": "x"},
        {"and": []},
        {"and": {}},
        {"and": "x"},
        {"and": [1]},
        {"and": [], "or": []},
        {"and": [{"field": "name", "op": "eq", "value": 1}], "field": "name"},
    ],
)
def test_anything_else_is_an_error_that_says_where(raw: object) -> None:
    with pytest.raises(FilterProblem, match=r"^filter.*: "):
        parse(raw)
