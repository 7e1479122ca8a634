"""Is a note that nh3 wrote one that it would write again as it is? Told at a glance for most, so that a second pass,
which would only find that out, need not be made.

nh3 writes a tree as properly nested tags. Reading them gives another tree only where HTML ends or moves elements by
itself; of the tags that stay in a note those are: a block in a paragraph, a link in a link, a heading in a heading, an
item in an item without a list between, anything in a table that is in no cell, and `<pre>`, whose first newline parsers
drop (HTML standard, "in body", "in table"). What is doubtful is not wrong, it only takes the second pass.

The same holds of a note that somebody else wrote as nh3 does: one of bare tags, properly nested, and nothing else. As
Trix and other editors write them, many notes are such, and need not go through nh3 at all.

Belongs here: recognizing. Not here: sanitizing (`html.py`). Nothing is let through that has an attribute and that nh3
did not write.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS

_MOST_TAGS: Final = 500
_LONGEST: Final = 60_000
"""As in `html_limits.bounded`, beyond which a pass does more than to parse."""

_LINK: Final = re.compile("</?a(?=[ >])")
_BLOCK: Final = re.compile(r"<(/?(?:p|li|ul|ol|div|h[1-6r]|blockquote|d[ltd]|t[rdh]|table|tbody|thead|tfoot|caption))>")
_BLOCKS: Final = frozenset(tag for name in ALLOWED_TAGS for tag in (name, f"/{name}") if _BLOCK.fullmatch(f"<{tag}>"))
# Between the cells of a table only its own tags and blanks may be; parsers move all else before it.
_MOVED: Final = re.compile(
    r"(?:<table>|</?(?:tr|tbody|thead|tfoot)>|</(?:td|th|caption)>)[ \t\n\f]*+"
    r"(?!</?(?:t[rdh]|tbody|thead|tfoot|caption)>|</table>)"
)
_LINES: Final = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})
_ENDS_OF_LINES: Final = frozenset(f"/{name}" for name in _LINES)
_PARTS: Final = frozenset({"table", "/caption", "/thead", "/tbody", "/tfoot"})
_BEFORE: Final[Mapping[str, frozenset[str]]] = {
    "li": frozenset({"ul", "ol", "/li"}),
    **dict.fromkeys(("dd", "dt"), frozenset({"dl", "/dd", "/dt"})),
    "caption": frozenset({"table"}),
    **dict.fromkeys(("thead", "tbody", "tfoot"), _PARTS),
    "tr": frozenset({"thead", "tbody", "tfoot", "/tr"}),
    **dict.fromkeys(("td", "th"), frozenset({"tr", "/td", "/th"})),
}
"""The tag that an element of a list or a table follows, where both stay in their place."""


_BARE_TAGS: Final = "|".join(sorted(ALLOWED_TAGS - {"a", "pre"}))
_TEXT: Final = r"[^<>&\r\0\xa0\ufeff]*+"
_BARE: Final = re.compile(rf"{_TEXT}(?:(?:</?(?:{_BARE_TAGS})>|&(?:amp|lt|gt|nbsp);){_TEXT})*+")
_TAG: Final = re.compile("<([^>]+)>")
_VOID: Final = frozenset({"base", "br", "hr", "img", "link", "meta", "wbr"})


def is_clean(html: str) -> bool:
    """True only if nh3 would write this as it is: nothing but bare tags of the list, properly nested, and text."""
    if not _BARE.fullmatch(html):
        return False
    return are_nested(_TAG.findall(html)) and is_settled(html)


def are_nested(tags: Sequence[str]) -> bool:
    """Whether each tag that begins an element has its end, the inner ones first; an end tag has its slash."""
    inside: list[str] = []
    for tag in tags:
        if tag[0] == "/":
            if not inside or inside.pop() != tag[1:]:
                return False
        elif tag not in _VOID:
            inside.append(tag)
    return not inside


def tags_stay(tags: Sequence[str], note: str) -> bool:
    """`is_clean` of a note known to be text and bare tags, neither `a` nor `pre`. `tags` may have more, which went."""
    if len(note) > _LONGEST or len(tags) > _MOST_TAGS or not are_nested(tags):
        return False
    if "table" in tags and _MOVED.search(note):
        return False
    return _blocks_stay([tag for tag in tags if tag in _BLOCKS])


def is_settled(note: str) -> bool:
    """True only if a parser reads this note, which nh3 wrote, as the tree that it was written from."""
    if len(note) > _LONGEST or note.count("<") > _MOST_TAGS or "\r" in note or "<pre>" in note:
        return False
    if "<a " in note and not _links_are_apart(note):
        return False
    if "<table>" in note and _MOVED.search(note):
        return False
    return _blocks_stay(_BLOCK.findall(note))


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
            if in_lines or (tag in _BEFORE and before not in _BEFORE[tag]):
                return False
            in_lines = tag in _LINES
        before = tag
    return True
