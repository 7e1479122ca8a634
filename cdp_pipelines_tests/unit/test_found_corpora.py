"""Inputs that others found and what must become of them (`data/found.json`), each by its kind."""

import csv
import json
from pathlib import Path
from typing import Any

import nh3
import pytest

import cdp_pipelines_tests
from cdp_pipelines.domain.activity_logs.audited_yaml import read_audited_changes
from cdp_pipelines.domain.cells import SheetColumn
from cdp_pipelines.domain.contact_notes.html import NoteTooLong, normalize_note, sanitize_note_html
from cdp_pipelines.domain.formula_guard import guard_text
from cdp_pipelines.domain.public_address import is_public_address
from cdp_pipelines.domain.web_address import read_address
from cdp_pipelines.formats.csv_file import CsvFile

DATA = Path(cdp_pipelines_tests.__file__).parent / "data" / "found.json"
FOUND: list[dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))


def of(*functions: str) -> list[Any]:
    """The entries of these functions, each under a name of its own."""
    return [
        pytest.param(entry, id=f"{number}: {str(entry.get('args', entry.get('args_python')))[:60]}")
        for number, entry in enumerate(FOUND)
        if entry["function"] in functions
    ]


def test_every_entry_is_tried() -> None:
    tried = {
        "guard_text + CsvFile", "guard_text", "sanitize_note_html", "read_audited_changes", "is_public_address",
        "web_address.read_address (attachment url)",
    }  # fmt: skip
    assert {entry["function"] for entry in FOUND} == tried
    assert len(FOUND) == 50


def fields_of(path: Path, delimiter: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [field for row in csv.reader(file, delimiter=delimiter) for field in row]


@pytest.mark.parametrize("entry", of("guard_text + CsvFile"))
def test_no_field_is_a_formula_whatever_the_separator(entry: dict[str, Any], tmp_path: Path) -> None:
    text, file_format = entry["args"]
    path = tmp_path / "export.csv"
    with CsvFile(path, [SheetColumn("First"), SheetColumn("Cell")]) as file:
        file.write_rows([["x", guard_text(text, file_format)]])
    for delimiter in [",", *entry["read_with_delimiter"]]:
        assert [field for field in fields_of(path, delimiter) if field.startswith("=")] == []


@pytest.mark.parametrize("entry", of("guard_text"))
def test_a_plain_number_is_left_as_it_is(entry: dict[str, Any]) -> None:
    assert guard_text(*entry["args"]) == entry["expected"]


@pytest.mark.parametrize("entry", [param for param in of("sanitize_note_html") if "args" in param.values[0]])
def test_words_of_two_cells_or_blocks_stay_apart(entry: dict[str, Any]) -> None:
    found = sanitize_note_html(*entry["args"])
    words = nh3.clean(found.replace("<", " <"), tags=set()).split()

    assert words == entry["expected"]["words"]
    assert sanitize_note_html(found) == found


@pytest.mark.parametrize("entry", [param for param in of("sanitize_note_html") if "args_python" in param.values[0]])
def test_an_honest_note_is_never_flattened(entry: dict[str, Any]) -> None:
    parts = [part.rpartition("*") for part in entry["args_python"].split("+")]
    note = "".join(literal.strip("'") * int(count) for literal, _, count in parts)
    if "NoteTooLong" in entry["expected"]:
        with pytest.raises(NoteTooLong):
            normalize_note(note)
    else:
        paragraph = note[: note.index("</p>") + len("</p>")]
        assert sanitize_note_html(note).count(paragraph) == note.count(paragraph)


@pytest.mark.parametrize("entry", of("read_audited_changes"))
def test_changes_read_as_ruby_wrote_them(entry: dict[str, Any]) -> None:
    assert json.dumps(read_audited_changes(*entry["args"])) == json.dumps(entry["expected"])


@pytest.mark.parametrize("entry", of("web_address.read_address (attachment url)"))
def test_an_address_with_blanks_is_no_attack(entry: dict[str, Any]) -> None:
    (address,) = entry["args"]
    read = read_address(address)

    assert read.host == "cdn.example.com"
    assert read.target.isascii()
    assert not set(" \n") & set(read.target)


@pytest.mark.parametrize("entry", of("is_public_address"))
def test_an_address_inside_another_is_seen(entry: dict[str, Any]) -> None:
    assert is_public_address(*entry["args"]) is entry["expected"]
