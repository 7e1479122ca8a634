"""CSV files: RFC 4180, CRLF, UTF-8 with a byte order mark, so that Excel opens them right.

Cells come as texts that are guarded already. Quoted are cells with a comma, semicolon, quote, tab or line break (some
programs and countries separate by semicolon or tab), and cells that begin or end with a space.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cdp_pipelines.domain.cells import SheetColumn
from cdp_pipelines.formats.table_file import TableFileBase

_SPECIAL_CHARACTERS: Final = (",", '"', "\n", ";", "\t", "\r")
_needs_quotes: Final = re.compile(r'[,;"\t\r\n]|\A | \Z').search
# Between the cells of a column while it is looked at as one text; a cell that holds it is only looked at twice.
_SEAM: Final = "\x1f"
_BUFFER_BYTES: Final = 1 << 20


class CsvFile(TableFileBase[str]):
    """A CSV file being written. Lone surrogates, which UTF-8 cannot hold, become U+FFFD."""

    def __init__(self, path: Path, columns: Sequence[SheetColumn]) -> None:
        super().__init__(path, columns)
        self._file = path.open("wb", buffering=_BUFFER_BYTES)
        self._file.write(b"\xef\xbb\xbf")
        self._append([[column.header] for column in columns])

    def _finish(self) -> None:
        self._file.close()

    def _discard(self) -> None:
        # On a full disk closing fails as writing did; the file goes anyway, and the first error is the one to tell.
        with suppress(OSError):
            self._file.close()

    def _append(self, columns: Sequence[Sequence[str]]) -> None:
        rows = list(map(",".join, zip(*map(_quoted, columns), strict=True)))
        if not rows:
            return
        if len(columns) == 1:
            # A line with nothing on it is no row to most readers.
            rows = [row or '""' for row in rows]
        rows.append("")
        self._file.write(_utf8("\r\n".join(rows)))


def _quoted(cells: Sequence[str]) -> Sequence[str]:
    """The cells as they stand in the file. Most columns need no quotes at all, and one look at all of it tells."""
    whole = _SEAM.join(("", *cells, ""))
    present = [sign for sign in _SPECIAL_CHARACTERS if sign in whole]
    if _SEAM + " " in whole or " " + _SEAM in whole or len(present) > 3:
        return ['"' + cell.replace('"', '""') + '"' if _needs_quotes(cell) else cell for cell in cells]
    if not present:
        return cells
    # Looking for one character is several times faster than a pattern, even three times over.
    a, b, c = (present * 3)[:3]
    return ['"' + cell.replace('"', '""') + '"' if a in cell or b in cell or c in cell else cell for cell in cells]


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Through UTF-16 the halves of a character that stand side by side come together again.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
