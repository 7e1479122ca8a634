"""MathML, of which no tag stays: what kept its numbers apart must not go with them, 10 to the 6th is not 106.

Belongs here: what is written between the parts of a formula. Not here: the rest of a note (`html_tokens.py`).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

# Before and after the second and later parts.
_BETWEEN: Final[Mapping[str, tuple[str, str]]] = {
    "mfrac": ("/", ""),
    "msub": ("<sub>", "</sub>"),
    "msup": ("<sup>", "</sup>"),
    "mtable": ("<br>", ""),
    **dict.fromkeys(("mmultiscripts", "mover", "mroot", "msubsup", "mtr", "munder", "munderover", "semantics"),
                    (" ", "")),
}  # fmt: skip


class Maths:
    """The open elements of a formula, the innermost last, and how many parts each has so far."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._parts: list[int] = []
        self._open: Counter[str] = Counter()

    def start(self, name: str, *, closed: bool) -> str:
        """What is written in the place of a start tag; `closed` means that it is its own end."""
        written = ""
        if self._names:
            if self._parts[-1]:
                written = _BETWEEN.get(self._names[-1], ("", ""))[0]
            self._parts[-1] += 1
        elif name == "math":
            written = " "
        if not closed:
            self._names.append(name)
            self._parts.append(0)
            self._open[name] += 1
        return written

    def end(self, name: str) -> str:
        """What is written in the place of an end tag."""
        written = ""
        while self._open[name]:
            closed = self._names.pop()
            self._open[closed] -= 1
            if self._parts.pop() > 1:
                written += _BETWEEN.get(closed, ("", ""))[1]
            if closed == name:
                return written if self._names else written or " "
        return ""
