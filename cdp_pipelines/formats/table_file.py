"""What a table file is to those who fill it, whatever its format; and opening one by the name of its format.

    columns = sheet_columns(chosen, file_format)
    with open_table(path, file_format, columns) as table:
        for batch in batches:
            table.write_columns(renderer.columns(batch))

Leaving the block by an exception removes the partial file. Not here: how cells are made (`domain`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from cdp_pipelines.domain.cells import SheetColumn
from cdp_pipelines.domain.errors import TransientFailure

CellT = TypeVar("CellT")
CellT_contra = TypeVar("CellT_contra", contravariant=True)

ROWS_AT_ONCE: Final = 500


class TableFile(Protocol[CellT_contra]):
    """A file of rows being written: its header is there from the start, `row_count` counts the rows under it."""

    path: Path
    row_count: int
    cut_cells: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the content, such as texts that were cut."""

    def write_rows(self, rows: Iterable[Sequence[CellT_contra]]) -> None:
        """Append rows, each with one cell a column."""

    def write_columns(self, columns: Sequence[Sequence[CellT_contra]]) -> None:
        """Append a batch given column by column: one sequence a column, all of the same length."""

    def close(self) -> None:
        """Finish the file. Nothing can be written after it."""

    def abort(self) -> None:
        """Give up: no file stays behind. Does nothing to a file that is closed."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class TableFileBase(ABC, Generic[CellT]):
    """What every table file shares: counting, batches of rows, and what becomes of the file at the end."""

    def __init__(self, path: Path, columns: Sequence[SheetColumn]) -> None:
        if not columns:
            raise ValueError("a table needs at least one column")
        self.path = path
        self.row_count = 0
        self.cut_cells = 0
        self._width = len(columns)
        self._open = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the content; empty for most files."""
        return ()

    def write_rows(self, rows: Iterable[Sequence[CellT]]) -> None:
        """Append rows, each with one cell a column; they are taken from the iterable a batch at a time."""
        source = iter(rows)
        while batch := list(islice(source, ROWS_AT_ONCE)):
            self.write_columns(list(zip(*batch, strict=True)))

    def write_columns(self, columns: Sequence[Sequence[CellT]]) -> None:
        """Append a batch given column by column.

        Raises:
            ValueError: the file is closed, or the columns are not as many as the header's, or not of one length.
            TransientFailure: the file could not be written.
        """
        if not self._open:
            raise ValueError("the file is closed")
        if len(columns) != self._width:
            raise ValueError(f"the table has {self._width} columns, not {len(columns)}")
        with _writing():
            self._append(columns)
        self.row_count += len(columns[0])

    def close(self) -> None:
        """Finish the file; if that fails, no partial file stays. A second call does nothing.

        Raises:
            TransientFailure: the file could not be written.
        """
        if not self._open:
            return
        self._open = False
        try:
            with _writing():
                self._finish()
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise

    def abort(self) -> None:
        """Give up: no file stays behind. Does nothing to a file that is closed."""
        if not self._open:
            return
        self._open = False
        try:
            self._discard()
        finally:
            self.path.unlink(missing_ok=True)

    @abstractmethod
    def _append(self, columns: Sequence[Sequence[CellT]]) -> None: ...

    @abstractmethod
    def _finish(self) -> None: ...

    @abstractmethod
    def _discard(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _not_written(error.strerror or "the disk refused it") from error
    except BaseException as error:
        # The sheet library panics on a full disk, with an exception that no `except Exception` would catch.
        if type(error).__name__ == "PanicException":
            raise _not_written("the disk may be full") from error
        raise


def _not_written(reason: str) -> TransientFailure:
    return TransientFailure(
        "FILE_NOT_WRITTEN", f"The file could not be written: {reason}. Free space for temporary files and try again."
    )


def open_table(path: Path, file_format: str, columns: Sequence[SheetColumn]) -> TableFile[Any]:
    """A new file of the format `"csv"` or `"xlsx"` with its header written.

    Raises:
        ValueError: the format is neither, or there are no columns.
    """
    if file_format == "csv":
        from cdp_pipelines.formats.csv_file import CsvFile

        return CsvFile(path, columns)
    if file_format == "xlsx":
        from cdp_pipelines.formats.xlsx_file import XlsxFile

        return XlsxFile(path, columns)
    raise ValueError(f"file_format must be 'csv' or 'xlsx', not {file_format!r}")
