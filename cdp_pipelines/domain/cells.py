"""Cells and columns as the file formats take them: plain values, or a value with the way it is shown.

Belongs here: the shapes that rules hand to `formats`. Not here: which value becomes which cell
(`contact_export/values.py`) and how a file is written (`formats/`).
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import NamedTuple, TypeAlias


class CellStyle(NamedTuple):
    """How a cell is shown: a spreadsheet number format (None: as it comes), and whether its lines wrap."""

    number_format: str | None
    wrap: bool = False


class StyledCell(NamedTuple):
    """A value and its style. Dates and date-times are as they should read: naive, from 1900-03-01 on."""

    value: str | int | float | date | datetime
    style: CellStyle


CellContent: TypeAlias = str | int | float | date | datetime

styled: Callable[[tuple[CellContent, CellStyle]], StyledCell] = partial(tuple.__new__, StyledCell)
"""A `StyledCell` of `(value, style)`, in half the time its class takes: an export makes hundreds of thousands."""

XlsxCell: TypeAlias = str | int | float | StyledCell | None
"""A cell of a sheet: a text stays a text (never a formula or a link), a number is finite, None is an empty cell."""


class SheetColumn(NamedTuple):
    """A column of a file: its header (guarded already) and, for sheets, its width in characters."""

    header: str
    width: float = 20.0
