"""Is a note that nh3 wrote one that it would write again as it is? Told at a glance for most, so that a second pass,
which would only find that out, need not be made.

nh3 writes a tree as properly nested tags. Reading them gives another tree only where HTML ends or moves elements by
itself; of the tags that stay in a note those are: a block in a paragraph, a link in a link, a heading in a heading, an
item in an item without a list between, and `<pre>`, whose first newline parsers drop (HTML standard, "in body"). What
is doubtful is not wrong, it only takes the second pass.

Belongs here: recognizing. Not here: sanitizing (`html.py`); nothing is let through that nh3 did not write.
"""

import re
from collections.abc import Sequence
from typing import Final

_MOST_TAGS: Final = 500
_LONGEST: Final = 60_000
"""As in `html_limits.bounded`, beyond which a pass does more than to parse."""

_LINK: Final = re.compile("</?a(?=[ >])")
_BLOCK: Final = re.compile("<(/?(?:p|li|ul|ol|div|h[1-6]|blockquote))>")
_LINES: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})
_ENDS_OF_LINES: Final = frozenset(f"/{name}" for name in _LINES)
_BEFORE_ITEM: Final = frozenset({"ul", "ol", "/li"})


def is_settled(note: str) -> bool:
    """True only if a parser reads this note, which nh3 wrote, as the tree that it was written from."""
    if len(note) > _LONGEST or note.count("<") > _MOST_TAGS or "\r" in note or "<pre>" in note:
        return False
    if "<a " in note and not _links_are_apart(note):
        return False
    # Blocks alone, as divisions, stay where they are.
    return not ("<p>" in note or "<li>" in note or "<h" in note) or _blocks_stay(_BLOCK.findall(note))


def _links_are_apart(note: str) -> bool:
    links = _LINK.findall(note)
    return all(begin == "<a" and end == "</a" for begin, end in zip(links[::2], links[1::2], strict=True))


def _blocks_stay(tags: Sequence[str]) -> bool:
    """In a paragraph or a heading there must be nothing but lines, which is more than HTML asks of headings."""
    before, in_lines = "", False
    for tag in tags:
        if tag in _ENDS_OF_LINES:
            in_lines = False
        elif tag[0] != "/":
            if in_lines or (tag == "li" and before not in _BEFORE_ITEM):
                return False
            in_lines = tag in _LINES
        before = tag
    return True
