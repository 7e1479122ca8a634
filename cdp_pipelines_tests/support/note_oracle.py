"""What must not be in a sanitized note, looked for with other parsers than the sanitizer's own.

The lists are written out here once more on purpose: an oracle that takes them from the code agrees with any mistake.
"""

import re
from html.parser import HTMLParser
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

_TEXT: Final = "a b i strong em u s span br div p ul ol li blockquote h1 h2 h3 h4 h5 h6 pre sub sup del ins hr code q"
ALLOWED: Final = {*_TEXT.split(), *["table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "dl", "dt", "dd"]}
REL: Final = "nofollow noopener noreferrer"
_ABSOLUTE: Final = re.compile(r"(?:https?:[/\\]{2}|mailto:)", re.IGNORECASE)
_CONTROLS_AND_SPACE: Final = "".join(map(chr, range(0x21)))


def problems(note: str) -> list[str]:
    """What is wrong with a sanitized note, as a browser's parser and a plain tokenizer see it; empty if nothing is."""
    found = _in_tree("as innerHTML", LexborHTMLParser(note, is_fragment=True, scripting=True))
    document = f"<!DOCTYPE html><html><head></head><body>{note}</body></html>"
    for scripting in (True, False):
        found += _in_tree("in a page", LexborHTMLParser(document, scripting=scripting), {"html", "head", "body"})
    tokens = _Tokens()
    tokens.feed(note)
    tokens.close()
    return found + tokens.problems


def visible_text(html: str) -> str:
    """The text of the note as a browser's tree has it."""
    return LexborHTMLParser(html, is_fragment=True, scripting=True).text() if html else ""


def _in_tree(where: str, tree: LexborHTMLParser, frame: set[str] | None = None) -> list[str]:
    nodes = [] if tree.root is None else tree.css("*")
    found = [f"{where}: a comment" for node in nodes for child in node.iter(include_text=True) if child.is_comment_node]
    for node in nodes:
        if node.tag in (frame or ()) and not node.attributes:
            continue
        found += [f"{where}: {problem}" for problem in _wrong_tag(node)]
    return found


def _wrong_tag(node: LexborNode) -> list[str]:
    return _wrong(str(node.tag), dict(node.attributes))


def _wrong(tag: str, attributes: dict[str, str | None]) -> list[str]:
    if tag not in ALLOWED:
        return [f"<{tag}>"]
    if tag != "a":
        return [f"{name} on <{tag}>" for name in attributes]
    found = [f"{name} on <a>" for name in attributes if name not in {"href", "rel"}]
    if attributes.get("rel") != REL:
        found.append("<a> without its rel")
    if "href" in attributes:
        found += _wrong_address(attributes["href"] or "")
    return found


def _wrong_address(href: str) -> list[str]:
    address = re.sub(r"[\t\n\r]", "", href).strip(_CONTROLS_AND_SPACE)
    mention = re.search(r"/users/[^/?#]+/edit_user/?(?:[?#]|$)", address)
    if mention or not _ABSOLUTE.match(address):
        return [f"href {href!r}"]
    return []


class _Tokens(HTMLParser):
    """The same questions to a tokenizer that builds no tree."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.problems += [f"as tokens: {problem}" for problem in _wrong(tag, dict(attrs))]

    def handle_comment(self, data: str) -> None:
        self.problems.append("as tokens: a comment")

    def handle_decl(self, decl: str) -> None:
        self.problems.append("as tokens: a declaration")

    def unknown_decl(self, data: str) -> None:
        self.problems.append("as tokens: a declaration")

    def handle_pi(self, data: str) -> None:
        self.problems.append("as tokens: an instruction")
