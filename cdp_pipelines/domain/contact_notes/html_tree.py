"""The step before sanitizing, on a tree from a real HTML5 parser: mentions become text, foreign tags lose the tag.

Nothing here makes a note safe: `html.py` does, after this. Most notes need no such step and never come here.
"""

import re
from html import unescape
from typing import TYPE_CHECKING, Final

from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS, DROPPED_WITH_CONTENT, PLAIN_TAGS

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_TAG_NAME: Final = re.compile(r"<([a-zA-Z][^ \t\n\r\f/>]*)")
_TEMPLATE_TAG: Final = re.compile(r"</?template(?: [^<>]*)?>")
_HIDDEN: Final = ", ".join(sorted(DROPPED_WITH_CONTENT))
_STAYING: Final = ALLOWED_TAGS | DROPPED_WITH_CONTENT | {"template"}

# Parsers drop the first newline in these, so what a serializer writes needs one more to say the same.
_FIRST_NEWLINE: Final = re.compile(r"(<(?:pre|listing|textarea)(?: [^<>]*)?>)\n")

_ORIGIN: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?(?://[^/]*)?", re.IGNORECASE)
_PROFILE_PATH: Final = re.compile(r"(?:.*/)?users/[^/]+/edit_user/?", re.IGNORECASE)
_CONTROLS_AND_SPACE: Final = "".join(map(chr, range(0x21)))


def prepared(html: str) -> str:
    """The note as nh3 may have it: each mention as its text, and no tag of which nh3 would drop the text too.

    A mention is a link with `data-user-id`, or one to the CRM's `/users/{id}/edit_user`. A note with neither comes
    back as it is: writing a tree out changes more than it must.
    """
    names = _tag_names(html)
    if not names <= PLAIN_TAGS:
        tree = _without_foreign_tags(html)
        _mentions_to_text(tree)
    elif "a" in names and _may_mention(html):
        tree = _parsed(html)
        if not _mentions_to_text(tree):
            return html
    else:
        return html
    return keep_first_newlines(tree.html or "")


def keep_first_newlines(html: str) -> str:
    """What a serializer wrote, such that parsing it gives the same text in `<pre>`."""
    return _FIRST_NEWLINE.sub("\\1\n\n", html) if ">\n" in html else html


def _tag_names(html: str) -> set[str]:
    """Where not all are plain as they are: in small letters, and without those of Office's kind, as `o:p`.

    No name of SVG or MathML has a colon, so nh3 keeps the text in them.
    """
    names = set(_TAG_NAME.findall(html))
    return names if names <= PLAIN_TAGS else {name.lower() for name in names if ":" not in name}


def _parsed(html: str) -> "LexborHTMLParser":
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser(html, is_fragment=True)


def _without_foreign_tags(html: str) -> "LexborHTMLParser":
    """The tree without the tags that are not allowed; what is in them stays."""
    tree = _unwrapped(html)
    if tree.css_first("template"):
        # What is inside a template is in a tree of its own; written out, its tags are all that makes it one.
        tree = _unwrapped(_TEMPLATE_TAG.sub("", tree.html or ""))
    return tree


def _unwrapped(html: str) -> "LexborHTMLParser":
    tree = _parsed(html)
    for node in tree.css("*"):
        if node.tag not in _STAYING:
            node.unwrap(delete_empty=True)
    return tree


def _mentions_to_text(tree: "LexborHTMLParser") -> bool:
    """Put its text in the place of each mention. True if there was one."""
    mentions = [link for link in tree.css("a") if _is_mention(link)]
    for mention in reversed(mentions):  # inner ones first: what is in one that was taken out must not be touched
        for hidden in mention.css(_HIDDEN):
            hidden.decompose()
        mention.replace_with(mention.text())
    return bool(mentions)


def _may_mention(html: str) -> bool:
    """True for every note with a mention, and for few others: parsing is dear."""
    if "data-user-id" in html.lower():
        return True
    text = unescape(html) if "&" in html else html
    for dropped in "\t\n\r":  # browsers drop them from an address
        text = text.replace(dropped, "")
    return "edit_user" in text.lower()


def _is_mention(link: "LexborNode") -> bool:
    attributes = link.attributes
    return "data-user-id" in attributes or _leads_to_profile(attributes.get("href") or "")


def _leads_to_profile(href: str) -> bool:
    """Whether a browser on the CRM's page would open `/users/{id}/edit_user`, of whatever host."""
    for dropped in "\t\n\r":
        href = href.replace(dropped, "")
    path = re.split("[?#]", href.strip(_CONTROLS_AND_SPACE), maxsplit=1)[0].replace("\\", "/")
    return _PROFILE_PATH.fullmatch(_ORIGIN.sub("", path, count=1)) is not None
