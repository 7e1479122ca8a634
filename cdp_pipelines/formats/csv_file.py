"""CSV files on disk: UTF-8 with a byte order mark, so that Excel opens them right. What a line looks like: `csv_block`.

Cells come as texts that are guarded already.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cdp_pipelines.domain.cells import SheetColumn
from cdp_pipelines.formats.csv_block import BYTE_ORDER_MARK, csv_block
from cdp_pipelines.formats.table_file import TableFileBase

_BUFFER_BYTES: Final = 1 << 20


class CsvFile(TableFileBase[str]):
    """A CSV file being written. Lone surrogates, which UTF-8 cannot hold, become U+FFFD."""

    def __init__(self, path: Path, columns: Sequence[SheetColumn]) -> None:
        super().__init__(path, columns)
        self._file = path.open("wb", buffering=_BUFFER_BYTES)
        self._file.write(BYTE_ORDER_MARK)
        self._append([[column.header] for column in columns])

    def _finish(self) -> None:
        self._file.close()

    def _discard(self) -> None:
        # On a full disk closing fails as writing did; the file goes anyway, and the first error is the one to tell.
        with suppress(OSError):
            self._file.close()

    def _append(self, columns: Sequence[Sequence[str]]) -> None:
        self._file.write(csv_block(columns))
