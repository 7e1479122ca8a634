"""The formula guard (SPEC 3.3): a text that a spreadsheet would run as a formula gets a leading apostrophe.

Numbers are never touched, and in a sheet a plain phone number is not either, since it sits in a text cell there.
A CSV file is also opened with `;` or a tab as its separator, and then its quotes hold no text together: there every
`;`, tab and line break inside a text begins a cell, and gets the apostrophe behind it where a formula would follow.
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

_SKIPPED_CLASS: Final = '["' + "".join(f"{chr(first)}-{chr(last)}" for first, last in _INVISIBLE_RANGES) + "]"
_SIGNS: Final = "".join(re.escape(sign) for sign in sorted(TRIGGERS - set("\t\r\n\0"))) + "\\0"
# One pattern a separator: what begins with one character is found many times faster than what begins with a class;
# and a look at the next character, before a class of so many, spares most of the rest.
_SUSPECT_INSIDE: Final = tuple(
    (separator, re.compile(rf"{separator}(?=[^A-Za-z0-9]){_SKIPPED_CLASS}*+[{_SIGNS}\t]").search)
    for separator in (";", "\n", "\t", "\r")
)
# A tab begins a cell that starts with a tab only where the separator is another; a line break ends the cell before it.
_BEGINS_INSIDE: Final = re.compile(
    rf"(?:;|\r\n?|\n)(?={_SKIPPED_CLASS}*[{_SIGNS}\t])|\t(?={_SKIPPED_CLASS}*[{_SIGNS}])"
)

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
# "+6281234567" is a number to a spreadsheet that opens a CSV: the plus would be lost and the digits rounded.
_BARE_PHONE: Final = re.compile(r"\+[0-9]{7}")
# As people write numbers: thousands in groups by one sign, a decimal comma or point, a percent sign.
_WRITTEN_NUMBER: Final = re.compile(
    r"[+-](?:[0-9]{1,3}(?P<group>[.,'\u2019 \u00a0\u2009\u202f])[0-9]{3}(?:(?P=group)[0-9]{3})*"
    r"(?:(?!(?P=group))[.,][0-9]+)?|[0-9]+(?:[.,][0-9]+)?)(?:[ \u00a0\u202f]?%)?"
)
_PHONE: Final = re.compile(
    r"\+ ?\(?[0-9](?:[ ./()\u00a0\u2009-\u2015\u202f-]{0,3}[0-9]){6,14}"
    r"(?:[ \u00a0]?[,;]?[ \u00a0]?(?:extension|ext|ekst|x|#)[.:=]?[ \u00a0]?[0-9]{1,6})?",
    re.IGNORECASE,
)

# A bullet inside a text: a sign, a blank, then words and figures with what stands between and behind those. No
# bracket, bar or operator, so that nothing can be called, and at the end nothing that the next cell could go on from.
_IN_WORD: Final = r"[^\x00-/:-@\[-^`{-\xa0\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]"
_WORD: Final = rf"{_IN_WORD}++(?:[-'.,:/&]{_IN_WORD}++)*+[.,:?!%]*+"
_BULLET: Final = (
    rf"[+-][ \xa0]++(?=[^;\t\r\n]*?[^\W\d_]{{2,}}+(?![0-9])){_WORD}(?:[ \xa0]++{_WORD})*+"
    r"(?:[ \xa0]*+(?=[ENDS])|(?<![,:])\Z)"
)
# What may stand behind a separator inside a text although it begins with a sign. A cell that a line break begins ends
# at either separator, so neither ends it for all readers: with `;` it goes on behind the tab, with a tab behind the
# `;`. A bullet may go on there, a number may not, since it would be none.
_PLAIN_INSIDE: Final = {
    separator: re.compile(
        rf"[ \xa0]*+(?:{_BULLET}|(?!{_BARE_PHONE.pattern})(?:{_NUMBER.pattern})(?=[NUMBER_ENDS]))".replace(
            "NUMBER_ENDS", number_ends
        ).replace("ENDS", ends)
    )
    for separator, ends, number_ends in (
        (";", r";\r\n", r";\r\n"), ("\t", r"\t\r\n", r"\t\r\n"),
        ("\r", r";\r\n", r"\r\n"), ("\n", r";\r\n", r"\r\n"),
    )
}  # fmt: skip
# Read with `;`, a number and the text of the next column are one cell, where a decimal comma joins them: -5,1+cmd|...
_GOES_ON: Final = re.compile(r"[0-9\uff10-\uff19](?![0-9.,:TZ+/ %-]*\Z)")


def all_harmless(texts: Sequence[str]) -> bool:
    """True if no text can need the guard: one look at all of them, many times faster than one at each.

    False may also mean that it cannot be told. Raises TypeError if not all are texts.
    """
    whole = _SEAM + _SEAM.join(texts)
    if whole.count(_SEAM) != len(texts) or _SUSPECT_AFTER_SEAM.search(whole) is not None:
        return False
    return not _is_suspect_inside(whole)


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
    if not text:
        return text
    if text[0] in SUSPECT_FIRST and _is_risky(text) and (not _NUMBER.fullmatch(text) or _BARE_PHONE.match(text)):
        text = "'" + text
    if _is_suspect_inside(text):
        return _BEGINS_INSIDE.sub(_guarded_inside, text)
    return text


def guard_beside_numbers(first: Sequence[str], second: list[str]) -> list[str]:
    """The second column of a CSV file, guarded where it would go on from a signed number in the first.

    With `;` as separator the two are one cell, `-5,1+1`, and where a comma is the decimal point that is a formula.
    """
    whole = _SEAM + _SEAM.join(first)
    if _SEAM + "-" not in whole and _SEAM + "+" not in whole:
        return second
    return [
        "'" + text if number[:1] in ("+", "-") and _GOES_ON.match(text) else text
        for number, text in zip(first, second, strict=True)
    ]


def guard_xlsx(text: str) -> str:
    """As `guard_text(text, "xlsx")`."""
    if not text or text[0] not in SUSPECT_FIRST or not _is_risky(text):
        return text
    plain = text.rstrip(" \xa0")
    if _NUMBER.fullmatch(plain) or _PHONE.fullmatch(plain) or _WRITTEN_NUMBER.fullmatch(plain):
        return text
    return "'" + text


def _is_suspect_inside(text: str) -> bool:
    if ";" not in text and "\n" not in text and "\t" not in text and "\r" not in text:
        return False
    return any(separator in text and search(text) for separator, search in _SUSPECT_INSIDE)


def _guarded_inside(found: re.Match[str]) -> str:
    separator = found[0]
    return separator if _PLAIN_INSIDE[separator[0]].match(found.string, found.end()) else separator + "'"


def _is_risky(text: str) -> bool:
    for character in text:
        if character not in _SKIPPED:
            return character in TRIGGERS
    return False
