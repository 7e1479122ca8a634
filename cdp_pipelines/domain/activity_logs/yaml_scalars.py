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
from datetime import UTC, date, datetime, timedelta, timezone
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
      (?P<instant>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}
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
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]*))?"
    r"[ \t]*(?:Z|([-+])([0-9]{1,2}):?([0-9]{2})?)?"
)
_QUOTED_SYMBOL: Final = re.compile(r""":(["'])(.*)\1""")
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
    try:
        instant = datetime(
            *(int(year), int(month), int(day), int(hour), int(minute), int(second)),
            microsecond=int(((fraction or "") + "000000")[:6]),
            tzinfo=timezone(-offset if sign == "-" else offset),
        ).astimezone(UTC)
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


def binary_text(encoded: str) -> str:
    """The text that was stored as base64; a marker with the size if the bytes are no UTF-8."""
    try:
        stored = a2b_base64(encoded.encode())
    except Base64Error:
        return encoded
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return f"[binary {len(stored)} bytes]"


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
