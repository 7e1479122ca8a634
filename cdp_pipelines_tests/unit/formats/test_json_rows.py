"""JSON objects of whatever values come, read back with the standard library."""

import json
from collections import OrderedDict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, ObjectId
from bson.dbref import DBRef
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.formats.json_rows import json_rows

NAN, INFINITY = float("nan"), float("inf")


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def read(row: bytes) -> Any:
    return json.loads(row, parse_constant=refuse)


def back(value: Any) -> Any:
    """The value as it comes back, the same from between harmless neighbours and from a row of its own."""
    [row] = json_rows(["a"], [[value]])
    between = json_rows(["a", "b"], [["x", value, None], [1, 2, 3]])
    assert [read(each) for each in between] == [{"a": "x", "b": 1}, {"a": read(row)["a"], "b": 2}, {"a": None, "b": 3}]
    return read(row)["a"]


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -5, 2**53 + 1, -(2**63), 2**64 - 1, 0.1, 1e300, 5e-324, -12.5,
        "", "=1+1", "\u2028\x00\x7f", "null",
        "a\r\n\t\"\\/</script>", "😀 עברית", [], {}, [1, [2, [None, "null"]]], {"b": 1, "a": {"z": None, "y": [0.5]}},
    ],
    ids=repr,
)  # fmt: skip
def test_what_json_has_is_itself(value: Any) -> None:
    assert back(value) == value
    assert type(back(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**64, str(2**64)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (10**70, "1" + "0" * 70),
        (NAN, "NaN"),
        (INFINITY, "Infinity"),
        (-INFINITY, "-Infinity"),
        (Decimal("12345678901234567890.123456789"), "12345678901234567890.123456789"),
        (Decimal128("1E+20"), "1" + "0" * 20),
        (Decimal("NaN"), "NaN"),
        (datetime(2024, 5, 1, 10, tzinfo=UTC), "2024-05-01T10:00:00+00:00"),
        (date(2024, 5, 1), "2024-05-01"),
        (ObjectId("65f000000000000000000001"), "65f000000000000000000001"),
        (b"\x00\xff", "AP8="),
        (Binary(b"\x00\xff"), "AP8="),
        (Code("x"), "x"),
        ("\ud83d\ude00", "😀"),
        ("a\ud800b", "a\ufffdb"),
    ],
    ids=repr,
)
def test_what_json_lacks_is_text_also_inside(value: Any, text: str) -> None:
    assert back(value) == text
    assert back([None, {"a": value}]) == [None, {"a": text}]
    assert back({"deep": [value, 1.5, None]}) == {"deep": [text, 1.5, None]}


def test_subclasses_are_what_they_are_made_of() -> None:
    assert back(Int64(2**62 + 1)) == 2**62 + 1
    assert back(OrderedDict([("b", 1), ("a", Int64(2))])) == {"b": 1, "a": 2}
    assert back((1, 2)) == [1, 2]
    assert back({1: "x", None: "y", "\ud800": "z"}) == {"1": "x", "None": "y", "\ufffd": "z"}


def test_one_odd_value_changes_no_other() -> None:
    values = [1, 2**70, "\ud800", 0.1, [NAN], {"k": ObjectId("65f000000000000000000001")}, None, "é"]
    rows = json_rows(["z", "a\ud800"], [values, list(range(8))])
    assert [list(read(row)) for row in rows] == [["z", "a\ufffd"]] * 8
    assert [read(row)["a\ufffd"] for row in rows] == list(range(8))
    assert read(rows[3])["z"] == 0.1


def test_columns_of_another_number_or_length_are_an_error() -> None:
    for columns in ([["x"]], [["x"], ["y"], ["z"]], [["x"], []], [[2**70], []]):
        with pytest.raises(ValueError, match="argument"):
            json_rows(["a", "b"], columns)
    assert json_rows(["a", "b"], [[], []]) == []


@pytest.mark.parametrize("odd", ["\ud800", {"k": "\ud800"}, [2**70, "\udfff"]], ids=repr)
def test_a_batch_that_is_looked_at_twice_loses_no_row_or_field(odd: Any) -> None:
    for columns in ([[odd, "x"], ["y"]], [[odd], ["y", "z"]], [[odd]], [[odd], ["y"], ["z"]], [[odd, "x"], []]):
        with pytest.raises(ValueError, match="argument"):
            json_rows(["a", "b"], columns)
    assert len(json_rows(["a", "b"], [[odd, "x"], ["y", "z"]])) == 2


def test_the_largest_whole_numbers_stay_numbers_in_a_batch_that_is_looked_at_twice() -> None:
    edges = [2**64 - 1, -(2**63), 2**64, -(2**63) - 1]
    assert back([*edges, "\ud800"]) == [2**64 - 1, -(2**63), str(2**64), str(-(2**63) - 1), "\ufffd"]


def test_a_reference_is_an_object_wherever_it_stands() -> None:
    referred = {"$ref": "c", "$id": 1}
    assert back(DBRef("c", 1)) == referred
    assert back([None, DBRef("c", 1)]) == [None, referred]
    assert back({"deep": DBRef("c", DBRef("c", 1))}) == {"deep": {"$ref": "c", "$id": referred}}


def test_no_number_is_lost_inside_what_only_resembles_a_list_or_an_object() -> None:
    assert back(OrderedDict([("a", NAN), ("b", [INFINITY])])) == {"a": "NaN", "b": ["Infinity"]}
    assert back((1, NAN)) == [1, "NaN"]


scalars = (
    st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats() | st.text(max_size=8)
    | st.text(st.characters(categories=["Cs", "Lu"]), max_size=3) | st.decimals() | st.datetimes()
    | st.binary(max_size=4)
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, derandomize=True)
@given(column=st.lists(values, min_size=1, max_size=5))
def test_whatever_comes_is_one_line_of_valid_json(column: list[Any]) -> None:
    rows = json_rows(["a", "b"], [column, column])
    assert len(rows) == len(column)
    for row, value in zip(rows, column, strict=True):
        found = read(row)
        assert b"\n" not in row
        assert list(found) == ["a", "b"]
        assert (found["a"] is None) is (value is None)
        if isinstance(value, int):
            assert int(found["a"]) == value
