# ruff: noqa: DTZ001
# Sheets have naive wall clocks.
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from cdp_pipelines.domain.cells import CellStyle, SheetColumn, StyledCell, XlsxCell
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.formats.xlsx_file import MAX_ROWS, MAX_TEXT_UNITS, XlsxFile
from cdp_pipelines_tests.unit.formats.reopening import data_cells, open_sheet

DATE = CellStyle("yyyy-mm-dd")
MOMENT = CellStyle("yyyy-mm-dd hh:mm:ss")
WRAP = CellStyle(None, wrap=True)


def written(path: Path, rows: list[list[XlsxCell]]) -> list[list[Any]]:
    with XlsxFile(path, [SheetColumn(f"h{number}") for number in range(len(rows[0]))]) as table:
        table.write_rows(rows)
    return data_cells(open_sheet(path))


def value_of(path: Path, cell: XlsxCell) -> Any:
    [[found, _]] = written(path, [[cell, "end"]])
    return found.value


def test_the_header_is_bold_and_stays_in_sight(tmp_path: Path) -> None:
    with XlsxFile(tmp_path / "a.xlsx", [SheetColumn("Name", 33.0), SheetColumn("Größe")]) as table:
        assert table.row_count == 0
    sheet = open_sheet(tmp_path / "a.xlsx")

    assert sheet.title == "Customers"
    assert sheet.freeze_panes == "A2"
    assert [(cell.value, cell.font.b) for cell in sheet[1]] == [("Name", True), ("Größe", True)]
    assert sheet.max_row == 1
    assert sheet.column_dimensions["A"].width == pytest.approx(33, abs=1)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "{=1}", "http://example.com/x", "https://example.com", "mailto:a@example.com", "internal:Sheet1!A1",
        "external:\\\\host\\x.xlsx", "ftp://example.com/x", "ann@example.com", "12", "-5", "1E5", "TRUE", "2024-01-02",
        "00123", " lead", "trail ", "  ", "a\nb", "a\tb", "\n", "<b>&amp;</b>", ']]>"\'', "😀 עברית 中文", "x" * 32_767,
        "\u00a0", "\u2028", "\x7f", "\ufffd",
    ],
)  # fmt: skip
@pytest.mark.parametrize("style", [None, WRAP])
def test_a_text_is_that_text(tmp_path: Path, text: str, style: CellStyle | None) -> None:
    [[found, _]] = written(tmp_path / "a.xlsx", [[text if style is None else StyledCell(text, style), "end"]])

    assert found.value == text
    assert found.data_type == "s"
    assert found.hyperlink is None
    assert bool(found.alignment.wrap_text) is (style is not None)


def test_no_formulas_or_links_are_in_the_file(tmp_path: Path) -> None:
    [[formula, link]] = written(tmp_path / "a.xlsx", [["=1+1", "http://example.com"]])

    assert (formula.data_type, link.data_type, link.hyperlink) == ("s", "s", None)
    assert openpyxl.load_workbook(tmp_path / "a.xlsx", data_only=True).active["A2"].value == "=1+1"  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("a\x00b\x01\x08\x0b\x0c\x1f", "a\ufffdb" + "\ufffd" * 5),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
        ("a\ufffe\uffffb", "a\ufffd\ufffdb"),
        ("", None),
    ],
)
def test_what_xml_cannot_hold_is_replaced(tmp_path: Path, text: str, kept: str | None) -> None:
    assert value_of(tmp_path / "a.xlsx", text) == kept
    assert value_of(tmp_path / "b.xlsx", StyledCell(text, WRAP)) == kept


@pytest.mark.parametrize(
    ("text", "kept", "cut"),
    [
        ("x" * MAX_TEXT_UNITS, "x" * MAX_TEXT_UNITS, 0),
        ("x" * (MAX_TEXT_UNITS + 1), "x" * MAX_TEXT_UNITS, 1),
        ("😀" * 16_383, "😀" * 16_383, 0),
        ("😀" * 16_384, "😀" * 16_383, 1),
        ("x" + "😀" * 16_383, "x" + "😀" * 16_383, 0),
        ("\n" * 40_000, "\n" * MAX_TEXT_UNITS, 1),
        ("\r\n" * 32_767, "\n" * MAX_TEXT_UNITS, 0),
    ],
)
def test_too_long_a_text_is_cut_and_counted(tmp_path: Path, text: str, kept: str, cut: int) -> None:
    with XlsxFile(tmp_path / "a.xlsx", [SheetColumn("a"), SheetColumn("b")]) as table:
        table.write_rows([[text, StyledCell("short", WRAP)]])
    [[found, _]] = data_cells(open_sheet(tmp_path / "a.xlsx"))

    assert found.value == kept
    assert table.cut_cells == cut
    assert len(table.warnings) == cut


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        (0, 0), (-5, -5), (12.5, 12.5), (0.1, 0.1), (2**53, 2**53), (10**18, 1e18), (10**25, 1e25), (1e-300, 1e-300),
        (True, True), (float("nan"), "nan"), (float("inf"), "inf"), (10**400, str(10**400)),
    ],
)  # fmt: skip
def test_numbers_are_numbers_and_finite(tmp_path: Path, number: float, kept: Any) -> None:
    assert value_of(tmp_path / "a.xlsx", number) == kept


@pytest.mark.parametrize(
    ("value", "style", "kept"),
    [
        (date(1990, 5, 1), DATE, datetime(1990, 5, 1)),
        (date(1900, 3, 1), DATE, datetime(1900, 3, 1)),
        (date(9999, 12, 31), DATE, datetime(9999, 12, 31)),
        (datetime(2024, 5, 1, 10, 0, 1), MOMENT, datetime(2024, 5, 1, 10, 0, 1)),
        (datetime(2024, 5, 1, 23, 59, 59, 999_000), MOMENT, datetime(2024, 5, 1, 23, 59, 59, 999_000)),
        (0.125, CellStyle("0.0%"), 0.125),
        (1_000_000, CellStyle('"IDR "#,##0;"IDR "-#,##0'), 1_000_000),
        (123456789012, CellStyle("0"), 123456789012),
    ],
)
def test_styled_cells(tmp_path: Path, value: Any, style: CellStyle, kept: Any) -> None:
    [[found, _]] = written(tmp_path / "a.xlsx", [[StyledCell(value, style), "end"]])

    assert found.value == kept
    assert found.number_format == style.number_format


@pytest.mark.parametrize("early", [date(1900, 2, 28), datetime(1899, 1, 1)])
def test_days_a_sheet_cannot_count_are_refused(tmp_path: Path, early: date) -> None:
    with pytest.raises(ValueError, match="1900"):
        written(tmp_path / "a.xlsx", [[StyledCell(early, DATE)]])
    assert list(tmp_path.iterdir()) == []


def test_every_cell_keeps_its_own_style_in_a_column_of_many(tmp_path: Path) -> None:
    percent, id_style = CellStyle("0%"), CellStyle("0")
    start = datetime(2024, 1, 1)
    kinds: list[XlsxCell] = [
        StyledCell(0.5, percent), StyledCell(0.5, percent), 1.5, "text", None, StyledCell(123456789012, id_style),
        StyledCell(start, MOMENT), True, StyledCell("a\nb", WRAP),
    ]  # fmt: skip
    rows: list[list[XlsxCell]] = [[kinds[(row + shift) % len(kinds)] for shift in range(3)] for row in range(1_300)]
    found = written(tmp_path / "a.xlsx", rows)

    formats = ["0%", "0%", "General", None, None, "0", "yyyy-mm-dd hh:mm:ss", "General", "General"]
    values = [0.5, 0.5, 1.5, "text", None, 123456789012, start, True, "a\nb"]
    for number, row in enumerate(found):
        for shift, cell in enumerate(row):
            kind = (number + shift) % len(kinds)
            assert cell.value == values[kind]
            assert formats[kind] is None or cell.number_format == formats[kind]
            assert bool(cell.alignment.wrap_text) is (kind == 8)


def test_a_style_that_comes_late_changes_nothing_before_it(tmp_path: Path) -> None:
    late = StyledCell(123456789012, CellStyle("0"))
    before: list[XlsxCell] = [1.5]
    rows = [before] * 500 + [[late], [2.5], [late]]
    found = written(tmp_path / "a.xlsx", rows)

    assert {cell.number_format for [cell] in found[:500]} == {"General"}
    assert [(cell.value, cell.number_format) for [cell] in found[500:]] == [
        (123456789012, "0"), (2.5, "General"), (123456789012, "0"),
    ]  # fmt: skip


def test_a_row_of_nothing_is_a_row(tmp_path: Path) -> None:
    found = written(tmp_path / "a.xlsx", [[None, None], ["x", "y"], [StyledCell("", WRAP), ""]])

    assert [[cell.value for cell in row] for row in found] == [[None, None], ["x", "y"], [None, None]]


def test_dates_are_exact_to_the_second_all_day_long(tmp_path: Path) -> None:
    moments = [datetime(2024, 2, 29) + timedelta(seconds=second) for second in range(0, 86_400, 61)]
    found = written(tmp_path / "a.xlsx", [[StyledCell(moment, MOMENT)] for moment in moments])

    assert [cell.value for [cell] in found] == moments


def test_the_file_appears_when_it_is_closed_and_not_if_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with XlsxFile(path, [SheetColumn("a")]) as table:
        table.write_rows([["x"]] * 2_000)
        assert list(tmp_path.iterdir()) == []
    assert path.exists()
    path.unlink()

    rows = iter([["x"]] * 2_000 + [["y", "too wide"]])
    with pytest.raises(ValueError, match="columns"), XlsxFile(path, [SheetColumn("a")]) as table:
        table.write_rows(rows)
    assert list(tmp_path.iterdir()) == []
    table.abort()
    table.close()
    assert list(tmp_path.iterdir()) == []


def test_the_limits_of_a_sheet_are_plain_failures(tmp_path: Path) -> None:
    with pytest.raises(PermanentFailure, match="16384"):
        XlsxFile(tmp_path / "a.xlsx", [SheetColumn("a")] * 16_385)
    with pytest.raises(PermanentFailure, match="1,048,575"), XlsxFile(tmp_path / "a.xlsx", [SheetColumn("a")]) as table:
        table.write_columns([["x"] * 1_048_576])
    assert list(tmp_path.iterdir()) == []


def test_the_properties_name_nobody(tmp_path: Path) -> None:
    written(tmp_path / "a.xlsx", [["x"]])
    properties = openpyxl.load_workbook(tmp_path / "a.xlsx").properties

    assert not properties.creator
    assert not properties.lastModifiedBy


def sheets_of(path: Path) -> list[Any]:
    open_sheet(path)
    return list(openpyxl.load_workbook(path).worksheets)


def test_rows_go_on_in_further_sheets_that_are_like_the_first(tmp_path: Path) -> None:
    columns = [SheetColumn("Code", 33.0), SheetColumn("=When")]
    rows: list[list[XlsxCell]] = [
        [f"c{number}", StyledCell(datetime(2024, 1, 1) + timedelta(days=number), MOMENT)] for number in range(25)
    ]
    with XlsxFile(tmp_path / "a.xlsx", columns, sheet_name="Vouchers", further_sheets=True, rows_a_sheet=10) as table:
        table.write_rows(rows[:4])
        table.write_rows(rows[4:])
    sheets = sheets_of(tmp_path / "a.xlsx")

    assert table.row_count == 25
    assert [(sheet.title, sheet.max_row) for sheet in sheets] == [
        ("Vouchers", 11),
        ("Vouchers 2", 11),
        ("Vouchers 3", 6),
    ]
    assert [cell.value for sheet in sheets for cell in sheet["A"][1:]] == [f"c{number}" for number in range(25)]
    assert {cell.number_format for sheet in sheets for cell in sheet["B"][1:]} == {MOMENT.number_format}
    for sheet in sheets:
        assert [(cell.value, cell.font.b) for cell in sheet[1]] == [("Code", True), ("=When", True)]
        assert sheet.freeze_panes == "A2"
        assert sheet.column_dimensions["A"].width == pytest.approx(33, abs=1)


@pytest.mark.parametrize(
    ("rows", "sheets"), [(0, [1]), (1, [2]), (10, [11]), (11, [11, 2]), (20, [11, 11]), (35, [11, 11, 11, 6])]
)
@pytest.mark.parametrize("batch", [1, 10, 100])
def test_a_sheet_begins_only_when_there_is_a_row_for_it(
    tmp_path: Path, rows: int, sheets: list[int], batch: int
) -> None:
    values: list[XlsxCell] = list(range(rows))
    with XlsxFile(tmp_path / "a.xlsx", [SheetColumn("a")], further_sheets=True, rows_a_sheet=10) as table:
        for start in range(0, rows, batch):
            table.write_columns([values[start : start + batch]])
    found = sheets_of(tmp_path / "a.xlsx")

    assert [sheet.max_row for sheet in found] == sheets
    assert [cell.value for sheet in found for cell in sheet["A"][1:]] == values


def test_long_names_of_sheets_are_cut(tmp_path: Path) -> None:
    with XlsxFile(
        tmp_path / "a.xlsx", [SheetColumn("a")], sheet_name="x" * 40, further_sheets=True, rows_a_sheet=1
    ) as table:
        table.write_rows([[1], [2]])

    assert [sheet.title for sheet in sheets_of(tmp_path / "a.xlsx")] == ["x" * 31, "x" * 29 + " 2"]


def test_given_up_with_many_sheets_nothing_stays(tmp_path: Path) -> None:
    table = XlsxFile(tmp_path / "a.xlsx", [SheetColumn("a")], further_sheets=True, rows_a_sheet=1_000)
    table.write_columns([["x"] * 2_500])
    table.abort()
    assert list(tmp_path.iterdir()) == []


def test_a_million_rows_and_one_more(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with XlsxFile(path, [SheetColumn("a")], sheet_name="Vouchers", further_sheets=True) as table:
        for start in range(0, MAX_ROWS + 1, 65_536):
            table.write_columns([list(range(start, min(start + 65_536, MAX_ROWS + 1)))])
    with zipfile.ZipFile(path) as book, book.open("xl/worksheets/sheet1.xml") as sheet:
        rows, end = 0, b""
        while piece := sheet.read(1 << 20):
            rows += (end[-4:] + piece).count(b"<row ")
            end = end[-500:] + piece
    opened = openpyxl.load_workbook(path, read_only=True)
    second = list(opened["Vouchers 2"].values)
    opened.close()

    assert table.row_count == 1_048_576
    assert rows == 1_048_576
    assert b'<c r="A1048576"><v>1048574</v></c>' in end.replace(b".0<", b"<")
    assert second == [("a",), (1_048_575,)]
