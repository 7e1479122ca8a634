"""The few attributes of a note's tags that mean something to a reader: hidden, kept lines, a field's value.

Belongs here: reading them. Not here: what is done about it (`html_tokens.py`, `html_lists.py`).
"""

import re
from collections.abc import Mapping
from html import unescape
from typing import Final

_ATTRIBUTE: Final = re.compile(
    r"""([^ \t\n\r\f/<>=]+)(?:[ \t\n\r\f]*=[ \t\n\r\f]*(?:"([^"]*)"|'([^']*)'|([^ \t\n\r\f<>"'][^ \t\n\r\f<>]*))?)?"""
)
_NOT_SHOWN: Final = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE)
_LINES: Final = re.compile(r"white-space\s*:\s*([a-z-]+)", re.IGNORECASE)
_WITH_LINES: Final = frozenset({"pre", "pre-wrap", "pre-line", "break-spaces"})


def attributes_of(text: str) -> dict[str, str]:
    """By name in small letters, the first of each; values as they are written, references unread."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), double or single or bare)
    return found


def style_of(attributes: Mapping[str, str]) -> str:
    """The inline style."""
    return unescape(attributes.get("style", ""))


def is_hidden(text: str) -> bool:
    """Whether an element with these attributes is not shown, nor what is in it."""
    low = text.lower()
    if "hidden" not in low and "none" not in low and "collapse" not in low:
        return False
    found = attributes_of(text)
    return "hidden" in found or _NOT_SHOWN.search(style_of(found)) is not None


def keeps_lines(text: str) -> bool | None:
    """Whether line ends in an element with these attributes are shown; None if they do not say."""
    if "white-space" not in text.lower():
        return None
    found = _LINES.search(style_of(attributes_of(text)))
    return None if found is None else found[1].lower() in _WITH_LINES


def shown_value(field: Mapping[str, str]) -> str:
    """What a reader sees of an input field."""
    kind = field.get("type", "text").lower()
    if kind in {"checkbox", "radio"}:
        return "[x]" if "checked" in field else "[ ]"
    if kind == "image":
        return unescape(field.get("alt", "")).strip()
    return "" if kind in {"hidden", "password", "file", "color", "range"} else unescape(field.get("value", "")).strip()
