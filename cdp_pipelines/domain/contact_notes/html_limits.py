"""Bounds for hostile HTML: parsers need n x n steps for some, and some shapes never come to rest.

A bound refuses with a code; it never changes a note. What is beyond one is no note that a person wrote, or one that
would be too long anyway.

Belongs here: what is too much, and how it is refused. Not here: sanitizing (`html.py`).
"""

import re
from html import unescape
from typing import Final

from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS, DROPPED_WITH_CONTENT, LINES
from cdp_pipelines.domain.contact_notes.html_plain import escaped
from cdp_pipelines.domain.errors import PermanentFailure

LONGEST_NOTE: Final = 10_000
"""Characters of a sanitized note, its markup included."""
MOST_TAGS: Final = 20_000
"""Signs `<` in a note that is parsed."""
MOST_REFERENCES: Final = 20_000
"""Signs `&` in the texts of a note: at each, nh3 looks at what is left of the note. Each is a character at least."""

NOTE_TOO_LONG: Final = "NOTE_TOO_LONG"
NOTE_TOO_COMPLEX: Final = "NOTE_TOO_COMPLEX"

_TAG: Final = re.compile(r"<(/?[a-zA-Z][^ \t\n\r\f/<>]*|[!?/])[^<>]*>")
_STAYING_TAG: Final = re.compile(rf"<(?:{'|'.join(sorted(ALLOWED_TAGS))})[ \t\n\r\f/>]", re.IGNORECASE)
_LINES: Final = frozenset({
    *LINES, "blockquote", "br", "div", "dd", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "table", "tr", "ul",
})  # fmt: skip


class NoteRefused(PermanentFailure):
    """A note that cannot become one of the CDP's. It is never cut and never flattened."""


class NoteTooLong(NoteRefused):
    """A sanitized note has more characters than the CDP takes. `length` says how many it has, at least."""

    def __init__(self, length: int) -> None:
        super().__init__(
            NOTE_TOO_LONG,
            f"The sanitized note has {length:,} characters; at most {LONGEST_NOTE:,} fit. Shorten it in the CRM.",
            details={"length": length},
        )
        self.length = length


class NoteTooComplex(NoteRefused):
    """A note's markup is more than a parser should be given."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            NOTE_TOO_COMPLEX, f"The note's HTML {problem}. Save it as simpler text in the CRM.", details={}
        )


def check_tags(html: str) -> None:
    """Refuse what has too many tags to be looked at.

    Raises:
        NoteRefused: too long, if the tags that would stay are too long by themselves; too complex otherwise.
    """
    tags = html.count("<")
    if tags <= MOST_TAGS:
        return
    least = 3 * sum(1 for _ in _STAYING_TAG.finditer(html))
    raise NoteTooLong(least) if least > LONGEST_NOTE else NoteTooComplex(f"has {tags:,} tags; at most {MOST_TAGS:,}")


def check_references(html: str) -> None:
    """Refuse what stands for more characters than fit.

    Raises:
        NoteTooLong: always when refused.
    """
    if html.count("&") > MOST_REFERENCES:
        raise NoteTooLong(html.count("&"))


def plain_text(html: str) -> str:
    """What is left without any tag, escaped, its lines apart: for callers who want no refusal.

    Made with one look at every sign, whatever the input. Sanitizing it once more changes nothing.
    """
    kept: list[str] = []
    hidden: str | None = None
    end = 0
    for tag in _TAG.finditer(html):
        name = tag[1].lower()
        if hidden is None:
            kept.append(html[end : tag.start()])
            kept.append(" " if name.removeprefix("/") in _LINES else "")
            hidden = name if name in DROPPED_WITH_CONTENT else None
        elif name == f"/{hidden}":
            hidden = None
        end = tag.end()
    if hidden is None:
        kept.append(html[end:])
    return escaped(unescape("".join(kept))).replace("\n", " ")
