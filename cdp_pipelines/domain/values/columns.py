"""Columns of cells: a rule for one value becomes a rule for a batch of them, with the short cut that most texts take.

Most cells of an export are harmless texts: in a CSV file they pass a column at a time, in a sheet without a call.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from cdp_pipelines.domain.cells import XlsxCell
from cdp_pipelines.domain.formula_guard import SUSPECT_FIRST, all_harmless

CellT = TypeVar("CellT")
CellOf: TypeAlias = Callable[[Any], CellT]
CellsOf: TypeAlias = Callable[[Sequence[Any]], list[CellT]]


def cells_of(cell: CellOf[CellT], empty: CellT) -> CellsOf[CellT]:
    """Each value through `cell`; `empty` for what is missing or null."""
    return lambda values: [empty if value is None or value is empty else cell(value) for value in values]


def csv_texts(text_of: CellOf[str]) -> CellsOf[str]:
    """Texts of a CSV file; `text_of` is asked only where the guard may have to act, or the value is no text."""

    def cells(values: Sequence[Any]) -> list[str]:
        try:
            if all_harmless(values):
                return list(values)
        except TypeError:
            pass  # Not all of them are texts.
        return [
            value
            # No separator that could begin a cell inside it, and of the others none is printable.
            if type(value) is str
            and value
            and value[0] not in SUSPECT_FIRST
            and ";" not in value
            and value.isprintable()
            else text_of(value)
            for value in values
        ]

    return cells


def xlsx_texts(text_of: CellOf[str]) -> CellsOf[XlsxCell]:
    """Texts of a sheet, likewise; None stays an empty cell."""

    def cells(values: Sequence[Any]) -> list[XlsxCell]:
        return [
            value
            if (type(value) is str and value and value[0] not in SUSPECT_FIRST) or value is None
            else text_of(value)
            for value in values
        ]

    return cells
