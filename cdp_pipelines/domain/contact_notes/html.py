"""The sanitizer of CRM notes (SPEC section 6): deny by default, meaning kept, mentions as text, nothing cut.

A note goes through one gate, nh3 (`html_gate.py`), unless it is nothing but bare tags as nh3 itself writes them
(`html_settled.py`). Most go there as they are (`html_route.py`). Whatever has more in it
than the tags that may stay takes a step before, in which the meaning of what will not stay is saved: `html_tokens.py`,
and `html_tree.py` if need be. A note without any HTML is plain text, and is escaped (`html_plain.py`).

Belongs here: which way a note goes, and when it is done. Not here: what is too much (`html_limits.py`).
"""

import re
from collections import Counter
from typing import Final, NamedTuple

from cdp_pipelines.domain.contact_notes.html_bare import bare_note
from cdp_pipelines.domain.contact_notes.html_gate import gate
from cdp_pipelines.domain.contact_notes.html_limits import (
    LONGEST_NOTE,
    NOTE_TOO_LONG,
    NoteRefused,
    NoteTooComplex,
    NoteTooLong,
    check_references,
    check_tags,
    plain_text,
)
from cdp_pipelines.domain.contact_notes.html_links import GOOD_ADDRESS, mended
from cdp_pipelines.domain.contact_notes.html_names import DROPPED_LINKS, kinds_of
from cdp_pipelines.domain.contact_notes.html_plain import BYTE_ORDER_MARK, plain_note
from cdp_pipelines.domain.contact_notes.html_route import route_of
from cdp_pipelines.domain.contact_notes.html_settled import is_clean, is_settled
from cdp_pipelines.domain.contact_notes.html_tokens import tidied
from cdp_pipelines.domain.contact_notes.html_tree import in_tree, keep_first_newlines

__all__ = [
    "LONGEST_NOTE", "NOTE_TOO_LONG", "CleanNote", "NoteRefused", "NoteTooComplex", "NoteTooLong", "clean_note",
    "normalize_note", "sanitize_note_html",
]  # fmt: skip

MOST_PASSES: Final = 8
"""How often a note is sanitized until it stays as it is. Two do for nearly all; only what is made for it needs more."""

# Any of these may be markup, the end of a line, or a sign that a serializer of HTML changes. Without one a note stays.
_NOT_PLAIN: Final = re.compile("[<>&\n\r\0\xa0\ufeff\ud800-\udfff]")

# In what nh3 writes this can only be the start of a link: it escapes "<" in texts and quotes in attributes.
_HREF: Final = re.compile(r'<a href="([^"]*)"')
_ODD_HREF: Final = re.compile(rf'<a href="(?!{GOOD_ADDRESS}")')


class CleanNote(NamedTuple):
    """A note's HTML as the CDP keeps it. `dropped` has a name of `html_names.DROPPED` for each element that went."""

    html: str
    dropped: tuple[str, ...] = ()


def normalize_note(html: str | None) -> str:
    """A note's HTML as the CDP keeps it.

    Raises:
        NoteRefused: as `clean_note`.
    """
    return clean_note(html).html


def clean_note(html: str | None) -> CleanNote:
    """The note as `sanitize_note_html` makes it, and what is to be counted of it.

    Raises:
        NoteTooLong: it has more than `LONGEST_NOTE` characters, markup included.
        NoteTooComplex: its markup is beyond the bounds of `html_limits`.
    """
    note = _cleaned(html or "")
    if len(note.html) > LONGEST_NOTE:
        raise NoteTooLong(len(note.html))
    return note


def sanitize_note_html(html: str) -> str:
    """The note with nothing in it that could run or load: allowed tags, links to the web or mail, and text.

    Never raises, and sanitizing its result changes nothing. Of a note that `clean_note` refuses for its markup, this
    gives the text.
    """
    try:
        return _cleaned(html).html
    except NoteRefused:
        return plain_text(_encodable(html))


def _cleaned(html: str) -> CleanNote:
    if not _NOT_PLAIN.search(html):
        return CleanNote(html)
    note = _encodable(html)
    dropped: tuple[str, ...] = ()
    for number in range(MOST_PASSES):
        cleaned, settled, gone = _sanitized_once(note)
        if number == 0:
            dropped = gone
        if settled or cleaned == note:
            return CleanNote(cleaned, dropped)
        note = cleaned
    raise NoteTooComplex("never comes to rest")


def _sanitized_once(html: str) -> tuple[str, bool, tuple[str, ...]]:
    """One pass, whether it is known that another would change nothing, and what was dropped.

    Taking tags out can leave what a parser reads differently, a link in a link, so there are several.
    """
    if "<" not in html:
        return plain_note(html), True, ()
    if is_clean(html):
        return html, True, ()
    check_tags(html)
    bare = bare_note(html)
    if bare is not None:
        return bare[0], True, bare[1]
    route = route_of(html)
    if route.low is not None and not route.has_mention:
        cleaned = _through_the_gate(html)
        if not route.has_links or _keeps_links(route.low, cleaned):
            return *_finished(cleaned, html), kinds_of(route.foreign) if route.foreign else ()
    if route.low is not None and not (b"<style" in route.low or b"<script" in route.low or "<!" in html):
        note, lost = in_tree(html, only_links=True)
        return *_finished(_through_the_gate(note), html), (*kinds_of(route.foreign), *lost * (DROPPED_LINKS,))
    saved = tidied(html)
    if not saved.is_html:
        return plain_note(html), True, ()
    check_references(saved.html)
    note, lost = in_tree(saved.html) if saved.needs_tree else (saved.html, 0)
    gone = tuple((saved.dropped + Counter({DROPPED_LINKS: lost})).elements())
    return *_finished(_through_the_gate(note), html), gone


def _through_the_gate(html: str) -> str:
    # The parser drops a byte order mark at the start, but only one.
    return gate().clean(html).lstrip(BYTE_ORDER_MARK)


def _keeps_links(low: bytes, cleaned: str) -> bool:
    """Whether every address of a link stayed as it is; of others there is something to be saved."""
    return low.count(b"href") == cleaned.count('<a href="') and not _ODD_HREF.search(cleaned)


def _finished(cleaned: str, html: str) -> tuple[str, bool]:
    if "<" not in cleaned:
        # Read again it is plain text, in which lines end where they did not here.
        return cleaned.replace("\r", " ").replace("\n", " "), True
    if "<a" not in cleaned:
        return keep_first_newlines(cleaned), cleaned == html or is_settled(cleaned)
    if _ODD_HREF.search(cleaned):
        return keep_first_newlines(_HREF.sub(_mend_href, cleaned)), False
    # What is left of a link can have become a mention only by its address, which nh3 writes in plain letters.
    return keep_first_newlines(cleaned), is_settled(cleaned) and "edit_user" not in cleaned.lower()


def _mend_href(link: re.Match[str]) -> str:
    """A link's start with the address as browsers read it, or without it if it leads nowhere by itself."""
    address = mended(link[1])
    return "<a" if address is None else f'<a href="{address}"'


def _encodable(html: str) -> str:
    """The text with halves of a surrogate pair joined, and lone ones, which no UTF-8 can hold, as U+FFFD."""
    try:
        if not html.isascii():
            html.encode()
    except UnicodeEncodeError:
        return html.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return html
