"""What a scalar of Rails' YAML means, by the rules of Psych's scalar scanner.

Belongs here: one scalar at a time, its tag already known. Not here: structure (`yaml_fast.py`, `yaml_events.py`).

Two rules differ from Psych's on purpose. `12:30:45` and `1,000` stay texts: Psych never writes a number so, and quotes
such texts, hence a plain one comes from another writer. What no calendar has stays the text it is.
"""

import json
import re
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.yaml_limits import LONGEST_KEY, Refused

Scalar = str | int | float | bool | None

WORDS: Final[dict[str, Scalar]] = {
    "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "null": None,
}  # fmt: skip
LONGEST_WORD: Final = 5
# Python refuses to turn longer numbers into text, at a limit that can be set as low as this.
_MOST_DIGITS: Final = 640
_LARGEST_EXPONENT: Final = 400

_MEANS_MORE: Final = frozenset("0123456789.:-+~") | {""}
_SHAPES: Final = re.compile(
    r"""
      (?P<instant>(?:[0-9]{4}|10000)-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}
                  (?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}:?(?:[0-9]{2})?))?)
    | (?P<day>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})
    | (?P<endless>(?i:[-+]?\.inf|\.nan))
    | (?P<real>[-+]?(?:[0-9][0-9_]*)?\.[0-9]*(?:[eE][-+][0-9]+)?)
    | (?P<octal>[-+]?0[0-7_]+)
    | (?P<whole>[-+]?(?:0|[1-9](?:_?[0-9])*))
    | (?P<binary>[-+]?0b[01_]+)
    | (?P<hexadecimal>[-+]?0x[0-9a-fA-F_]+)
    """,
    re.VERBOSE,
)
_SIMPLE_REAL: Final = re.compile(r"-?[0-9]{1,100}\.[0-9]{1,100}")
# As Psych writes a Time in UTC, in days that every month has.
_PSYCH_INSTANT: Final = re.compile(
    r"(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r" (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{9} Z"
)
_INSTANT: Final = re.compile(
    r"([0-9]{4}|10000)-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?"
    r"[ \t]*(?:Z|([-+])([0-9]{1,2}):?([0-9]{2})?)?"
)
_QUOTED_SYMBOL: Final = re.compile(r""":(["'])(.*)\1""")
# What Ruby's Float() takes, but for hexadecimal numbers.
_RUBY_FLOAT: Final = re.compile(r"[-+]?[0-9]+(?:_[0-9]+)*(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_GROUPED: Final = re.compile(r"[-+]?[1-9][0-9_]*(?:,[0-9_]+)+")
_RANGE: Final = re.compile(r"(.*?)(\.{2,3})(.*)", re.DOTALL)
_FIRST_INEXACT: Final = 2**53
# As ISO 8601 and Ruby have it, a day may end at 24:00:00, and a minute with a leap second, which belongs to the next.
_LAST_MINUTE: Final = 59
_LEAP_SECOND: Final = 60
_DAY: Final = timedelta(days=1)
_AT_THE_ENDS: Final = {(0, 12, 31): ((1, 1, 1), -_DAY), (10_000, 1, 1): ((9_999, 12, 31), _DAY)}
_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([-+]?[0-9]{1,9}))?")


def resolve_plain(text: str) -> Scalar:
    """The value of a scalar without quotes and tag; what means nothing else is the text itself."""
    if text[:1] not in _MEANS_MORE:
        return text if len(text) > LONGEST_WORD else WORDS.get(text.lower(), text)
    if text.isdigit() and text.isascii() and (text[0] != "0" or text == "0") and len(text) <= _MOST_DIGITS:
        return int(text)
    if text in ("", "~"):
        return None
    if text[0] == ":":
        return _symbol(text)
    if _SIMPLE_REAL.fullmatch(text):
        return float(text)
    shape = _SHAPES.fullmatch(text)
    return text if shape is None else _READERS[shape.lastgroup or ""](text)


def instant_text(text: str) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ` of a Time as Psych writes it, with any offset; None if it is not one."""
    if _PSYCH_INSTANT.fullmatch(text):
        return f"{text[:10]}T{text[11:26]}Z"
    found = _INSTANT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if offset >= _DAY:
        return None
    clock = timedelta(
        hours=int(hour), minutes=int(minute), seconds=int(second), microseconds=int(f"{fraction or ''}000000"[:6])
    )
    if clock > _DAY or int(minute) > _LAST_MINUTE or int(second) > _LEAP_SECOND:
        return None
    days = (int(year), int(month), int(day))
    # The wall clock of an instant on the calendar's first or last day may stand in a year that it does not have.
    inside, beyond = _AT_THE_ENDS.get(days, (days, timedelta(0)))
    beyond += clock
    try:
        instant = datetime(*inside, tzinfo=UTC) + (beyond + offset if sign == "-" else beyond - offset)
    except (ValueError, OverflowError):
        return None
    return f"{instant.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def decimal_text(dumped: str) -> str:
    """`10.5` of a dumped BigDecimal such as `18:0.105e2`; `NaN` and `Infinity` as they are."""
    number = dumped.rpartition(":")[2].strip()
    found = _DECIMAL.fullmatch(number)
    if found is None or abs(int(found[1] or 0)) > _LARGEST_EXPONENT:
        return number
    text = format(Decimal(number), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-", "-0") else text


def binary_text(encoded: str) -> tuple[str, bool]:
    """The text that was stored as base64, and whether it had to be read as Latin-1, for its bytes are no UTF-8.

    Latin-1 has a character for every byte, so nothing is lost.
    """
    try:
        stored = a2b_base64(encoded.encode())
    except Base64Error:
        return encoded, False
    try:
        return stored.decode(), False
    except UnicodeDecodeError:
        return stored.decode("latin-1"), True


def tagged_float(text: str) -> Scalar:
    """The value under a tag that says float: also what only Ruby's `Float()` takes for a number, such as `1e3`."""
    value = resolve_plain(text)
    if type(value) is str:
        return real_number(text) if _RUBY_FLOAT.fullmatch(text) else value
    return float(value) if type(value) is int and abs(value) < _FIRST_INEXACT else value


def tagged_int(text: str) -> Scalar:
    """The value under a tag that says int, which leaves no doubt what `1,000` is."""
    value = resolve_plain(text)
    return whole_number(text.replace(",", "")) if type(value) is str and _GROUPED.fullmatch(text) else value


def range_fields(text: str) -> dict[str, Scalar] | str:
    """The fields of a range in one text, `1...5`, as Ruby dumps it in three."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return text
    begin, dots, end = found.groups()
    return {"begin": resolve_plain(begin), "end": resolve_plain(end), "excl": dots == "..."}


def key_text(value: Any) -> str:
    """A key as text: symbols and texts as they are, other scalars as YAML writes them, lists and mappings as JSON."""
    if type(value) is str:
        return value
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > LONGEST_KEY:
        raise Refused(f"a key of more than {LONGEST_KEY:,} characters")
    return text


def without_surrogates(text: str) -> str:
    """The text with halves of characters joined, and U+FFFD for a half alone, which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def whole_number(text: str, base: int = 10) -> int | str:
    """The number; the text itself if it has absurdly many digits, or none."""
    if len(text) > _MOST_DIGITS:
        return text
    try:
        return int(text.replace("_", ""), base)
    except ValueError:
        return text


def real_number(text: str) -> float | str:
    """The number; the text itself if a double cannot hold it."""
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        return text
    return number if number - number == 0 else text


def _symbol(text: str) -> str:
    if "\n" in text or text == ":":
        return text
    quoted = _QUOTED_SYMBOL.match(text) if text[1] in "\"'" else None
    return quoted[2].removeprefix(":") if quoted else text[1:]


def _day(text: str) -> str:
    year, month, day = map(int, text.split("-"))
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return text


_READERS: Final[dict[str, Callable[[str], Scalar]]] = {
    "instant": lambda text: instant_text(text) or text,
    "day": _day,
    "endless": lambda text: float(text.replace(".", "")),
    "real": real_number,
    "octal": lambda text: whole_number(text, 8),
    "whole": whole_number,
    "binary": lambda text: whole_number(text, 2),
    "hexadecimal": lambda text: whole_number(text, 16),
}
