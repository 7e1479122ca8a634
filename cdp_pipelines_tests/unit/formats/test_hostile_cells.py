"""Values that want to be more than text, from the shared corpus and made up, through rendering and both writers."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bson import Binary, Code, Decimal128, Int64, ObjectId, Regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_export.fields import Column, FieldProperty
from cdp_pipelines.domain.contact_export.values import csv_renderer, sheet_columns, xlsx_renderer
from cdp_pipelines.domain.formula_guard import SUSPECT_FIRST, TRIGGERS, guard_text
from cdp_pipelines.formats.table_file import open_table
from cdp_pipelines_tests.unit.corpora import load_corpus
from cdp_pipelines_tests.unit.formats.reopening import csv_rows, data_cells, open_sheet

CORPUS = load_corpus("formula.json")
ZONE = ZoneInfo("Asia/Jakarta")
TYPES = [
    ("single_line_text", ""), ("text_area", ""), ("number", "number"), ("number", "percentage"), ("number", "currency"),
    ("date", ""), ("datetime", ""), ("multiple_select", ""), ("gps", ""), ("phone", ""), ("bool", ""), ("unknown", ""),
]  # fmt: skip
COLUMNS = [
    Column(FieldProperty(f"f{place}", f"f{place}", kind, number_type=number_type), f"=header{place}")
    for place, (kind, number_type) in enumerate(TYPES)
]


def export(path: Path, file_format: str, values: list[Any]) -> None:
    """One row a value, with the value in a column of every type, and as its own currency code."""
    contacts = [
        {"custom_fields": [{"key": column.field.name, "value": value, "currency_code": value} for column in COLUMNS]}
        for value in values
    ]
    renderer: Any = (csv_renderer if file_format == "csv" else xlsx_renderer)(COLUMNS, ZONE)
    with open_table(path, file_format, sheet_columns(COLUMNS, file_format)) as table:
        table.write_columns(renderer.columns(contacts))


def is_number_or_place(text: str) -> bool:
    try:
        return all(float(part.rstrip("%").replace(",", "")) is not None for part in text.split(","))
    except ValueError:
        return False


def is_risky(text: str, file_format: str) -> bool:
    seen = next((sign for sign in text if sign in TRIGGERS or sign not in SUSPECT_FIRST), "")
    if seen not in TRIGGERS or not text or is_number_or_place(text):
        return False
    return file_format == "csv" or guard_text(text, "xlsx") != text


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.get("id"))
def test_corpus_through_csv(row: dict[str, Any], tmp_path: Path) -> None:
    export(tmp_path / "a.csv", "csv", [row["value"]])
    header, *rows = csv_rows(tmp_path / "a.csv")

    assert header == [f"'=header{place}" for place in range(len(TYPES))]
    assert [len(found) for found in rows] == [len(TYPES)]
    assert {found for found in rows[0] if is_risky(found, "csv")} == set()
    assert rows[0][0] == guard_text(row["value"], "csv")
    if row["kind"].startswith("benign"):
        assert rows[0][0] == row["value"]
    text = (tmp_path / "a.csv").read_bytes().decode("utf-8-sig")
    if any(separator in row["value"] for separator in ',;\t\r\n"'):
        assert text.split("\r\n", 1)[1].startswith('"')


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.get("id"))
def test_corpus_through_xlsx(row: dict[str, Any], tmp_path: Path) -> None:
    export(tmp_path / "a.xlsx", "xlsx", [row["value"]])
    sheet = open_sheet(tmp_path / "a.xlsx")
    [cells] = data_cells(sheet)

    assert [cell.value for cell in sheet[1]] == [f"'=header{place}" for place in range(len(TYPES))]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert [cell.hyperlink for cell in cells] == [None] * len(cells)
    assert {cell.value for cell in cells if isinstance(cell.value, str) and is_risky(cell.value, "xlsx")} == set()
    expected = guard_text(row["value"], "xlsx").replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    assert cells[0].value == (expected or None)
    if row["kind"].startswith("benign"):
        assert cells[0].value == (row["value"] or None)


texts = st.text(max_size=12) | st.text(st.sampled_from("=+-@\t\r\n\0 \u00a0\u200b\"＝ー,;1a.%/:TZ{}[]'"), max_size=10)
numbers = (
    st.integers(-(2**70), 2**70)
    | st.floats()
    | st.decimals(min_value=-(10**20), max_value=10**20, places=9).map(Decimal128)
    | st.sampled_from(["NaN", "Infinity", "-Infinity", "1E+6000", "-1E-6000", "-0"]).map(Decimal128)
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
    | st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,3})?", fullmatch=True)
)
moments = (
    st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.datetimes().map(datetime.isoformat)
    | st.datetimes().map(lambda moment: moment.isoformat() + "Z")
    | st.dates().map(date.isoformat)
)
others = (
    st.none() | st.booleans() | st.binary(max_size=8) | st.binary(max_size=8).map(Binary) | texts.map(Code)
    | st.binary(min_size=12, max_size=12).map(ObjectId) | st.just(Regex("=1")) | st.just(float("nan"))
)  # fmt: skip
scalars = texts | numbers | moments | others
keys = st.sampled_from(["lat", "lng", "latitude", "longitude", "type", "coordinates"]) | texts
bson_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=5
)
# Hypothesis once called these strategies flaky (FlakyStrategyDefinition, one run of many, cause not found). The same
# examples in every run keep that away from others' work; to search further, run with derandomize=False.
relaxed = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@relaxed
@given(values=st.lists(bson_values, min_size=1, max_size=5))
def test_no_value_makes_a_risky_csv_cell(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    export(path, "csv", values)
    rows = csv_rows(path)[1:]

    assert [len(row) for row in rows] == [len(TYPES)] * len(values)
    assert [cell for row in rows for cell in row if is_risky(cell, "csv")] == []


@relaxed
@given(values=st.lists(bson_values, min_size=1, max_size=5))
def test_no_value_makes_a_risky_sheet_cell(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    path = tmp_path_factory.mktemp("xlsx") / "a.xlsx"
    export(path, "xlsx", values)
    cells = [cell for row in data_cells(open_sheet(path)) for cell in row]

    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert [cell for cell in cells if isinstance(cell.value, str) and is_risky(cell.value, "xlsx")] == []


@relaxed
@given(value=bson_values | texts, shape=st.sampled_from(["list", "entry", "value", "text"]))
def test_no_shape_of_custom_fields_breaks_a_row(value: Any, shape: str) -> None:
    shapes: dict[str, Any] = {
        "list": value,
        "entry": [value],
        "value": [{"key": value, "value": value}],
        "text": {"key": "f0", "value": value},
    }
    contact = {"custom_fields": shapes[shape], "name": value}

    assert len(csv_renderer(COLUMNS, ZONE)(contact)) == len(xlsx_renderer(COLUMNS, ZONE)(contact)) == len(COLUMNS)
