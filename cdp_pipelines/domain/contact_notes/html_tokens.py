"""The step before a parser, on a note's tags one by one: what is no tag becomes text, and of what will not stay its
meaning does.

What comes out is HTML of our own writing: only tags of elements, each closed by its `>`, without any attribute but the
few that mean something. So nothing that a parser might read in two ways gets any further, and no attributes make it
slow. It makes nothing safe: nh3 does, after this.

Belongs here: one tag at a time. Not here: what needs a tree (`html_tree.py`), and the safety of it (`html.py`).
"""

import re
from collections import Counter
from functools import cache
from html import escape, unescape
from typing import Final, NamedTuple

from cdp_pipelines.domain.contact_notes.html_attributes import (
    attributes_of,
    is_hidden,
    keeps_lines,
    shown_value,
)
from cdp_pipelines.domain.contact_notes.html_links import PLAIN_ADDRESS
from cdp_pipelines.domain.contact_notes.html_lists import ListOfItems, list_of
from cdp_pipelines.domain.contact_notes.html_maths import Maths
from cdp_pipelines.domain.contact_notes.html_names import (
    ALLOWED_TAGS,
    APART,
    BARE_ATTRIBUTES,
    CELLS,
    DRAWINGS,
    DROPPED_HIDDEN,
    DROPPED_WITH_CONTENT,
    ELEMENTS,
    MATHS,
    NEVER_WORDS,
    OF_RUBY,
    OF_TABLES,
    OFFICE,
    PICTURES,
    RAW_TEXTS,
    RENAMED,
    kinds_of,
)

_SPACE: Final = r"[ \t\n\r\f]"
# As the HTML standard reads tags, but that no sign "<" may stand outside of quotes.
_ATTRIBUTE: Final = (
    rf"""=?[^ \t\n\r\f/<>=]++(?:{_SPACE}*+={_SPACE}*+(?:"[^"]*+"|'[^']*+'|[^ \t\n\r\f<>"'][^ \t\n\r\f<>]*+)?+)?+"""
)
_TOKEN: Final = re.compile(
    rf"<(?:(?P<end>/?)(?P<name>[a-zA-Z][^ \t\n\r\f/<>]*+)(?P<attributes>(?:[ \t\n\r\f/]++|{_ATTRIBUTE}){{0,200}}+)>"
    r"|(?P<comment>!--)|[!?][^<>]*+>)?"
)
_END_NAME: Final = re.compile(r"</([a-z][^ \t\n\r\f/<>]*)")
_COMMENT_END: Final = re.compile("--!?>")
_FIRST_ATTRIBUTE: Final = re.compile(rf"[ \t\n\r\f/]*([^ \t\n\r\f/<>=]*)({_SPACE}*=)?")
_ATTRIBUTE_NAME: Final = re.compile(r"[a-zA-Z_@:*#.\[(][^,;]*")
_BARE_NAME: Final = re.compile(r"[a-zA-Z_]\w*(?:[-_:][\w.-]*)+")
_LOCAL_NAME: Final = re.compile(r"[a-z][a-z0-9]*:[a-z][a-z0-9-]*")
_CUSTOM_NAME: Final = re.compile(r"[a-z][a-z0-9._]*-[a-z0-9._-]*")

_OF_LINES: Final = frozenset({
    "blockquote", "br", "caption", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip


class Tidied(NamedTuple):
    """The note after this step.

    is_html: an element or a comment occurs in it; if not, `html` is not to be used: the note is plain text.
    needs_tree: something is left to do that only a tree can tell.
    dropped: how many elements did not stay, by kind.
    """

    html: str
    is_html: bool
    needs_tree: bool
    dropped: Counter[str]


def tidied(html: str) -> Tidied:
    """The note in HTML of our own writing."""
    return _Tidier(html).run()


class _Tidier:
    def __init__(self, html: str) -> None:
        self._html = html
        self._low = html.lower()
        self._has_ruby = "<ruby" in self._low
        self._has_drawing = "<svg" in self._low
        self._has_maths = "<math" in self._low
        self._out: list[str] = []
        self._is_html = False
        self._needs_tree = False
        self._dropped: Counter[str] = Counter()
        # What has no tag of its own: a gap between two words, and the number of an item, come before the next text.
        self._gap = False
        self._marker = ""
        self._after_space = True
        self._tables = 0
        self._drawings = 0
        self._open: Counter[str] = Counter()
        self._lists: list[ListOfItems] = []
        self._maths = Maths()
        self._kept: set[str] = set()
        self._never_ends: set[str] = set()
        self._own: set[str] = set()
        self._ends: frozenset[str] | None = None

    def run(self) -> Tidied:
        html, search, end = self._html, _TOKEN.search, 0
        while (token := search(html, end)) is not None:
            if token.start() > end:
                self._text(html[end : token.start()])
            end = self._token(token)
        self._text(html[end:])
        return Tidied("".join(self._out), self._is_html, self._needs_tree, self._dropped)

    def _token(self, token: re.Match[str]) -> int:
        """Write what stands for the token; where to go on."""
        name = token["name"]
        if name is None:
            return self._comment(token) if token["comment"] else self._sign(token)
        name = name.lower()
        if not self._is_element(name, token["attributes"]):
            self._text(escape(token[0], quote=False) if "&" not in token[0] else _without_tags(token[0]))
            return token.end()
        self._is_html = self._is_html or self._is_known(name)
        if token["end"]:
            self._end_tag(name)
            return token.end()
        self._dropped.update(kinds_of((name,)))
        if name in DROPPED_WITH_CONTENT or name in RAW_TEXTS:
            return self._raw(name, token)
        self._start_tag(name, token)
        return token.end()

    def _sign(self, token: re.Match[str]) -> int:
        if len(token[0]) == 1:
            self._text("&lt;")
        else:
            # A declaration, which shows nothing. Only those that a person would not type make a note HTML.
            self._is_html = self._is_html or token[0][:3] == "<![" or token[0][:9].lower() == "<!doctype"
        return token.end()

    def _comment(self, token: re.Match[str]) -> int:
        found = None if "!--" in self._never_ends else _COMMENT_END.search(self._html, token.start() + 2)
        if found is None:
            self._never_ends.add("!--")
            self._text("&lt;!--")
            return token.end()
        self._is_html = True
        return found.end()

    def _is_element(self, name: str, attributes: str) -> bool:
        """Whether a tag is one, and not an address, a price or a comparison that somebody typed."""
        if name in OF_RUBY and not self._has_ruby:
            return False
        if name in ELEMENTS:
            return not attributes or name in NEVER_WORDS or _is_plausible(attributes)
        if (self._has_drawing and name in DRAWINGS) or (self._has_maths and name in MATHS):
            return True
        if _LOCAL_NAME.fullmatch(name):
            return name.partition(":")[0] in OFFICE or self._ends_somewhere(name)
        if _CUSTOM_NAME.fullmatch(name):
            return self._has_values(attributes) or self._ends_somewhere(name)
        # An editor's own, as CKEditor's `oembed`; nobody types one with an attribute, its end included.
        if name.isalpha() and self._has_values(attributes) and self._ends_somewhere(name):
            self._own.add(name)
        return name in self._own

    @staticmethod
    def _is_known(name: str) -> bool:
        """Whether it makes a note HTML: HTML's element, Office's or a custom one. XML has any names."""
        known = name in ELEMENTS or name in DRAWINGS or name in MATHS or name.partition(":")[0] in OFFICE
        return known or _CUSTOM_NAME.fullmatch(name) is not None

    @staticmethod
    def _has_values(attributes: str) -> bool:
        return "=" in attributes and _is_plausible(attributes)

    def _ends_somewhere(self, name: str) -> bool:
        if self._ends is None:
            self._ends = frozenset(_END_NAME.findall(self._low))
        return name in self._ends

    def _text(self, text: str) -> None:
        if not text:
            return
        if self._gap:
            if not self._after_space and not text[0].isspace():
                self._out.append(" ")
            self._gap = False
        if self._marker and not text.isspace():
            self._out.append(self._marker)
            self._marker = ""
        self._out.append(text)
        self._after_space = text[-1].isspace()

    def _line(self, tag: str) -> None:
        """A tag before and after which there is no word to run into."""
        self._out.append(tag)
        self._gap, self._after_space = False, True

    def _apart(self, text: str = "") -> None:
        self._gap = True
        if text:
            self._text(text)
            self._gap = True

    def _start_tag(self, name: str, token: re.Match[str]) -> None:
        attributes = token["attributes"]
        if name in PICTURES:
            if attributes and not is_hidden(attributes):
                self._picture(attributes)
        elif name == "a":
            self._link(attributes)
        elif (name in MATHS and name not in ELEMENTS) or name == "math":
            self._math(self._maths.start(name, closed=attributes.rstrip().endswith("/")))
        elif name == "input" or name in {"progress", "meter"}:
            self._field(name, token)
        elif name in {"ol", "ul", "li"}:
            self._list_tag(name, token)
        elif name in OF_TABLES and not self._tables:
            self._stray(name)
        else:
            self._usual_tag(name, attributes, token.end())

    def _usual_tag(self, name: str, attributes: str, end: int) -> None:
        kept = RENAMED.get(name, name)
        noted = self._noted(name, attributes) if attributes else ""
        if kept not in ALLOWED_TAGS:
            if noted or name in self._kept:
                self._kept.add(name)
                self._out.append(f"<{name}{noted}>")
            elif name in APART or name in DRAWINGS:
                self._drawings += name == "svg"
                self._apart()
            return
        if name == "table":
            self._tables += 1
        if name != kept:
            self._open[name] += 1
        if name == "option" and "selected" in attributes.lower():
            self._marker = "[x] "
        tag = f"<{kept}{noted}>"
        if kept == "pre" and self._html[end : end + 1] not in ("\n", "\r"):
            tag += "\n"  # Parsers drop the first newline in it, and now it does not come first.
        if kept in _OF_LINES:
            self._line(tag)
        else:
            self._out.append(tag)

    def _noted(self, name: str, attributes: str) -> str:
        """The attributes that a tree is asked for later: hidden with all that is inside, or lines that are kept."""
        if is_hidden(attributes):
            self._needs_tree = True
            self._dropped[DROPPED_HIDDEN] += 1
            return " hidden"
        lines = keeps_lines(attributes) if name != "pre" else None
        if lines is None or name not in ALLOWED_TAGS:
            return ""
        self._needs_tree = self._needs_tree or lines
        return f' data-lines="{int(lines)}"'

    def _end_tag(self, name: str) -> None:
        kept = RENAMED.get(name, name)
        if name in {"ol", "ul", "li"}:
            self._list_end(name)
        elif (name in MATHS and name not in ELEMENTS) or name == "math":
            self._math(self._maths.end(name))
        elif name in OF_TABLES and not self._tables:
            self._stray_end(name)
        elif kept not in ALLOWED_TAGS:
            if name in self._kept:
                self._out.append(f"</{name}>")
            elif name in APART or name in DRAWINGS:
                self._drawings -= name == "svg" and self._drawings > 0
                self._apart()
        elif name == kept or self._open[name]:
            self._open[name] -= name != kept
            self._tables -= name == "table" and self._tables > 0
            if kept in _OF_LINES:
                self._line(f"</{kept}>")
            else:
                self._out.append(f"</{kept}>")

    def _stray(self, name: str) -> None:
        """A part of a table that is in none: parsers drop the tag, and the words of two cells would run together."""
        if name in CELLS:
            self._apart()
        else:
            self._open[name] += 1
            self._line("<div>")

    def _stray_end(self, name: str) -> None:
        if name in CELLS:
            self._apart()
        elif self._open[name]:
            self._open[name] -= 1
            self._line("</div>")

    def _link(self, attributes: str) -> None:
        found = attributes_of(attributes) if attributes else {}
        href = found.get("href")
        noted = self._noted("a", attributes) if attributes else ""
        if "data-user-id" in found:
            noted, self._needs_tree = noted + " data-user-id", True
        if href is None:
            self._out.append(f"<a{noted}>")
            return
        if not PLAIN_ADDRESS.fullmatch(href) or "edit_user" in href.lower():
            self._needs_tree = True
        address = href.replace('"', "&quot;").replace("<", "&lt;")
        self._out.append(f'<a href="{address}"{noted}>')

    def _picture(self, attributes: str) -> None:
        alt = unescape(attributes_of(attributes).get("alt", "")).strip()
        if any(map(str.isalnum, alt)):
            self._apart(escape(alt, quote=False))
        elif alt:
            self._text(escape(alt, quote=False))

    def _field(self, name: str, token: re.Match[str]) -> None:
        found = attributes_of(token["attributes"])
        if name == "input" and is_hidden(token["attributes"]):
            return
        if name == "input":
            self._apart(escape(shown_value(found), quote=False))
        elif self._low.startswith(f"</{name}", token.end()) and len(self._low) == len(self._html):
            self._apart(escape("/".join(unescape(found[key]) for key in ("value", "max") if key in found), quote=False))
        else:
            self._apart()

    def _math(self, written: str) -> None:
        if written == " ":
            self._apart()
        elif written:
            self._out.append(written)

    def _list_tag(self, name: str, token: re.Match[str]) -> None:
        if name == "li":
            self._item(token["attributes"])
            return
        items = list_of(name, token["attributes"], self._html, token.end())
        self._lists.append(items)
        noted = self._noted(name, token["attributes"]) if token["attributes"] else ""
        self._line(f"<{items.tag}{noted}>")

    def _item(self, attributes: str) -> None:
        noted = self._noted("li", attributes) if attributes else ""
        if not self._lists:
            self._line(f"<li{noted}>")
            return
        before, tag, self._marker = self._lists[-1].item(attributes)
        self._line(f"{before}<{tag}{noted}>")

    def _list_end(self, name: str) -> None:
        if name == "li":
            self._line(self._lists[-1].item_end() if self._lists else "</li>")
        elif self._lists:
            self._line(self._lists.pop().end())
        else:
            self._line(f"</{name}>")
        self._marker = ""

    def _raw(self, name: str, token: re.Match[str]) -> int:
        """An element in which there are no tags: where it ends."""
        closed = None
        if name not in self._never_ends and name != "plaintext":
            closed = _end_of(name).search(self._html, token.end())
        content = self._html[token.end() : closed.start() if closed else len(self._html)]
        if closed is None and name not in DROPPED_WITH_CONTENT and name != "plaintext":
            # Nobody closes it, and it would swallow the rest of the note.
            self._never_ends.add(name)
            self._apart()
            return token.end()
        if name == "title" and self._drawings:
            self._apart(content)  # what a drawing is called, in the place of it
        elif name == "title":
            self._dropped[DROPPED_HIDDEN] += 1
        elif name not in DROPPED_WITH_CONTENT and not is_hidden(token["attributes"]):
            self._raw_text(name, content)
        return closed.end() if closed else len(self._html)

    def _raw_text(self, name: str, content: str) -> None:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
        if name == "textarea":
            content = content.removeprefix("\n").replace("<", "&lt;").replace("\n", "<br>")
        else:
            content = content.replace("&", "&amp;").replace("<", "&lt;")
        if name in {"xmp", "plaintext"}:
            self._line("<pre>\n")
            self._text(content)
            self._line("</pre>")
        else:
            self._apart(content)


def _is_plausible(attributes: str) -> bool:
    """Whether what stands in a tag begins as attributes do; `5 jt` in `<Rp 5 jt>` and `dan` in `<b dan c>` do not."""
    first = _FIRST_ATTRIBUTE.match(attributes)
    if first is None or not first[1]:
        return not attributes.strip(" \t\n\r\f/")
    if first[2]:
        return _ATTRIBUTE_NAME.fullmatch(first[1]) is not None
    return first[1].lower() in BARE_ATTRIBUTES or _BARE_NAME.fullmatch(first[1]) is not None


def _without_tags(token: str) -> str:
    """A token that is text, in which references stay what they are."""
    return token.replace("<", "&lt;").replace(">", "&gt;")


@cache
def _end_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}(?=[ \t\n\r\f/>])[^<>]*>?", re.IGNORECASE | re.ASCII)
