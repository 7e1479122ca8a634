"""The short way of a note that is nothing but bare tags and text once attributes are off, as editors and mail programs
write most notes: it is written as nh3 would write it, and need not go through nh3.

What comes out is put together of `_BARE`, a closed set of tags that may stay, and of texts without any sign of a tag:
whatever was read wrongly here, nothing else can be in it. So this module cannot make a note unsafe; it has to be right
about nh3 coming to the same, and says None where that is not certain. The same tags come again and again, so each is
read once and remembered.

Belongs here: writing tags bare. Not here: attributes that mean something (`html_tokens.py`), links that stay (nh3).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from cdp_pipelines.domain.contact_notes.html_attributes import attributes_of
from cdp_pipelines.domain.contact_notes.html_links import leads_to_profile
from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS, kinds_of
from cdp_pipelines.domain.contact_notes.html_route import LONG, MANY_COMMENTS, MANY_TAGS
from cdp_pipelines.domain.contact_notes.html_settled import tags_stay

_ATTRIBUTES: Final = (
    r"""(?:[ \t\n]++[a-zA-Z_][a-zA-Z_:-]*+=(?:"[^"<>]*+"|'[^'<>]*+'|[^ \t\n\r\f<>"'`/=&]++))*+[ \t\n]*+"""
)
# What Outlook puts before a note: comments, and a style, which goes with its contents.
_HEAD: Final = re.compile(rf"<!--(?!-?>).*?--!?>|(<style){_ATTRIBUTES}>[^<]*+(?:<!--[^<]*+)?</style>", re.DOTALL)
# A longer tag is not remembered: it stays in the text, and its "<" ends this way.
_TAGS: Final = re.compile("(<[^<>]{0,300}>)")
_TAG: Final = re.compile(rf"<(/?[a-zA-Z][a-zA-Z0-9:]*)({_ATTRIBUTES})/?>")

_STAYING: Final = ALLOWED_TAGS - {"a", "pre"}
_BARE: Final = {"", *(f"<{name}>" for name in _STAYING), *(f"</{name}>" for name in _STAYING)}
_GOING_AROUND: Final = frozenset({
    "abbr", "acronym", "bdi", "bdo", "big", "body", "cite", "dfn", "font", "head", "html", "kbd", "mark", "o:p", "samp",
    "small", "tt", "var",
})  # fmt: skip
"""Elements that go and leave what is in them, and that move nothing as long as they are nested properly."""
_VOID: Final = frozenset({"base", "img", "link", "meta", "wbr"})
_KINDS: Final = {name: kinds_of((name,))[0] for name in (*_GOING_AROUND, *_VOID, "style")}
_GOES: Final = "~"
"""Around the name of a tag that goes, as `<` and `>` are around one that stays."""
_READ: Final[Mapping[str, str]] = {"&quot;": '"', "&#39;": "'", "&#x27;": "'"}
"""References that editors write, and that a serializer writes as the sign itself."""
_REFERENCES: Final = ("&amp;", "&lt;", "&gt;", "&nbsp;", *_READ)
# Where a tag that goes is in a table but in no cell, by the tags alone; parsers move such elements.
_IN_ROWS: Final = re.compile("(?:<table>|</?(?:tr|tbody|thead|tfoot)>|</(?:td|th|caption)>)~")
_MENTION: Final = "@"
_UNSURE: Final = "!"
_MEANINGS: Final = ("hidden", "white-space", "visibility")
_OF_LISTS: Final = ("start", "type", "value", "list", "reversed")
_REMEMBERED: Final = 4096


def bare_note(html: str) -> tuple[str, tuple[str, ...]] | None:
    """The note as nh3 would write it, for good, and as what the elements that went are counted."""
    if not _is_worth_a_look(html):
        return None
    if "\r" in html:
        html = html.replace("\r\n", "\n").replace("\r", "\n")
    html, styles = _without_head(html) if html.startswith(("<!--", "<style")) else (html, 0)
    parts = _TAGS.split(html)
    if "&" in html and not _has_known_references(parts[::2]):
        return None
    tags = list(map(_bare, parts[1::2]))
    if not _BARE.issuperset(tags) and (_UNSURE in tags or not _without_mentions(tags)):
        return None
    names = [tag[1:-1] for tag in tags if tag]
    going = [tag[1:-1] for tag in tags if tag[:1] == _GOES]
    if going:
        if "<table>" in tags and _IN_ROWS.search("".join(tags)):
            return None
        tags = ["" if tag[:1] == _GOES else tag for tag in tags]
    if not _BARE.issuperset(tags):
        return None
    parts[1::2] = tags
    note = _as_written("".join(parts))
    if _is_all_there_is(note, len(tags) - tags.count("")) and tags_stay(names, note):
        return note, _kinds([*["style"] * styles, *going]) if going or styles else ()
    return None


def _is_worth_a_look(html: str) -> bool:
    """False for what is too much to be looked at, or has a link that is no mention, or no tag."""
    if len(html) > LONG or html.count("<") > MANY_TAGS or ("<!" in html and html.count("<!") > MANY_COMMENTS):
        return False
    return ">" in html and ("<a " not in html or "edit_user" in html or "data-user-id" in html)


def _without_head(html: str) -> tuple[str, int]:
    """The note without what Outlook puts before it, and how many styles that were."""
    end = styles = 0
    while (found := _HEAD.match(html, end)) is not None:
        end, styles = found.end(), styles + (found[1] is not None)
    return html[end:], styles


def _is_all_there_is(note: str, tags: int) -> bool:
    """Whether there is no sign of markup beyond that number of tags, and no other that a serializer changes."""
    return note.count("<") == tags and note.count(">") == tags and "\0" not in note and "\ufeff" not in note


def _has_known_references(texts: Sequence[str]) -> bool:
    """Whether every "&" begins a reference that is known here, in one text: `&nbsp<b>;` is none with its semicolon."""
    text = "<".join(texts)
    return text.count("&") == sum(map(text.count, _REFERENCES))


def _kinds(going: Sequence[str]) -> tuple[str, ...]:
    kinds = tuple([_KINDS[name] for name in going if name in _KINDS])
    # Notes with pictures are counted kind by kind on the longer way, too.
    return tuple(Counter(kinds).elements()) if "img" in going else kinds


def _as_written(note: str) -> str:
    """A serializer's way with what stands in texts, all tags being bare."""
    if "&" in note:
        for reference, sign in _READ.items():
            note = note.replace(reference, sign)
    if "\xa0" in note:
        note = note.replace("\xa0", "&nbsp;")
    return note if "<" in note else note.replace("\n", " ")


def _without_mentions(tags: list[str]) -> bool:
    """Take out the tags of mentions; False if one is more than a text."""
    while _MENTION in tags:
        at = tags.index(_MENTION)
        if tags[at + 1 : at + 2] != ["</a>"]:
            return False
        tags[at : at + 2] = ["", ""]
    return True


@lru_cache(_REMEMBERED)
def _bare(tag: str) -> str:
    """What is written for a tag; or how it goes, or that this is not sure."""
    found = _TAG.fullmatch(tag)
    if found is None:
        return _UNSURE
    name, attributes = found[1].lower(), found[2]
    if name == "a":
        return _MENTION if _is_mention(attributes) else _UNSURE
    if attributes and (name[0] == "/" or _may_mean_more(name, attributes.lower())):
        return _UNSURE
    whole = name.removeprefix("/")
    if whole in _STAYING or name == "/a":
        return f"<{name}>"
    goes = whole in _GOING_AROUND or name in _VOID
    return f"{_GOES}{name}{_GOES}" if goes else _UNSURE


def _may_mean_more(name: str, attributes: str) -> bool:
    if "&" in attributes.replace("&quot;", "") or any(word in attributes for word in _MEANINGS):
        return True
    if "display" in attributes and "none" in attributes:
        return True
    if name in {"ol", "ul", "li"}:
        return any(word in attributes for word in _OF_LISTS)
    return name == "img" and "alt" in attributes


def _is_mention(attributes: str) -> bool:
    found = attributes_of(attributes)
    if "&" in attributes or _may_mean_more("a", attributes.lower()):
        return False
    return "data-user-id" in found or leads_to_profile(found.get("href", ""))
