r"""The lines of a YAML text taken apart, and the scalars that go over more than one of them.

Belongs here: what Psych's emitter writes, to the last character; anything else is `Uncommon`. Not here: which line
belongs to which list or mapping (`yaml_fast.py`).

One regular expression takes all lines apart at once and sorts their scalars: a tenth of the cost of doing so in Python.
"""

import re
from typing import Any, Final

Line = tuple[str, str, str, str, str, str, str, str]
"""Spaces before it; dash; key; of its value the whole number, or the plain text, or the quoted text in its quotes, or
anything else; and all after the spaces, if it has neither dash nor key."""

_LINE: Final = re.compile(
    r"""
    (\ *+)
    (?: (?: (-) | ([A-Za-z_][A-Za-z0-9_]{0,98}+): )
        (?: \ (?: (?: (-?(?:0|[1-9][0-9]{0,17}+))
                    | ( [0-9]{4}-[0-9]{2}-[0-9]{2}
                      | [^\W\d_][^\n:#]*+(?:(?::(?![ \n])|(?<!\ )\#)[^\n:#]*+)*+(?<!\ ) )
                    | ('[^'\n]*+'|"[^"\\\n]*+")
                  )(?=\n)
                | ([^\n]*+) )
        )?+ (?=\n)
      | ([^\n]*+)
    )\n
    """,
    re.VERBOSE,
)
_END: Final[Line] = ("", "", "", "", "", "", "", "")
# Line breaks other than LF, tabs, the byte order mark and all that must not stand in YAML.
_ODD: Final = re.compile("[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TO_QUOTE: Final = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+')
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPES: Final = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_SURROGATES: Final = range(0xD800, 0xE000)
_LAST_CHARACTER: Final = 0x10FFFF


class Uncommon(Exception):
    """Not a shape that is known here; it may be right or wrong."""


class Lines:
    """The lines of a text after its first, which ends at `start`. The last of `parts` is empty and stops every loop."""

    __slots__ = ("_text", "_whole", "parts")

    def __init__(self, text: str, start: int) -> None:
        if not text.replace("\n", "").isprintable() and _ODD.search(text):
            raise Uncommon
        self.parts: list[Line] = _LINE.findall(text, start + 1)
        self.parts.append(_END)
        self._text = text
        self._whole: list[str] = []

    def rewrite(self, at: int, line: str) -> None:
        """Let a line be another one."""
        found = _LINE.fullmatch(f"{line}\n")
        if found is None:
            raise Uncommon
        groups: Any = found.groups("")
        self.parts[at] = groups

    def whole(self, at: int) -> str:
        """A line as it stands in the text."""
        if not self._whole:
            self._whole = self._text.split("\n")
        return self._whole[at + 1]

    def folded(self, at: int, pad: str) -> str:
        """What a line adds to the scalar begun before it; the line break between them stands for a space."""
        line, indent = self.whole(at), f"{pad}  "
        text = line[len(indent) :]
        if not line.startswith(indent) or not text or text[0] == " ":
            raise Uncommon
        return text

    def plain(self, text: str, at: int, pad: str) -> tuple[str, int]:
        """A scalar without quotes that begins with `text`, and the number of the line after it."""
        found = [text]
        while len(self.parts[at][0]) > len(pad):
            found.append(self.folded(at, pad))
            at += 1
        for part in found:
            if ": " in part or " #" in part or part[-1] in ": " or part[0] == "#":
                raise Uncommon
        return " ".join(found), at

    def single_quoted(self, text: str, at: int, pad: str) -> tuple[str, int]:
        """A scalar that begins with `text`, a single quote before it, and the number of the line after it."""
        part = text[1:]
        found = [part]
        # Quotes inside are doubled, so an even number of them leaves the scalar open.
        while part.count("'") % 2 == 0:
            if not part or part[-1] == " ":
                raise Uncommon
            part = self.folded(at, pad)
            found.append(part)
            at += 1
        if part[-1] != "'":
            raise Uncommon
        content = " ".join(found)[:-1]
        if "'" in content.replace("''", ""):
            raise Uncommon
        return content.replace("''", "'"), at

    def double_quoted(self, text: str, at: int, pad: str) -> tuple[str, int]:
        """A scalar that begins with `text`, a double quote before it, and the number of the line after it."""
        part = text[1:]
        found = [part]
        while (end := _text_end(part)) == len(part):
            if not part or part[-1] == " ":
                raise Uncommon
            part = self.folded(at, pad)
            found.append(part)
            at += 1
        if end != len(part) - 1:
            raise Uncommon
        content = " ".join(found)[:-1]
        return (_ESCAPE.sub(_unescaped, content) if "\\" in content else content), at

    def literal(self, text: str, at: int, pad: str) -> tuple[str, int]:
        """A block of `|`, `|-` or `|+`, indented by two and beginning with neither space nor empty line."""
        if text not in ("|", "|-", "|+"):
            raise Uncommon
        self.folded(at, pad)
        indent = f"{pad}  "
        width, last = len(indent), len(self.parts) - 1
        body: list[str] = []
        while at < last and ((line := self.whole(at)).startswith(indent) or not line):
            body.append(line[width:])
            at += 1
        lines = "\n".join(body)
        content = lines.rstrip("\n")
        if text == "|+":
            return f"{lines}\n", at
        return (f"{content}\n" if text == "|" else content), at


def _text_end(part: str) -> int:
    """Where the text of a double-quoted scalar ends: at its quote, or with the line."""
    found = _TO_QUOTE.match(part)
    return found.end() if found else 0


def _unescaped(found: re.Match[str]) -> str:
    digits = found[1] or found[2] or found[3]
    if digits is None:
        character = _ESCAPES.get(found[4])
        if character is None:
            raise Uncommon
        return character
    number = int(digits, 16)
    if number in _SURROGATES or number > _LAST_CHARACTER:
        raise Uncommon
    return chr(number)
