"""The formula guard (SPEC 3.3): a text that a spreadsheet would run as a formula gets a leading apostrophe.

Numbers are never touched, and in a sheet a plain phone number is not either, since it sits in a text cell there.
Not here: quoting (`formats/csv_file.py`) and which cells are texts at all (`contact_export/values.py`).
"""

import re
from collections.abc import Sequence
from typing import Final

TRIGGERS: Final = frozenset("=+-@\t\r\n\0＝＋－＠ー")

# Spaces, controls and characters of no width, which spreadsheets and people skip on the way to the first sign.
_INVISIBLE_RANGES: Final = (
    (0x01, 0x08), (0x0B, 0x0C), (0x0E, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x034F, 0x034F), (0x0600, 0x0605),
    (0x061C, 0x061C), (0x06DD, 0x06DD), (0x070F, 0x070F), (0x0890, 0x0891), (0x08E2, 0x08E2), (0x115F, 0x1160),
    (0x1680, 0x1680), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2000, 0x200F), (0x2028, 0x202F), (0x205F, 0x206F),
    (0x2800, 0x2800), (0x3000, 0x3000), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
_SKIPPED: Final = frozenset('"') | {chr(code) for first, last in _INVISIBLE_RANGES for code in range(first, last + 1)}

SUSPECT_FIRST: Final = TRIGGERS | _SKIPPED
"""A text that begins with none of these is harmless: the one test that most cells ever meet."""

# What stands between texts while many are looked at as one. It cannot be told from a text of its own that begins so.
_SEAM: Final = "\x1f"
_SUSPECT_AFTER_SEAM: Final = re.compile(
    _SEAM + "[" + "".join(re.escape(sign) for sign in sorted(TRIGGERS | {'"'}))
    + "".join(f"{chr(first)}-{chr(last)}" for first, last in _INVISIBLE_RANGES if last != 0x20) + "\x0e-\x1e ]"
)  # fmt: skip

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
# "+6281234567" is a number to a spreadsheet that opens a CSV: the plus would be lost and the digits rounded.
_BARE_PHONE: Final = re.compile(r"\+[0-9]{7}")
_GROUPED_NUMBER: Final = re.compile(
    r"[+-][0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[+-][0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]+)?"
)
_PHONE: Final = re.compile(r"\+ ?\(?[0-9](?:[ ./()\u00a0-]{0,3}[0-9]){6,14}")


def all_harmless(texts: Sequence[str]) -> bool:
    """True if no text can need the guard: one look at all of them, many times faster than one at each.

    False may also mean that it cannot be told. Raises TypeError if not all are texts.
    """
    whole = _SEAM + _SEAM.join(texts)
    return whole.count(_SEAM) == len(texts) and _SUSPECT_AFTER_SEAM.search(whole) is None


def guard_text(text: str, file_format: str) -> str:
    """The text as it may stand in a cell of a `"csv"` or `"xlsx"` file.

    Raises:
        ValueError: the format is neither.
    """
    if file_format == "csv":
        return guard_csv(text)
    if file_format == "xlsx":
        return guard_xlsx(text)
    raise ValueError(f"file_format must be 'csv' or 'xlsx', not {file_format!r}")


def guard_csv(text: str) -> str:
    """As `guard_text(text, "csv")`."""
    if not text or text[0] not in SUSPECT_FIRST or not _is_risky(text):
        return text
    if _NUMBER.fullmatch(text) and not _BARE_PHONE.match(text):
        return text
    return "'" + text


def guard_xlsx(text: str) -> str:
    """As `guard_text(text, "xlsx")`."""
    if not text or text[0] not in SUSPECT_FIRST or not _is_risky(text):
        return text
    if _NUMBER.fullmatch(text) or _PHONE.fullmatch(text) or _GROUPED_NUMBER.fullmatch(text):
        return text
    return "'" + text


def _is_risky(text: str) -> bool:
    for character in text:
        if character not in _SKIPPED:
            return character in TRIGGERS
    return False
