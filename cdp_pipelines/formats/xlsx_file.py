"""XLSX files: sheets of real cells, written row by row, so that memory does not grow with rows.

Only in `close` it does: the library makes the compressed file in memory (a full sheet of 4 columns: 20 MB, of 12: 47).

Texts stay texts (never a formula or a link), numbers are finite, dates are serial numbers with a date format. The
library (rust_xlsxwriter) is chosen by benchmark, see `benchmarks/render.py`.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from cdp_pipelines.domain.cells import CellStyle, SheetColumn, StyledCell, XlsxCell
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.message_parts import INDONESIAN_LANGUAGE, number_text
from cdp_pipelines.domain.people_words import Words
from cdp_pipelines.formats.table_file import TableFileBase

if TYPE_CHECKING:
    from rvgsrust_xlsxwriter import Format

Native: TypeAlias = str | int | float | None
# Cells of a batch that need a style of their own: (column, value, format), by the row's place in the batch.
Exceptions: TypeAlias = "dict[int, list[tuple[int, str | int | float, Format]]]"

MAX_TEXT_UNITS: Final = 32_767
MAX_ROWS: Final = 1_048_575
MAX_COLUMNS: Final = 16_384
SHEET_NAME: Final = "Customers"
_LONGEST_SHEET_NAME: Final = 31

# Named, since a cell without any style would take the style of its column.
_GENERAL: Final = CellStyle("General")
# A text of this length fits even if every character takes two UTF-16 units.
_SURELY_FITS: Final = MAX_TEXT_UNITS // 2
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_EXACT_INTEGER: Final = 2**53
# Day 0 of a sheet's calendar; right from 1900-03-01 on, since Excel counts a 29 February 1900.
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - sheets know local time only
_DAY_ZERO_ORDINAL: Final = _DAY_ZERO.toordinal()
_ONE_DAY: Final = timedelta(days=1)
_FIRST_SERIAL: Final = 61


class XlsxFile(TableFileBase[XlsxCell]):
    """A sheet being written, with a bold, frozen header. The file appears when it is closed.

    With `further_sheets` rows that a sheet has no room for go on in another one like it ("Vouchers", "Vouchers 2").
    `rows_a_sheet` are the rows under the header, at most `MAX_ROWS`.
    """

    def __init__(
        self,
        path: Path,
        columns: Sequence[SheetColumn],
        *,
        sheet_name: str = SHEET_NAME,
        further_sheets: bool = False,
        rows_a_sheet: int = MAX_ROWS,
    ) -> None:
        from rvgsrust_xlsxwriter import Workbook

        super().__init__(path, columns)
        if len(columns) > MAX_COLUMNS:
            raise PermanentFailure(
                "XLSX_TOO_MANY_COLUMNS",
                f"A sheet holds {MAX_COLUMNS} columns, not {len(columns)}. Choose fewer fields, or CSV.",
            )
        self._book = Workbook(str(path))
        # The library keeps rows in a nameless temporary file; beside the target there is room for it if for anything.
        self._book.set_tempdir(str(path.absolute().parent))
        self._formats: dict[CellStyle, Format] = {}
        self._column_styles: list[CellStyle | None] = [None] * len(columns)
        self._columns = tuple(columns)
        self._sheet_name = sheet_name
        self._further_sheets = further_sheets
        self._rows_a_sheet = rows_a_sheet
        self._bold = self._book.add_format().set_bold()
        self._sheets = 0
        self._begin_sheet()

    def _begin_sheet(self) -> None:
        """A sheet like those before it, which are on their way to the disk."""
        self._sheets += 1
        self._sheet_rows = 0
        ending = f" {self._sheets}" if self._sheets > 1 else ""
        name = self._sheet_name[: _LONGEST_SHEET_NAME - len(ending)] + ending
        self._sheet = self._book.add_worksheet(name, constant_memory=True)
        self._sheet.freeze_panes(1, 0)
        for index, (column, style) in enumerate(zip(self._columns, self._column_styles, strict=True)):
            self._sheet.set_column_width(index, column.width)
            if style is not None:
                self._sheet.set_column_format(index, self._format(style))
            self._sheet.write(0, index, self._text(column.header), self._bold)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Says how many texts were cut, if any."""
        if not self.cut_cells:
            return ()
        return (
            Words(
                f"{self.cut_cells} text(s) were longer than the {MAX_TEXT_UNITS:,} characters a cell holds, "
                "and were cut.",
                f"{self.cut_cells} teks lebih panjang daripada {number_text(MAX_TEXT_UNITS, INDONESIAN_LANGUAGE)} "
                "karakter yang dapat dimuat satu sel, sehingga dipotong.",
            ),
        )

    def _finish(self) -> None:
        try:
            self._book.close()
        finally:
            self._discard()

    def _discard(self) -> None:
        # Book and sheet hold each other, and the temporary file with them: do not wait for the garbage collector.
        self._formats.clear()
        del self._sheet, self._book, self._bold

    def _append(self, columns: Sequence[Sequence[XlsxCell]]) -> None:
        room = self._rows_a_sheet - self._sheet_rows
        if len(columns[0]) > room and not self._further_sheets:
            raise PermanentFailure(
                "XLSX_TOO_MANY_ROWS", f"A sheet holds {self._rows_a_sheet:,} rows. Choose CSV, or fewer rows."
            )
        while len(columns[0]) > room:
            self._write([column[:room] for column in columns])
            columns = [column[room:] for column in columns]
            self._begin_sheet()
            room = self._rows_a_sheet
        self._write(columns)

    def _write(self, columns: Sequence[Sequence[XlsxCell]]) -> None:
        exceptions: Exceptions = {}
        native = [self._column(index, cells, exceptions) for index, cells in enumerate(columns)]
        sheet = self._sheet
        for place, row in enumerate(map(list, zip(*native, strict=True))):
            number = self._sheet_rows + 1 + place
            sheet.write_row(number, 0, row)
            if place in exceptions:
                for index, value, form in exceptions[place]:
                    sheet.write(number, index, value, form)
            elif row.count(None) == self._width:
                # A row with nothing in it is a row all the same: readers count those that are there.
                sheet.write(number, 0, "", self._format(_GENERAL))
        self._sheet_rows += len(columns[0])

    def _column(self, index: int, cells: Sequence[XlsxCell], exceptions: Exceptions) -> list[Native]:
        """What the library can write without a format a cell, which costs three times as much; the rest apart."""
        if not self._sheet_rows and self._column_styles[index] is None:
            self._adopt_style(index, cells)
        own = self._column_styles[index]
        native: list[Native] = []
        append = native.append
        for place, cell in enumerate(cells):
            if type(cell) is str:
                append((cell or None) if cell.isprintable() and len(cell) <= _SURELY_FITS else self._text(cell))
            elif cell is None:
                append(None)
            elif isinstance(cell, StyledCell):
                content, style = cell
                # Most styled cells are finite floats; a call for each would cost as much as writing it.
                value = content if type(content) is float and content - content == 0.0 else self._native(content)
                if style is own or style == own or value == "":
                    append(None if value == "" else value)
                else:
                    append(None)
                    exceptions.setdefault(place, []).append((index, value, self._format(style)))
            elif own is None:
                append(self._native(cell))
            else:
                append(None)
                exceptions.setdefault(place, []).append((index, self._native(cell), self._format(_GENERAL)))
        return native

    def _adopt_style(self, index: int, cells: Sequence[XlsxCell]) -> None:
        """Make the first batch's most common style the column's own, before any row can be on its way to the file."""
        styles = Counter(cell.style for cell in cells if type(cell) is StyledCell)
        if styles:
            [(style, _)] = styles.most_common(1)
            self._column_styles[index] = style
            self._sheet.set_column_format(index, self._format(style))

    def _format(self, style: CellStyle) -> "Format":
        form = self._formats.get(style)
        if form is None:
            form = self._book.add_format()
            if style.number_format is not None:
                form = form.set_num_format(style.number_format)
            if style.wrap:
                form = form.set_text_wrap()
            self._formats[style] = form
        return form

    def _native(self, value: str | float | date) -> str | int | float:
        if isinstance(value, str):
            return self._text(str(value))
        if isinstance(value, date):
            return _serial(value)
        if isinstance(value, int) and -_EXACT_INTEGER <= value <= _EXACT_INTEGER:
            return value
        try:
            number = float(value)
        except OverflowError:
            return str(value)
        return number if math.isfinite(number) else str(number)

    def _text(self, text: str) -> str:
        """The text as XML and a cell can hold it: line feeds only, no forbidden character, not too long."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not text.isprintable():
            text = _FORBIDDEN.sub("\ufffd", text)
        if len(text) > _SURELY_FITS:
            units = text.encode("utf-16-le")
            if len(units) > 2 * MAX_TEXT_UNITS:
                self.cut_cells += 1
                # Half a surrogate pair at the end is dropped with the rest.
                text = units[: 2 * MAX_TEXT_UNITS].decode("utf-16-le", "ignore")
        return text


def _serial(day: date) -> int | float:
    """The serial number of a date or of a naive date-time, exact to the microsecond."""
    serial = (day - _DAY_ZERO) / _ONE_DAY if isinstance(day, datetime) else day.toordinal() - _DAY_ZERO_ORDINAL
    if serial < _FIRST_SERIAL:
        raise ValueError("a sheet has no right date cells before 1900-03-01: write it as text")
    return serial
