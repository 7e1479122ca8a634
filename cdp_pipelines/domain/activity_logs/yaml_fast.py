"""The shapes of YAML that Rails writes all the time, read line by line; anything else is left to `yaml_events.py`.

Belongs here: structure, anchors and tags exactly as Psych's emitter writes them of changes, indented by two, with
nothing that YAML allows beside. The rule for all of it: what is not known to the last character raises `Uncommon`, and
never gets a guess, for both paths must give the same value (the property tests hold them together).
"""

import re
from itertools import product
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.yaml_lines import Line, Lines, Uncommon
from cdp_pipelines.domain.activity_logs.yaml_scalars import decimal_text, instant_text, key_text, resolve_plain

Read = tuple[Any, int]
"""A value, and the number of the line after it."""

_LONGEST_TEXT: Final = 65_536
_DEEPEST_INDENT: Final = 20
_LONGEST_WORD: Final = 5
# Copies of a long text by alias would add up to more than the full path allows.
_LONGEST_ALIASED: Final = 40

_HASHES: Final = frozenset(
    {"!ruby/hash:ActiveSupport::HashWithIndifferentAccess", "!map:ActiveSupport::HashWithIndifferentAccess"}
)
_TIME: Final = "!ruby/object:ActiveSupport::TimeWithZone"
_DECIMAL: Final = "!ruby/object:BigDecimal"
_HEADS: Final = frozenset({"---", "--- ", *(f"--- {tag}" for tag in _HASHES)})
_NO_CHANGES: Final = frozenset({"--- {}\n", *(f"--- {tag} {{}}\n" for tag in _HASHES)})

# No plain scalar begins so, or only before certain characters.
_INDICATORS: Final = frozenset(" -?:,[]{}#&*!|>'\"%@`")
# Keys that mean something else than their letters, in any case.
_WORD_KEYS: Final = frozenset(
    "".join(letters)
    for word in ("true", "yes", "on", "false", "no", "off", "null")
    for letters in product(*zip(word, word.upper(), strict=True))
)
_ODD_KEY: Final = re.compile(r"(:?[A-Za-z_][A-Za-z0-9_]{0,40}(?:[ .-][A-Za-z0-9_]{1,20}){0,3}):(?: (.*))?")
_DUMPED_DECIMAL: Final = re.compile(r"[0-9]+:(?:-?0\.[0-9]+(?:e-?[0-9]{1,3})?|NaN|-?Infinity)")
_ANCHORED: Final = re.compile(r"&([0-9]+) ([^&*].*)")
_ZONE: Final = re.compile(r"(?:&([0-9]+) )?!ruby/object:ActiveSupport::TimeZone")


def read_fast(text: str) -> dict[str, Any]:
    """The changes, if the text is of a common shape.

    Raises:
        Uncommon: the full path has to look at it.
    """
    if text in _NO_CHANGES:
        return {}
    start = text.find("\n")
    if text[:start] not in _HEADS or text[-1] != "\n" or len(text) > _LONGEST_TEXT:
        raise Uncommon
    lines = Lines(text, start)
    changes, at = _Reader(lines).mapping(0, "")
    if at != len(lines.parts) - 1:
        raise Uncommon
    return changes


class _Reader:
    """Follows the indentation of one text; keeps its anchors: a text each, or None for the zone of a time."""

    __slots__ = ("_anchors", "_lines", "_parts")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._parts: list[Line] = lines.parts
        self._anchors: dict[str, str | None] = {}

    def mapping(self, at: int, pad: str) -> tuple[dict[str, Any], int]:
        """The mapping whose keys stand after `pad`."""
        parts = self._parts
        found: dict[str, Any] = {}
        key = ""
        while True:
            indent, _, name, number, plain, quoted, other, _ = parts[at]
            if indent != pad or not name:
                if len(indent) < len(pad) or (entry := self._odd_entry(at, pad, key)) is None:
                    break
                key, found[entry[0]], at = entry
                continue
            key = name
            at += 1
            if number:
                found[key] = int(number)
            elif plain:
                found[key] = plain if len(plain) > _LONGEST_WORD else resolve_plain(plain)
            elif quoted:
                found[key] = quoted[1:-1]
            elif other:
                found[key], at = self._value(other, at, pad)
            else:
                found[key], at = self._below(at, pad)
        if not found or not _WORD_KEYS.isdisjoint(found):
            raise Uncommon
        return found, at

    def _odd_entry(self, at: int, pad: str, key: str) -> tuple[str, Any, int] | None:
        """A key of more than letters, or more of the value of the key before; None if the mapping ends here."""
        indent, _, _, _, _, _, _, rest = self._parts[at]
        if len(indent) > len(pad):
            _, _, name, _, _, _, _, _ = self._parts[at - 1]
            if not key or name != key:
                raise Uncommon
            return key, *self._continued(at, pad)
        found = _ODD_KEY.fullmatch(rest)
        if found is None:
            return None
        name, value = key_text(resolve_plain(found[1])), found[2]
        return name, *(self._value(value, at + 1, pad) if value else self._below(at + 1, pad))

    def _sequence(self, at: int, pad: str) -> tuple[list[Any], int]:
        """The list whose dashes stand after `pad`."""
        parts = self._parts
        items: list[Any] = []
        while True:
            indent, dash, _, number, plain, quoted, other, _ = parts[at]
            if indent != pad or not dash:
                if len(indent) <= len(pad) or not parts[at - 1][1]:
                    return items, at
                items[-1], at = self._continued(at, pad)
                continue
            at += 1
            if number:
                items.append(int(number))
            elif plain:
                items.append(plain if len(plain) > _LONGEST_WORD else resolve_plain(plain))
            elif quoted:
                items.append(quoted[1:-1])
            elif other:
                item, at = self._item(other, at, pad)
                items.append(item)
            else:
                items.append(None)

    def _continued(self, at: int, pad: str) -> Read:
        """The plain scalar of the line before, which goes on in this one."""
        indent, _, _, number, plain, _, _, _ = self._parts[at - 1]
        begun = number or plain
        if indent != pad or not begun:
            raise Uncommon
        text, at = self._lines.plain(begun, at, pad)
        return resolve_plain(text), at

    def _below(self, at: int, pad: str) -> Read:
        """The value of a key with nothing beside it."""
        indent, dash, *_ = self._parts[at]
        if indent == pad:
            return self._sequence(at, pad) if dash else (None, at)
        return self._nested(at, pad) if len(indent) > len(pad) else (None, at)

    def _nested(self, at: int, pad: str) -> Read:
        """The mapping that begins in this line, indented by two."""
        inner = f"{pad}  "
        if self._parts[at][0] != inner or len(inner) > _DEEPEST_INDENT:
            raise Uncommon
        return self.mapping(at, inner)

    def _item(self, text: str, at: int, pad: str) -> Read:
        """An item that may be a list or a mapping of its own, beginning beside the dash."""
        is_list = text == "-" or text.startswith("- ")
        if not is_list and (text[0] in "'\"!&*|>[{" or not (": " in text or text[-1] == ":")):
            return self._value(text, at, pad)
        # What stands beside the dash is the first line of a block that is indented as far as it.
        inner = f"{pad}  "
        self._lines.rewrite(at - 1, inner + text)
        if not is_list:
            return self._nested(at - 1, pad)
        if len(inner) > _DEEPEST_INDENT:
            raise Uncommon
        return self._sequence(at - 1, inner)

    def _value(self, text: str, at: int, pad: str) -> Read:
        """A value that begins beside its key or dash."""
        first = text[0]
        if first not in _INDICATORS or (first in "-:" and text[1:2] not in ("", " ")):
            text, at = self._lines.plain(text, at, pad)
            return resolve_plain(text), at
        if first == '"':
            return self._lines.double_quoted(text, at, pad)
        if first == "'":
            return self._lines.single_quoted(text, at, pad)
        if first == "|":
            return self._lines.literal(text, at, pad)
        if first == "!":
            return self._tagged(text, at, pad)
        if text in ("[]", "{}"):
            return ([] if text == "[]" else {}), at
        return self._by_anchor(text, at, pad)

    def _tagged(self, text: str, at: int, pad: str) -> Read:
        tag, _, rest = text.partition(" ")
        if tag == _DECIMAL and _DUMPED_DECIMAL.fullmatch(rest):
            return decimal_text(rest), at
        if tag == _TIME and not rest:
            return self._zoned_time(at, f"{pad}  ")
        if tag in _HASHES and not rest:
            return self._nested(at, pad)
        if tag in _HASHES and rest == "{}":
            return {}, at
        raise Uncommon

    def _zoned_time(self, at: int, pad: str) -> tuple[str, int]:
        """The fields of a TimeWithZone, of which only `utc` counts."""
        utc = self._instant(at, pad, "utc")
        at = self._zone(at + 1, pad)
        self._instant(at, pad, "time")
        return utc, at + 1

    def _instant(self, at: int, pad: str, field: str) -> str:
        indent, _, name, _, _, _, text, _ = self._parts[at]
        if indent != pad or name != field:
            raise Uncommon
        instant = instant_text(text)
        if instant is not None:
            return instant
        if text[:1] == "*":
            return self._aliased(text)
        anchored = _ANCHORED.fullmatch(text)
        instant = instant_text(anchored[2]) if anchored else None
        if anchored is None or instant is None:
            raise Uncommon
        self._anchors[anchored[1]] = instant
        return instant

    def _zone(self, at: int, pad: str) -> int:
        """The line after the zone, which is written out or an alias of one that was."""
        indent, _, name, _, _, _, text, _ = self._parts[at]
        if indent != pad or name != "zone":
            raise Uncommon
        if text[:1] == "*" and self._anchors.get(text[1:], "") is None:
            return at + 1
        zone = _ZONE.fullmatch(text)
        indent, _, name, _, label, _, _, _ = self._parts[at + 1]
        if zone is None or indent != f"{pad}  " or name != "name" or not label:
            raise Uncommon
        if zone[1]:
            self._anchors[zone[1]] = None
        return at + 2

    def _by_anchor(self, text: str, at: int, pad: str) -> Read:
        """A short text that is given a number, or the one that has it."""
        if text[0] == "*":
            return self._aliased(text), at
        found = _ANCHORED.fullmatch(text)
        if found is None:
            raise Uncommon
        value, at = self._value(found[2], at, pad)
        if type(value) is not str or len(value) > _LONGEST_ALIASED:
            raise Uncommon
        self._anchors[found[1]] = value
        return value, at

    def _aliased(self, text: str) -> str:
        value = self._anchors.get(text[1:])
        if value is None:
            raise Uncommon
        return value
