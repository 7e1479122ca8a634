"""CSV files opened with another separator: no cell that comes about then may be a formula."""

import csv
import io
import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_export.fields import Column, FieldProperty
from cdp_pipelines.domain.contact_export.values import csv_renderer, sheet_columns
from cdp_pipelines.domain.entity_export.entities import Field
from cdp_pipelines.domain.entity_export.values import EntityRenderer
from cdp_pipelines.domain.formula_guard import SUSPECT_FIRST, TRIGGERS
from cdp_pipelines.formats.csv_file import CsvFile
from cdp_pipelines.formats.row_stream import open_rows
from cdp_pipelines.formats.table_file import open_table
from cdp_pipelines_tests.unit.corpora import load_corpus

ZONE = ZoneInfo("Asia/Jakarta")
NAMES = ("first", "text", "last")
CONTACT_COLUMNS = [Column(FieldProperty(name, f"{name};=header"), f"{name};=header") for name in NAMES]
ENTITY_FIELDS = [Field(name) for name in NAMES]
# Rows around the text, with quotes and separators of their own.
NEIGHBOURS = [("1", "2"), ('say "hi"', "a;b"), ("a\tb;", '"'), ('x;"', 'y\n"z'), (" a ", ',"')]
NUMBER_OR_PLACE = re.compile(r"[+-]?[0-9.,]+(?:[eE][+-]?[0-9]+)?%?")


def contact_file(path: Path, rows: list[tuple[Any, ...]]) -> str:
    renderer = csv_renderer(CONTACT_COLUMNS, ZONE)
    contacts = [
        {"custom_fields": [{"key": name, "value": value} for name, value in zip(NAMES, row, strict=True)]}
        for row in rows
    ]
    with open_table(path, "csv", sheet_columns(CONTACT_COLUMNS, "csv")) as table:
        table.write_columns(renderer.columns(contacts))
    return path.read_bytes().decode("utf-8-sig")


def entity_file(rows: list[tuple[Any, ...]]) -> str:
    file = io.BytesIO()
    with open_rows(file, "CSV", NAMES, gzip=False) as stream:
        documents = [dict(zip(NAMES, row, strict=True)) for row in rows]
        stream.write_columns(EntityRenderer(ENTITY_FIELDS, "CSV", ZONE).columns(documents))
    return file.getvalue().decode("utf-8-sig")


def formulas(text: str, separator: str) -> list[str]:
    """Cells that begin with a trigger, as a reader with this separator sees them.

    A cell that runs on from the end of a line begins with the file's own line break, and with nothing of a text.
    """
    found = []
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
        for field in row:
            seen = next((sign for sign in field if sign in TRIGGERS or sign not in SUSPECT_FIRST), "")
            own_break = field.lstrip('"').startswith("\r\n")
            if seen in TRIGGERS and seen and not own_break and not is_plain(field):
                found.append(field)
    return found


def is_plain(field: str) -> bool:
    """A number, a place of two, a number with harmless columns behind it, or a bullet of words."""
    if NUMBER_OR_PLACE.fullmatch(field.strip()):
        return True
    number = re.match(r"[+-][0-9.]+(?:[eE][+-]?[0-9]+)?,", field)
    if number:
        return not re.match(r"[0-9].*[A-Za-z(|!=]", field[number.end() :].split(",", maxsplit=1)[0], re.DOTALL)
    return re.match(r"[ \u00a0]*[+-][ \u00a0]+[^\x00-/:-@\[-`{-\xa0]", field) is not None and not set("=(|!*^@") & set(
        field.split('",', 1)[0]
    )


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("row", load_corpus("formula.json"), ids=lambda row: row.get("id"))
def test_corpus(tmp_path: Path, row: dict[str, Any], separator: str) -> None:
    text = row["value"]
    rows = [row for a, b in NEIGHBOURS for row in ((a, text, b), (text, a, b), (a, b, text))]

    assert formulas(contact_file(tmp_path / "a.csv", rows), separator) == []
    assert formulas(entity_file(rows), separator) == []


@pytest.mark.parametrize(
    "text",
    [
        "x;=1+1;y",
        "\n=1+1\n",
        "x\t=1+1\ty",
        '"\n=1+1\n"',
        '";=1+1;"',
        "-1\n=1+1\n",
        'a"";"=1;"',
        "a\r=1\r",
        "a;\0=1",
        ["x;=1", "y"],
        {"k;=1": ["\t=1", "a;@b"]},
        'x;"',
        "x\n",
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_texts_lists_and_objects(tmp_path: Path, text: Any, separator: str) -> None:
    rows = [row for a, b in NEIGHBOURS for row in ((a, text, b), (text, a, b), (a, b, text), (text, text, text))]

    assert formulas(contact_file(tmp_path / "a.csv", rows), separator) == []
    assert formulas(entity_file(rows), separator) == []


@pytest.mark.parametrize("first", ["-5", -5, "+5", -5.5])
def test_a_number_and_the_next_column_are_no_formula_together(tmp_path: Path, first: Any) -> None:
    rows = [(first, "1+cmd|' /C calc'!A0", "x"), (first, "0812-345", "y"), (5, "1+cmd|' /C calc'!A0", "z")]

    for text in (contact_file(tmp_path / "a.csv", rows), entity_file(rows)):
        assert formulas(text, ";") == []
        assert [row[1] for row in csv.reader(io.StringIO(text, newline=""))][1:] == [
            "'1+cmd|' /C calc'!A0",
            "0812-345",
            "1+cmd|' /C calc'!A0",
        ]


def test_honest_texts_are_read_back_as_they_were(tmp_path: Path) -> None:
    rows = [
        ("Todo\n- beras 5 kg\n+ gula, kopi\r\n  - teh", "a; b; c;", "tab\tand\ttab"),
        ("-5", "O'Brien; Söhne", "line\n\nline\n"),
        ("a=b;c=d", "x\n-12\ny", "1 - 2; 3 + 4"),
    ]
    text = contact_file(tmp_path / "a.csv", rows)

    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))][1:] == rows


dangerous = st.text(st.sampled_from("=+-@\t\r\n\0;,\"' \u00a0\u200b＝ー1a.|(!"), max_size=12)
odd = st.one_of(dangerous, st.text(max_size=8), st.lists(dangerous, max_size=2), st.integers(-99, 99), st.none())


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(st.tuples(odd, odd, odd), min_size=1, max_size=4))
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_no_rows_make_a_formula_for_any_separator(
    tmp_path_factory: pytest.TempPathFactory, separator: str, rows: list[tuple[Any, ...]]
) -> None:
    assert formulas(contact_file(tmp_path_factory.mktemp("csv") / "a.csv", rows), separator) == []
    assert formulas(entity_file(rows), separator) == []


@settings(max_examples=300, deadline=None)
@given(text=dangerous)
def test_guarding_again_changes_nothing_and_nothing_but_apostrophes_comes_in(text: str) -> None:
    from cdp_pipelines.domain.formula_guard import guard_text

    guarded = guard_text(text, "csv")
    assert guard_text(guarded, "csv") == guarded
    assert guarded.replace("'", "") == text.replace("'", "")


def test_headers_are_guarded_too(tmp_path: Path) -> None:
    with CsvFile(tmp_path / "a.csv", sheet_columns(CONTACT_COLUMNS, "csv")):
        pass

    assert (tmp_path / "a.csv").read_text("utf-8-sig").startswith('"first;\'=header","text;\'=header"')
