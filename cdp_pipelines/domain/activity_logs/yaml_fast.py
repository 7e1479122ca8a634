"""The shapes of YAML that Rails writes all the time, taken apart by regular expressions; the rest is left to libyaml.

Belongs here: structure as Psych's emitter writes it of changes. The rule for all of it: what is not known to the last
character raises `Uncommon`, and never gets a guess, for `yaml_events.py` must give the same value (the property tests
hold them together). One `findall` over a text costs a tenth of looking at its lines in Python.
"""

import re
from itertools import product
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.yaml_shapes import (
    COMMON,
    COMMON_LINE,
    SPECIAL,
    SPECIAL_LINE,
    Anchors,
    Uncommon,
    common_value,
    special_value,
)

Line = tuple[str, str, str, str, str, str]
"""Spaces; dash; key; its value if common, if special, or of any other kind. A line of something else has but spaces."""

_LONGEST_TEXT: Final = 65_536
_DEEPEST_INDENT: Final = 20

_HASH: Final = "!ruby/hash:ActiveSupport::HashWithIndifferentAccess"
_HEADS: Final = frozenset({"---", "--- ", f"--- {_HASH}", "--- !map:ActiveSupport::HashWithIndifferentAccess"})
_NO_CHANGES: Final = frozenset({"--- {}\n", f"--- {_HASH} {{}}\n"})

# Line breaks other than LF, tabs, the byte order mark and all that must not stand in YAML.
_ODD: Final = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NO_ODD_BYTES: Final = bytes((10, *range(32, 127)))
_VALUE: Final = rf"(?:({COMMON})|({SPECIAL}))"
_KEY: Final = "([A-Za-z_][A-Za-z0-9_]{0,98}+):"
# A key with a scalar, nothing or a pair; or else any key with all the lines that belong to it.
_ENTRY: Final = re.compile(
    rf"""{_KEY}
    (?: (?:\ {_VALUE}?+)?+
      | \ ?\n-(?:\ {_VALUE}?+)?+
          \n(-)(?:\ {_VALUE}?+)?+
    )\n(?![\ -])
    | ([^\n]*+\n(?:[\ -][^\n]*+\n|\n)*+)
    """,
    re.VERBOSE,
)
_LINE: Final = re.compile(
    rf"""(\ *+)
    (?: (?:(-)|(:?[A-Za-z_][A-Za-z0-9_]{{0,98}}+(?:[\ .-][A-Za-z0-9_]{{1,98}}+){{0,5}}+):)
        (?:\ (?:({COMMON_LINE})|({SPECIAL_LINE})|([^\n]*+)))?+(?=\n)
      | [^\n]*+
    )\n""",
    re.VERBOSE,
)
_END: Final = ("", "", "", "", "", "")
# Keys that mean something else than their letters, in any case.
_WORD_KEYS: Final = frozenset(
    "".join(letters)
    for word in ("true", "yes", "on", "false", "no", "off", "null")
    for letters in product(*zip(word, word.upper(), strict=True))
)


def read_fast(text: str) -> dict[str, Any]:
    """The changes, if the text is of a common shape.

    Raises:
        Uncommon: the full path has to look at it.
    """
    if text in _NO_CHANGES:
        return {}
    start = text.find("\n") + 1
    if text[: start - 1] not in _HEADS or text[-1] != "\n" or len(text) > _LONGEST_TEXT:
        raise Uncommon
    if text.encode().translate(None, _NO_ODD_BYTES) if text.isascii() else _ODD.search(text):
        raise Uncommon
    found: dict[str, Any] = {}
    anchors: Anchors = {}
    for key, value, special, old, special_old, pair, new, special_new, block in _ENTRY.findall(text, start):
        if pair:
            # Not by `_scalar`: two calls less for each of most texts' lines.
            before = common_value(old) if old else special_value(special_old, anchors) if special_old else None
            after = common_value(new) if new else special_value(special_new, anchors) if special_new else None
            found[key] = [before, after]
        elif value:
            found[key] = common_value(value)
        elif key:
            found[key] = special_value(special, anchors) if special else None
        else:
            found.update(_block(block, anchors))
    if not found or not _WORD_KEYS.isdisjoint(found):
        raise Uncommon
    return found


def _scalar(common: str, special: str, anchors: Anchors) -> Any:
    if common:
        return common_value(common)
    return special_value(special, anchors) if special else None


def _block(block: str, anchors: Anchors) -> dict[str, Any]:
    """What the lines of one key hold, each scalar in a line of its own."""
    parts: list[Line] = _LINE.findall(block)
    # The empty last line stops every loop.
    parts.append(_END)
    fields, at = _Reader(parts, anchors).mapping(0, "")
    if at != len(parts) - 1:
        raise Uncommon
    return fields


class _Reader:
    """Follows the indentation; every method gives a value and the number of the line after it."""

    __slots__ = ("_anchors", "_parts")

    def __init__(self, parts: list[Line], anchors: Anchors) -> None:
        self._parts = parts
        self._anchors = anchors

    def mapping(self, at: int, pad: str) -> tuple[dict[str, Any], int]:
        """The mapping whose keys stand after `pad`."""
        found: dict[str, Any] = {}
        while True:
            indent, _, key, common, special, other = self._parts[at]
            if indent != pad or not key:
                break
            at += 1
            name = key[1:] if key[0] == ":" else key
            if common or special:
                found[name] = _scalar(common, special, self._anchors)
            else:
                found[name], at = self._hash(other, at, pad) if other else self._below(at, pad)
        if not found or not _WORD_KEYS.isdisjoint(found):
            raise Uncommon
        return found, at

    def _sequence(self, at: int, pad: str) -> tuple[list[Any], int]:
        """The list whose dashes stand after `pad`."""
        items: list[Any] = []
        while True:
            indent, dash, _, common, special, other = self._parts[at]
            if indent != pad or not dash:
                return items, at
            at += 1
            if other:
                item, at = self._item(other, at, pad)
                items.append(item)
            else:
                items.append(_scalar(common, special, self._anchors))

    def _below(self, at: int, pad: str) -> tuple[Any, int]:
        """The value of a key with nothing beside it."""
        indent, dash, *_ = self._parts[at]
        if indent == pad and dash:
            return self._sequence(at, pad)
        return self._nested(at, pad) if len(indent) > len(pad) else (None, at)

    def _nested(self, at: int, pad: str) -> tuple[Any, int]:
        """The mapping that begins in this line, indented by two; there is none if it is indented otherwise."""
        inner = f"{pad}  "
        if len(inner) > _DEEPEST_INDENT:
            raise Uncommon
        return self.mapping(at, inner)

    def _item(self, text: str, at: int, pad: str) -> tuple[Any, int]:
        """An item that is a list or a mapping of its own, beginning beside the dash."""
        if text[0] == "!":
            return self._hash(text, at, pad)
        # What stands beside the dash is the first line of a block that is indented as far as it.
        inner = f"{pad}  "
        self._parts[at - 1] = _LINE.findall(f"{inner}{text}\n")[0]
        if self._parts[at - 1][1] and len(inner) <= _DEEPEST_INDENT:
            return self._sequence(at - 1, inner)
        return self._nested(at - 1, pad)

    def _hash(self, tag: str, at: int, pad: str) -> tuple[dict[str, Any], int]:
        """The mapping after its tag."""
        if tag != _HASH:
            raise Uncommon
        return self._nested(at, pad)
