"""Lists whose items are not counted 1, 2, 3: without attributes they would be, so their numbers become text.

"See point 7" must find point 7. Such a list becomes lines that begin with the number, all others stay lists.

Belongs here: numbers and marks of items. Not here: the rest of a note (`html_tokens.py`).
"""

import re
from collections.abc import Mapping
from typing import Final

from cdp_pipelines.domain.contact_notes.html_attributes import attributes_of, style_of

_LIST_STYLE: Final = re.compile(r"list-style(?:-type)?\s*:\s*([a-z-]+)", re.IGNORECASE)
_FIRST_ITEM: Final = re.compile(r"\s*<li([^<>]*)>", re.IGNORECASE)
_WITH_VALUE: Final = re.compile(r"<li[^<>]*\svalue\s*=|</?ol", re.IGNORECASE)
_ITEM_OR_END: Final = re.compile(r"<li\b|</?ol\b", re.IGNORECASE)
_TYPES: Final[Mapping[str, str]] = {
    "a": "a", "A": "A", "i": "i", "I": "I", "1": "1",
    "lower-alpha": "a", "lower-latin": "a", "upper-alpha": "A", "upper-latin": "A", "lower-roman": "i",
    "upper-roman": "I", "decimal": "1", "decimal-leading-zero": "1", "none": "",
    "disc": "*", "circle": "*", "square": "*",
}  # fmt: skip
_ROMAN: Final = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MOST: Final = 3_999


class ListOfItems:
    """One list while its items are read. `tag` is what it becomes."""

    def __init__(self, tag: str, kind: str = "1", start: int = 1, step: int = 1) -> None:
        self.tag = tag
        self._kind = kind
        self._next = start
        self._step = step
        self._open = False

    def item(self, attributes: str) -> tuple[str, str, str]:
        """For the next item: what ends the one before, its tag, and what comes before its text."""
        found = attributes_of(attributes) if attributes else {}
        if self.tag != "div":
            return "", "li", _TICKS.get(found.get("data-list", ""), "")
        before, self._open = "</div>" if self._open else "", True
        number = _number(found.get("value"), self._next)
        self._next = number + self._step
        return before, "div", _written(number, self._kind)

    def item_end(self) -> str:
        """The tag that ends an item."""
        if self.tag != "div":
            return "</li>"
        closing, self._open = "</div>" if self._open else "", False
        return closing

    def end(self) -> str:
        """The tag that ends the list, and an item that is still open."""
        return f"{self.item_end()}</div>" if self.tag == "div" else f"</{self.tag}>"


_TICKS: Final[Mapping[str, str]] = {"checked": "[x] ", "unchecked": "[ ] "}


def list_of(name: str, attributes: str, html: str, end: int) -> ListOfItems:
    """The list that begins with this tag, which ends at `end`."""
    if name != "ol":
        return ListOfItems(name)
    own = attributes_of(attributes) if attributes else {}
    first = _FIRST_ITEM.match(html, end)
    item = attributes_of(first[1]) if first and first[1] else {}
    if item.get("data-list") in {"bullet", "checked", "unchecked"}:  # Quill's own way of writing them
        return ListOfItems("ul")
    kind = _kind(own, item)
    if kind == "*":
        return ListOfItems("ul")
    start, step = _number(own.get("start"), 1), -1 if "reversed" in own else 1
    if kind == "1" and start == 1 and step == 1 and not _has_values(html, end):
        return ListOfItems("ol")
    if step < 0 and "start" not in own:
        start = _count_of_items(html, end)
    return ListOfItems("div", kind, start, step)


def _kind(own: Mapping[str, str], item: Mapping[str, str]) -> str:
    for attributes in (item, own):
        styled = _LIST_STYLE.search(style_of(attributes))
        if styled and (kind := _TYPES.get(styled[1].lower())) is not None:
            return kind
        if (kind := _TYPES.get(attributes.get("type", ""))) is not None:
            return kind
    return "1"


def _has_values(html: str, end: int) -> bool:
    found = _WITH_VALUE.search(html, end)
    return found is not None and found[0][:3].lower() == "<li"


def _count_of_items(html: str, end: int) -> int:
    count = 0
    for tag in _ITEM_OR_END.finditer(html, end):
        if tag[0].lower() != "<li" or count == _MOST:
            break
        count += 1
    return count


def _number(text: str | None, otherwise: int) -> int:
    found = re.fullmatch(r"\s*([+-]?[0-9]{1,9})\s*", text or "", re.ASCII)
    return int(found[1]) if found else otherwise


def _written(number: int, kind: str) -> str:
    if not kind:
        return ""
    if kind == "1" or not 0 < number <= _MOST:
        return f"{number}. "
    text = _roman(number) if kind in "iI" else _letters(number)
    return f"{text.upper() if kind in 'AI' else text}. "


def _letters(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def _roman(number: int) -> str:
    text = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        text += letters * count
    return text
