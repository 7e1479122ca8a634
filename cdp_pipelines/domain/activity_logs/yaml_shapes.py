r"""The scalars that Psych's emitter writes, as regular expressions, and what they mean.

Belongs here: single values as they stand beside a top-level key or dash, so that all further lines are indented by two.
An expression takes only what it knows to the last character. Not here: lists and mappings (`yaml_fast.py`).
"""

import re
from collections.abc import Callable
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.yaml_scalars import (
    LONGEST_WORD,
    WORDS,
    decimal_text,
    instant_text,
    resolve_plain,
)

Anchors = dict[str, str | None]
"""Short texts by anchor; None for the zone of a time, which only another time may use."""

# All are for VERBOSE. No groups, for findall would give them all; possessive, so that no text makes them slow. A fold
# is a line break that stands for a space: libyaml breaks only at single spaces.
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,17}+)(?=\n)"
_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_LINE: Final = r"[^\n:\#]*+(?:(?::(?![\ \n])|(?<!\ )\#)[^\n:\#]*+)*+"
_FOLD: Final = r"(?<!\ )\n\ \ (?![\ \n])"
_LINES: Final = rf"{_LINE}(?:{_FOLD}{_LINE})*+"
_FIRST: Final = r"""(?:[^\s:,\[\]{}\#&*!|>'"%@`?-]|[-:](?![\ \n]))"""
_SINGLE_QUOTED: Final = rf"'[^'\n]*+(?:(?:''|{_FOLD})[^'\n]*+)*+'"
_DOUBLE_QUOTED: Final = rf"""\"[^"\\\n]*+(?:(?:\\.|{_FOLD})[^"\\\n]*+)*+\""""
_LITERAL: Final = r"\|(?:2[-+]?+(?=\n\ \ )|[-+]?+(?=\n\ \ [^\ \n]))(?:\n(?:\ \ [^\n]*+|(?=\n)))++"
_DECIMAL: Final = r"!ruby/object:BigDecimal\ [0-9]+:(?:-?0\.[0-9]+(?:e-?[0-9]{1,3})?|NaN|-?Infinity)"
_INSTANT: Final = rf"{_DAY}\ [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}\.[0-9]{{9}}\ Z"
_ZONED_TIME: Final = rf"""!ruby/object:ActiveSupport::TimeWithZone
    \n\ \ utc:\ (?:\*[0-9]+|(?:&[0-9]+\ )?{_INSTANT})
    \n\ \ zone:\ (?:\*[0-9]+|(?:&[0-9]+\ )?!ruby/object:ActiveSupport::TimeZone
    \n\ \ \ \ name:\ [A-Za-z][A-Za-z0-9_/+-]*+)
    \n\ \ time:\ (?:\*[0-9]+|(?:&[0-9]+\ )?{_INSTANT})"""

COMMON_LINE: Final = rf"(?:{_NUMBER}|(?:{_DAY}|[^\W\d_]{_LINE}(?<!\ ))(?=\n))"
"""A number, or plain text in one line that means nothing else if it is longer than `LONGEST_WORD`."""
COMMON: Final = rf"(?:{_NUMBER}|(?:{_DAY}|[^\W\d_]{_LINES}(?<!\ ))(?=\n))"
"""The same, the text perhaps in more lines."""
SPECIAL_LINE: Final = (
    rf"(?:{_FIRST}{_LINE}(?<!\ )|'[^'\n]*+(?:''[^'\n]*+)*+'|\"[^\"\\\n]*+(?:\\.[^\"\\\n]*+)*+\"|\[\]|\{{\}}"
    rf"|\*[0-9]+|{_DECIMAL})(?=\n)"
)
"""Another scalar in one line."""
SPECIAL: Final = (
    rf"(?:\*[0-9]+|(?:&[0-9]+\ )?+"
    rf"(?:{_FIRST}{_LINES}(?<!\ )|{_SINGLE_QUOTED}|{_DOUBLE_QUOTED}|\[\]|\{{\}}|{_LITERAL}|{_DECIMAL}|{_ZONED_TIME}))"
    r"(?=\n)"
)
"""The same, perhaps in more lines or with an anchor."""
_TIME_FIELDS: Final = re.compile(r"utc: ([^\n]+)\n  zone: (?:&([0-9]+) |\*([0-9]+)|).*\n  time: ([^\n]+)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES: Final = {
    r"\0": "\0", r"\a": "\a", r"\b": "\b", r"\t": "\t", r"\n": "\n", r"\v": "\v", r"\f": "\f", r"\r": "\r",
    r"\e": "\x1b", r"\ ": " ", r"\"": '"', r"\\": "\\", r"\N": "\x85", r"\_": "\xa0", r"\L": "\u2028", r"\P": "\u2029",
}  # fmt: skip
_SHORT_ESCAPE: Final = 2
_SURROGATES: Final = range(0xD800, 0xE000)
_LAST_CHARACTER: Final = 0x10FFFF
# Copies of a long text by alias would add up to more than the full path allows.
_LONGEST_ALIASED: Final = 40


class Uncommon(Exception):
    """Not a shape that is known here; it may be right or wrong."""


def _unfolded(text: str) -> str:
    # Each line break, with the spaces after it, stands for a space.
    return text.replace("\n  ", " ") if "\n" in text else text


def common_value(text: str) -> Any:
    """What a match of `COMMON` means."""
    if text.isdecimal():
        return int(text)
    text = _unfolded(text)
    return text if len(text) > LONGEST_WORD else WORDS.get(text.lower(), text)


def special_value(text: str, anchors: Anchors) -> Any:
    """What a match of `SPECIAL` means; it may set an anchor.

    Raises:
        Uncommon: an alias, an escape or a day of the calendar that the full path has to judge.
    """
    reader = _READERS.get(text[0])
    return resolve_plain(_unfolded(text)) if reader is None else reader(text, anchors)


def _single_quoted(text: str, _: Anchors) -> str:
    content = _unfolded(text[1:-1])
    return content.replace("''", "'") if "'" in content else content


def _double_quoted(text: str, _: Anchors) -> str:
    content = _unfolded(text[1:-1])
    return _ESCAPE.sub(_unescaped, content) if "\\" in content else content


def _unescaped(found: re.Match[str]) -> str:
    escape = found[0]
    character = _ESCAPES.get(escape)
    if character is not None:
        return character
    if len(escape) == _SHORT_ESCAPE:
        raise Uncommon
    number = int(escape[2:], 16)
    if number in _SURROGATES or number > _LAST_CHARACTER:
        raise Uncommon
    return chr(number)


def _literal(text: str, _: Anchors) -> str:
    head, body = text.split("\n", 1)
    body = body[2:].replace("\n  ", "\n")
    if head[-1] == "+":
        return f"{body}\n"
    content = body.rstrip("\n")
    return content if head[-1] == "-" else f"{content}\n"


def _tagged(text: str, anchors: Anchors) -> str:
    fields = _TIME_FIELDS.search(text)
    if fields is None:
        return decimal_text(text)
    utc = _instant(fields[1], anchors)
    if fields[2]:
        anchors[fields[2]] = None
    elif fields[3] and anchors.get(fields[3], "") is not None:
        raise Uncommon
    _instant(fields[4], anchors)
    return utc


def _instant(text: str, anchors: Anchors) -> str:
    instant = _READERS[text[0]](text, anchors) if text[0] in "*&" else instant_text(text)
    if type(instant) is not str:
        raise Uncommon
    return instant


def _anchored(text: str, anchors: Anchors) -> Any:
    name, _, rest = text.partition(" ")
    value = special_value(rest, anchors)
    if type(value) is not str or len(value) > _LONGEST_ALIASED:
        raise Uncommon
    anchors[name[1:]] = value
    return value


def _aliased(text: str, anchors: Anchors) -> str:
    value = anchors.get(text[1:])
    if value is None:
        raise Uncommon
    return value


_READERS: Final[dict[str, Callable[[str, Anchors], Any]]] = {
    "'": _single_quoted,
    '"': _double_quoted,
    "|": _literal,
    "!": _tagged,
    "&": _anchored,
    "*": _aliased,
    "[": lambda _, __: [],
    "{": lambda _, __: {},
}
