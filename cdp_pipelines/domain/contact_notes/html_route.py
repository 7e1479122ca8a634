"""Told at a glance: is this note one that nh3 alone handles as it should? Most are.

What is doubtful is not wrong, it only takes the longer way.

Belongs here: recognizing. Not here: doing anything (`html_tokens.py`, `html_tree.py`).
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS, OF_TABLES, PLAIN_TAGS

MANY_TAGS: Final = 500
LONG: Final = 60_000
"""Beyond these a note's attributes could make a parser slow; on the longer way they go."""
MANY_COMMENTS: Final = 20

# A tag as editors write it: attributes with values, well quoted. Any other takes the longest way.
_TAG: Final = re.compile(
    r"""<(/?[a-zA-Z][^ \t\n\r\f/<>]*+)(?:>|[ \t\n\r\f/]++"""
    r"""(?:[a-zA-Z_:-]++="[^"<>]*+"[ \t\n\r\f/]*+|[a-zA-Z_:-]++=(?:'[^'<>]*+'|[^ \t\n\r\f<>"']++)[ \t\n\r\f/]*+)*+>)"""
)
_PLAIN: Final = PLAIN_TAGS | {f"/{name}" for name in PLAIN_TAGS}
_ALLOWED: Final = ALLOWED_TAGS | {f"/{name}" for name in ALLOWED_TAGS}
_COMMENT: Final = re.compile(r"<!--.*?--!?>", re.DOTALL)
_IN_ATTRIBUTES: Final = re.compile("=[\"']?<!--")


class Route(NamedTuple):
    """Which way a note goes.

    low: the note as bytes in small letters, as HTML means them; None where it has to go the longest way, on which its
    tags are looked at one by one.
    foreign: the tags that will not stay, those that end something with their slash.
    has_links: it has links. has_mention: it may have a mention, which takes a tree.
    """

    low: bytes | None
    foreign: Sequence[str] = ()
    has_links: bool = False
    has_mention: bool = False


LONGEST: Final = Route(None)


def route_of(html: str) -> Route:
    """The shortest way on which nothing is lost of the note."""
    count = html.count("<")
    if len(html) > LONG or count > MANY_TAGS:
        return LONGEST
    if "<!" in html:
        if html.count("<!") > MANY_COMMENTS or _IN_ATTRIBUTES.search(html):
            return LONGEST
        html = _COMMENT.sub("", html)
        count = html.count("<")
    tags = _TAG.findall(html)
    if len(tags) != count or not tags:
        return LONGEST
    names = frozenset(tags)
    if not names <= _PLAIN:
        tags = [tag.lower() for tag in tags]
        names = frozenset(tags)
        if not names <= _PLAIN:
            return LONGEST
    low = html.encode().lower()
    if (b"=" in low and _means_more(low, names)) or not (names.isdisjoint(OF_TABLES) or _cells_are_in_tables(tags)):
        return LONGEST
    foreign = () if names <= _ALLOWED else [tag for tag in tags if tag not in _ALLOWED]
    has_links = "a" in names
    return Route(low, foreign, has_links, has_links and _may_mention(low))


def _means_more(low: bytes, names: frozenset[str]) -> bool:
    """Whether an attribute may mean something to a reader."""
    if b"hidden" in low or b"white-space" in low or b"visibility" in low or (b"display" in low and b"none" in low):
        return True
    return "ol" in names and any(word in low for word in _OF_LISTS)


_OF_LISTS: Final = (b" start", b" type", b" value", b"list", b"reversed")
# Not all that is odd in an address, but all that can hide what it leads to: browsers drop ends of lines from it, and no
# other reference stands for a letter of `edit_user`.
_ODD_ADDRESS: Final = re.compile(rb"href[^>]*?(?:&#|bar;|[\t\n\r])")


def _cells_are_in_tables(tags: Sequence[str]) -> bool:
    """True only if there is one table, and every part of a table between its tags."""
    if tags.count("table") != 1 or tags.count("/table") != 1:
        return False
    outside = {*tags[: tags.index("table")], *tags[tags.index("/table") + 1 :]}
    return outside.isdisjoint(OF_TABLES)


def _may_mention(low: bytes) -> bool:
    """True for every note with a mention, and for few others: parsing is dear."""
    return b"data-user-id" in low or b"edit_user" in low or _ODD_ADDRESS.search(low) is not None
