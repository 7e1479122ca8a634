"""Bounds for hostile HTML: a small note can stand for gigabytes, and a parser needs n x n steps for some.

Belongs here: what is too much, and the plain text that is left then. Not here: sanitizing (`html.py`).
"""

import re
from html import unescape
from typing import Final

from cdp_pipelines.domain.contact_notes.html_names import DROPPED_WITH_CONTENT

MOST_TAGS: Final = 10_000
"""Signs `<` in a note that is parsed. One with more could only fit into 10,000 characters as its bare text."""
MOST_SEPARATORS: Final = 20_000
"""Signs in a long note that may stand between attributes, each of which is compared with all before it, or begin an
entity, at each of which nh3 looks at what is left of the note."""
MOST_MARKED_FORMATS: Final = 20
"""Formatting tags in a long note whose attributes could not be taken off."""

_MANY_TAGS: Final = 500
_LONG: Final = 60_000

_SPACE: Final = r"[ \t\n\r\f]"
_VALUE: Final = r"""(?:"[^"]*"|'[^']*'|[^ \t\n\r\f"'=<>`]+)"""
_ATTRIBUTE: Final = rf"""{_SPACE}+[^ \t\n\r\f"'=<>/`]+(?:{_SPACE}*={_SPACE}*{_VALUE})?"""
# A start tag so regular that every parser ends it at the same sign. Not of links, whose attributes mean something.
_START_TAG: Final = re.compile(
    rf"<(?![aA][ \t\n\r\f/>])([a-zA-Z][^ \t\n\r\f/<>]*)(?:{_ATTRIBUTE}){{1,50}}{_SPACE}*(/?)>"
)
_MARKED_FORMAT: Final = re.compile(
    r"<(?:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[ \t\n\r\f/](?!>)", re.IGNORECASE
)
_TAG: Final = re.compile(r"<(/?[a-zA-Z][^ \t\n\r\f/<>]*|[!?/])[^<>]*>")
_BYTE_ORDER_MARK: Final = "\ufeff"


def bounded(html: str) -> str | None:
    """The HTML as it may be parsed: nearly always as it came. None: not at all, only its `plain_text` may stay.

    A formatting tag that was left open is opened anew in every paragraph after it, at most three times if all look
    the same, but every single one if their attributes differ: 2,000 such tags before 2,000 paragraphs make a gigabyte.
    Attributes never stay (but on links), so in a note of many tags, or a long one, they go before it is parsed.
    """
    tags = html.count("<")
    if tags > MOST_TAGS:
        return None
    if tags <= _MANY_TAGS and len(html) <= _LONG:
        return html
    bare = _START_TAG.sub(r"<\1\2>", html)
    if sum(1 for _ in _MARKED_FORMAT.finditer(bare)) > MOST_MARKED_FORMATS:
        return None
    if len(bare) > _LONG and sum(map(bare.count, " \t\n\r\f/\"'&")) > MOST_SEPARATORS:
        return None
    return bare


def plain_text(html: str) -> str:
    """What is left without any tag, escaped. Sanitizing it once more changes nothing.

    Made with one look at every sign, whatever the input: this is where those end that no parser should see.
    """
    kept: list[str] = []
    hidden: str | None = None
    end = 0
    for tag in _TAG.finditer(html):
        name = tag[1].lower()
        if hidden is None:
            kept.append(html[end : tag.start()])
            hidden = name if name in DROPPED_WITH_CONTENT else None
        elif name == f"/{hidden}":
            hidden = None
        end = tag.end()
    if hidden is None:
        kept.append(html[end:])
    return _escaped(unescape("".join(kept)))


def _escaped(text: str) -> str:
    """As a serializer of HTML writes text, without the signs that a parser drops or changes."""
    text = text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").lstrip(_BYTE_ORDER_MARK)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\xa0", "&nbsp;")
