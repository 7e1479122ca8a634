"""Reading files back as their users' programs do, for the tests of the writers."""

import csv
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import openpyxl
from openpyxl.worksheet.worksheet import Worksheet


def csv_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def open_sheet(path: Path) -> Worksheet:
    """The sheet, after every XML part of the file was found to be well formed."""
    with zipfile.ZipFile(path) as book:
        for name in book.namelist():
            if name.endswith((".xml", ".rels")):
                ET.fromstring(book.read(name))
    sheet = openpyxl.load_workbook(path).active
    assert isinstance(sheet, Worksheet)
    return sheet


def data_cells(sheet: Worksheet) -> list[list[Any]]:
    """The cells under the header."""
    return [list(row) for row in sheet.iter_rows(min_row=2)]
