"""What only a tree can tell, from a real HTML5 parser: mentions become text, links that may not stay their text and
target, hidden elements go, lines that a style kept are kept.

Nothing here makes a note safe: `html_gate.py` does, after this. Most notes need no such step and never come here.
"""

import re
from html import unescape
from typing import TYPE_CHECKING, Final

from cdp_pipelines.domain.contact_notes.html_links import destination, leads_to_profile, tells

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# Parsers drop the first newline in these, so what a serializer writes needs one more to say the same.
_FIRST_NEWLINE: Final = re.compile(r"(<pre(?: [^<>]*)?>)\n")
# Of what a serializer wrote, in which no text has a "<".
_LINE_TAG: Final = re.compile(
    r"</?(?:blockquote|br|caption|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|table|tbody|tfoot|thead|tr|ul)(?: [^<>]*)?>"
)
_TAGS_APART: Final = re.compile(rf"(?:{_LINE_TAG.pattern}|</?t[dh](?: [^<>]*)?>)+")
_TAG: Final = re.compile(r"<[^<>]*>")
_LINE_END: Final = "\0"  # in no text that a parser read


def in_tree(html: str, *, only_links: bool = False) -> tuple[str, int]:
    """The note after this step, and how many links did not stay. `only_links`: nothing else is to be done."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html, is_fragment=True)
    if not only_links:
        for hidden in reversed(tree.css("[hidden]")):  # inner ones first: what is in one taken out is no more
            hidden.decompose()
        _keep_lines(tree)
    lost = 0
    for link in reversed(tree.css("a")):
        lost += _link(tree, link)
    return keep_first_newlines(tree.html or ""), lost


def keep_first_newlines(html: str) -> str:
    """What a serializer wrote, such that parsing it gives the same text in `<pre>`."""
    return _FIRST_NEWLINE.sub("\\1\n\n", html) if ">\n" in html else html


def _link(tree: "LexborHTMLParser", link: "LexborNode") -> bool:
    """Whether the link was one that did not stay; a mention is none."""
    attributes = link.attributes
    href = attributes.get("href")
    if "data-user-id" in attributes or leads_to_profile(href or ""):
        _to_text(tree, link)
        return False
    if "href" not in attributes:
        return False
    address, target = destination(href or "")
    if address is not None:
        if address != href:
            link.attrs["href"] = address
        return False
    text = link.text()
    if not text.strip():
        link.insert_before(_apart(target, link) if target else "")
    elif target and not tells(text, target):
        link.insert_after(f" ({target})")
    link.unwrap(delete_empty=True)
    return bool(target)


def _apart(target: str, link: "LexborNode") -> str:
    """The target in the place of a link without a text, apart from the words beside it."""
    before, after = link.prev, link.next
    begins = before is not None and (before.text_content or before.text())[-1:].strip() != ""
    ends = not link.text() and after is not None and (after.text_content or after.text())[:1].strip() != ""
    return f"{' ' if begins else ''}{target}{' ' if ends else ''}"


def _to_text(tree: "LexborHTMLParser", mention: "LexborNode") -> None:
    """Put its text in the place of a mention, its lines and words as far apart as they were."""
    inner = mention.inner_html or ""
    if "<" not in inner:
        mention.replace_with(mention.text())
        return
    inner = _TAGS_APART.sub(lambda tags: _LINE_END if _LINE_TAG.search(tags[0]) else " ", inner)
    lines = [line for line in unescape(_TAG.sub("", inner)).split(_LINE_END) if line.strip()]
    for number, line in enumerate(lines):
        if number:
            mention.insert_before(tree.create_node("br"))
        mention.insert_before(line)
    mention.decompose()


def _keep_lines(tree: "LexborHTMLParser") -> None:
    """Line ends that a style showed become elements."""
    if tree.root is None or tree.css_first('[data-lines="1"]') is None:
        return
    shown: dict[int, bool] = {}
    for node in list(tree.root.traverse(include_text=True)):
        text = node.text_content if node.is_text_node else None
        if text and "\n" in text.strip() and _shows_lines(node.parent, shown):
            for number, line in enumerate(text.split("\n")):
                if number:
                    node.insert_before(tree.create_node("br"))
                node.insert_before(line)
            node.decompose()


def _shows_lines(node: "LexborNode | None", shown: dict[int, bool]) -> bool:
    """Whether the innermost element that says so shows line ends; in `pre` they are shown anyway.

    `shown` remembers it by element, so that no element is asked twice however deep they are.
    """
    asked: list[int] = []
    says: bool | None = None
    while node is not None and says is None:
        says = shown.get(node.mem_id)
        if says is None:
            lines = node.attributes.get("data-lines")
            asked.append(node.mem_id)
            says = False if node.tag == "pre" else None if lines is None else lines == "1"
            node = node.parent
    shown.update(dict.fromkeys(asked, bool(says)))
    return bool(says)
