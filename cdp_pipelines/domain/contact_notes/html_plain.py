"""Notes that are no HTML: typed into an old form, or sent by an integration. Signs mean themselves, and lines end.

Belongs here: how such a text is written as HTML. Not here: which notes are such (`html.py`, `html_tokens.py`).
"""

import re
from html import unescape
from html.entities import html5
from typing import Final

BYTE_ORDER_MARK: Final = "\ufeff"
_REFERENCE: Final = re.compile("&(?:#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6})|[a-zA-Z][a-zA-Z0-9]{1,40});")


def plain_note(text: str) -> str:
    """The text as HTML: escaped whole, each end of a line a `<br>`. Blanks stay as they are.

    Whole references, as `&amp;`, are read: an editor that writes HTML writes them even where it writes no tag. Those
    without their semicolon are not, for people do not write them: `?id=5&copy=1` is an address.
    """
    return escaped(_REFERENCE.sub(_read, text) if "&" in text else text).replace("\n", "<br>")


def escaped(text: str) -> str:
    """As a serializer of HTML writes text, without the signs that a parser drops or changes."""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").lstrip(BYTE_ORDER_MARK)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\xa0", "&nbsp;")


def _read(reference: re.Match[str]) -> str:
    """What a reference stands for; one with a name that HTML does not know stands for itself."""
    whole = reference[0]
    return unescape(whole) if whole[1] == "#" or whole[1:] in html5 else whole
