"""Texts as Ruby's Psych writes them into `audits.audited_changes`, byte for byte where readers could stumble.

Belongs here: the ways Psych quotes, folds, tags and indents. Not here: what stands in an audit (`demo_crm_texts.py`).
PyYAML would write the same values differently, so that readers would never meet what Rails really stores.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

_LINE: Final = 80
# What Psych's scanner would take for something else than a text.
_NOT_A_TEXT: Final = re.compile(
    r"""(?ix) ^(?:
        ~ | null | true | false | yes | no | on | off
      | [-+]?[0-9][0-9_,]*                                   # whole numbers, `1,000` among them
      | [-+]?[0-9][0-9_,]*\.[0-9]*(?:e[-+]?[0-9]+)?          # floats need their dot
      | 0x[0-9a-f_]+ | 0b[01_]+
      | \.inf | -\.inf | \.nan
      | (?:1|2)[0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9])   # days that the calendar has
    )$"""
)
_STARTS_ODDLY: Final = re.compile(r"^[^\w\n][^\"\n]*$", re.MULTILINE)
_PLAIN_WOULD_BREAK: Final = re.compile(r": | #|:$|^[-?:] |^[\[\]{},#&*!|>'\"%@`]|^\s|\s$", re.MULTILINE)
_ESCAPED: Final = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
_ESCAPES: Final = {"\r": "\\r", "\t": "\\t", "\a": "\\a", "\x1b": "\\e", "\0": "\\0"}


class Plain(str):
    """Written exactly so: a symbol, a tagged scalar, an alias, or a text that only looks like something else."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Tagged:
    """A mapping, a list or a scalar with a tag or an anchor before it."""

    tag: str
    value: Any


def changes_text(changes: Mapping[str, Any]) -> str:
    """`changes` as the column holds them.

    Values are None, bool, numbers, texts, dates, UTC date-times, lists and mappings of these, `Plain` and `Tagged`.
    """
    if not changes:
        return "--- {}\n"
    return "".join(f"{line}\n" for line in ("---", *_mapping(changes)))


def big_decimal(value: Decimal) -> Plain:
    """A BigDecimal: `0.105e2` with the precision that Ruby puts before it."""
    sign, digits, exponent = value.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0") or "0"
    point = len(digits) + int(exponent)
    return Plain(f"!ruby/object:BigDecimal 18:{'-' if sign else ''}0.{significant}e{point}")


def zoned_time(instant: datetime, zone: str, offset_hours: int, *, anchor: int = 0, alias: int = 0) -> Tagged:
    """An ActiveSupport::TimeWithZone of the UTC instant; its `time` is local time mislabelled Z, as Rails has it.

    The zone is written out, under an anchor if one is given, or is an alias of one written before.
    """
    named = Tagged(f"{f'&{anchor} ' if anchor else ''}!ruby/object:ActiveSupport::TimeZone", {"name": zone})
    return Tagged(
        "!ruby/object:ActiveSupport::TimeWithZone",
        {
            "utc": utc_time(instant),
            "zone": Plain(f"*{alias}") if alias else named,
            "time": utc_time(instant + timedelta(hours=offset_hours)),
        },
    )


def utc_time(instant: datetime) -> Plain:
    """A Time in UTC, to the nanosecond."""
    return Plain(f"{instant:%Y-%m-%d %H:%M:%S.%f}000 Z")


def _mapping(values: Mapping[str, Any]) -> list[str]:
    return [line for key, value in values.items() for line in _entry(f"{_key(key)}:", value, in_list=False)]


def _sequence(values: Iterable[Any]) -> list[str]:
    return [line for value in values for line in _entry("-", value, in_list=True)]


def _key(key: str) -> str:
    return key if isinstance(key, Plain) else _scalar(key)[0]


def _entry(prefix: str, value: Any, *, in_list: bool) -> list[str]:
    """The lines of one value after its key or dash."""
    while isinstance(value, Tagged):
        prefix, value, in_list = f"{prefix} {value.tag}", value.value, False
    if isinstance(value, Mapping) and value:
        return _nested(prefix, _mapping(value), in_list=in_list)
    if isinstance(value, list | tuple) and value:
        # Psych does not indent a list under its key.
        return _nested(prefix, _sequence(value), in_list=True) if in_list else [prefix, *_sequence(value)]
    first, *rest = _scalar(value)
    return [f"{prefix} {first}" if first else prefix, *(f"  {line}" if line else "" for line in rest)]


def _nested(prefix: str, lines: list[str], *, in_list: bool) -> list[str]:
    indented = [f"  {line}" if line else "" for line in lines]
    return [f"{prefix} {lines[0]}", *indented[1:]] if in_list else [prefix, *indented]


def _scalar(value: Any) -> list[str]:
    """The lines of a scalar; all but the first are indented by who asks."""
    if value is None:
        return [""]
    if isinstance(value, Plain):
        return value.split("\n")
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, datetime):
        return [utc_time(value)]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return ["[]"]
    if isinstance(value, Mapping):
        return ["{}"]
    return [value.isoformat() if isinstance(value, date) else str(value)]


def _text(text: str) -> list[str]:
    """A String, by the rules of Psych's `visit_String` and libyaml's own."""
    if not text:
        return ["''"]
    if _ESCAPED.search(text) or text in ("y", "n", "Y", "N") or " \n" in text:
        return [_double_quoted(text)]
    if "\n" in text:
        return _literal(text)
    if _STARTS_ODDLY.search(text):
        return [_double_quoted(text)]
    if _NOT_A_TEXT.match(text) or _PLAIN_WOULD_BREAK.search(text):
        quoted = text.replace("'", "''")
        return _folded(f"'{quoted}'")
    return _folded(text)


def _double_quoted(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_ESCAPED.sub(_escape, quoted)}"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    number = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    if number > 0xFFFF:
        # libyaml holds nothing beyond the basic plane printable, so emoji always come escaped.
        return f"\\U{number:08X}"
    return f"\\x{number:02X}" if number < 0x100 else f"\\u{number:04X}"


def _literal(text: str) -> list[str]:
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    indent = "2" if text[0] in " \n" else ""
    chomp = "-" if ends == 0 else "" if ends == 1 else "+"
    return [f"|{indent}{chomp}", *body.split("\n"), *[""] * (ends - 1)]


def _folded(text: str) -> list[str]:
    """Broken at the first single space beyond the eightieth column, as libyaml does."""
    lines: list[str] = []
    start = 0
    for match in re.finditer(r"(?<=[^ ]) (?=[^ ])", text):
        if match.start() - start >= _LINE:
            lines.append(text[start : match.start()])
            start = match.end()
    return [*lines, text[start:]]
