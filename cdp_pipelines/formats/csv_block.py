"""Rows of a CSV file as bytes: RFC 4180, CRLF, UTF-8.

Cells come as texts that are guarded already. Quoted are cells with a comma, semicolon, quote, tab or line break (some
programs and countries separate by semicolon or tab), and cells that begin or end with a space. Not here: where the
bytes go (`csv_file`, `row_stream`).
"""

import re
from collections.abc import Sequence
from typing import Final

from cdp_pipelines.formats.characters import utf8

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""What a CSV file begins with, so that Excel takes it for UTF-8."""

_SPECIAL_CHARACTERS: Final = (",", '"', "\n", ";", "\t", "\r")
_needs_quotes: Final = re.compile(r'[,;"\t\r\n]|\A | \Z').search
# Between the cells of a column while it is looked at as one text; a cell that holds it is only looked at twice.
_SEAM: Final = "\x1f"


def csv_block(columns: Sequence[Sequence[str]]) -> bytes:
    """The lines of a batch given column by column; nothing for no rows. Lone surrogates become U+FFFD.

    Raises:
        ValueError: the columns are not of one length.
    """
    rows = list(map(",".join, zip(*map(_quoted, columns), strict=True)))
    if not rows:
        return b""
    if len(columns) == 1:
        # A line with nothing on it is no row to most readers.
        rows = [row or '""' for row in rows]
    rows.append("")
    return utf8("\r\n".join(rows))


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
