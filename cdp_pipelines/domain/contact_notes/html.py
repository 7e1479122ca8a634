"""The sanitizer of CRM notes (SPEC section 6): deny by default, mentions as text, structure kept, nothing cut.

Belongs here: what a note may hold and how long it may be. Not here: what is done before on a tree (`html_tree.py`)
and what is too much to be parsed (`html_limits.py`).
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from cdp_pipelines.domain.contact_notes.html_limits import bounded, plain_text
from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS, DROPPED_WITH_CONTENT
from cdp_pipelines.domain.contact_notes.html_settled import is_settled
from cdp_pipelines.domain.contact_notes.html_tree import keep_first_newlines, prepared
from cdp_pipelines.domain.errors import PermanentFailure

if TYPE_CHECKING:
    import nh3

LONGEST_NOTE: Final = 10_000
"""Characters of a sanitized note, its markup included."""
NOTE_TOO_LONG: Final = "NOTE_TOO_LONG"
MOST_PASSES: Final = 8
"""How often a note is sanitized until it stays as it is. Two do for nearly all; past this bound its text stays."""

# Any of these may be markup, or a sign that a serializer of HTML changes. Without one a note stays as it is.
_NOT_PLAIN: Final = re.compile("[<>&\r\0\xa0\ufeff\ud800-\udfff]")

# In what nh3 writes this can only be the start of a link: it escapes "<" in texts and quotes in attributes.
_HREF: Final = re.compile(r'<a href="([^"]*)"')
_GOOD_ADDRESS: Final = r'(?:(?i:https?):[/\\]{2}|(?i:mailto):)[^\t\n\r"]*'
_ODD_HREF: Final = re.compile(rf'<a href="(?!{_GOOD_ADDRESS}")')
_ADDRESS: Final = re.compile(_GOOD_ADDRESS)
_CONTROLS_AND_SPACE: Final = "".join(map(chr, range(0x21)))


class NoteTooLong(PermanentFailure):
    """A sanitized note has more characters than the CDP takes. It is never cut. `length` says how many it has."""

    def __init__(self, length: int) -> None:
        super().__init__(
            NOTE_TOO_LONG,
            f"The sanitized note has {length:,} characters; at most {LONGEST_NOTE:,} fit. Shorten it in the CRM.",
            details={"length": length},
        )
        self.length = length


def normalize_note(html: str | None) -> str:
    """A note's HTML as the CDP keeps it.

    Raises:
        NoteTooLong: it has more than `LONGEST_NOTE` characters, markup included.
    """
    note = sanitize_note_html(html or "")
    if len(note) > LONGEST_NOTE:
        raise NoteTooLong(len(note))
    return note


def sanitize_note_html(html: str) -> str:
    """The note with nothing in it that could run or load: allowed tags, links to the web or mail, and text.

    Never raises, and sanitizing its result changes nothing.
    """
    if not _NOT_PLAIN.search(html):
        return html
    note = _encodable(html)
    for _ in range(MOST_PASSES):
        cleaned, settled = _sanitized_once(note)
        if settled or cleaned == note:
            return cleaned
        note = cleaned
    return plain_text(note)


def _sanitized_once(html: str) -> tuple[str, bool]:
    """One pass, and whether it is known that another would change nothing.

    Taking tags out can leave what a parser reads differently, a link in a link, so there are several.
    """
    parsable = bounded(html)
    if parsable is None:
        return plain_text(html), False
    # The parser drops a byte order mark at the start, but only one.
    cleaned = _cleaner().clean(prepared(parsable)).lstrip("\ufeff")
    if "<a" not in cleaned:
        return keep_first_newlines(cleaned), cleaned == html or is_settled(cleaned)
    if _ODD_HREF.search(cleaned):
        return keep_first_newlines(_HREF.sub(_mend_href, cleaned)), False
    # What is left of a link can have become a mention only by its address, which nh3 writes in plain letters.
    return keep_first_newlines(cleaned), is_settled(cleaned) and "edit_user" not in cleaned.lower()


def _mend_href(link: re.Match[str]) -> str:
    """A link's start with the address as browsers read it, or without it if only the page's own would complete it.

    `https:path` is such a one: nh3 takes it for absolute, but on a page of that scheme it leads to the page's host.
    """
    address = link[1]
    for dropped in "\t\n\r":
        address = address.replace(dropped, "")
    address = address.strip(_CONTROLS_AND_SPACE)
    return f'<a href="{address}"' if _ADDRESS.fullmatch(address) else "<a"


def _encodable(html: str) -> str:
    """The text with halves of a surrogate pair joined, and lone ones, which no UTF-8 can hold, as U+FFFD."""
    try:
        if not html.isascii():
            html.encode()
    except UnicodeEncodeError:
        return html.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return html


@cache
def _cleaner() -> "nh3.Cleaner":
    import nh3

    return nh3.Cleaner(
        tags=set(ALLOWED_TAGS),
        clean_content_tags=set(DROPPED_WITH_CONTENT),
        attributes={"a": {"href"}, "*": set()},  # without "*" nh3 lets `lang` and `title` stay everywhere
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="nofollow noopener noreferrer",
        strip_comments=True,
    )
