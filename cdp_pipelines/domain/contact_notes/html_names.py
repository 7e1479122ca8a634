"""The names of HTML: which tags a note may keep, and what becomes of every other element (SPEC section 6).

Names only. Not here: what is done with them (`html.py`, `html_tokens.py`).
"""

from collections.abc import Iterable, Mapping
from typing import Final

ALLOWED_TAGS: Final = frozenset({
    "a", "b", "blockquote", "br", "caption", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "ins", "li", "ol", "p", "pre", "q", "s", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "u", "ul",
})  # fmt: skip
"""What stays in a note."""

DROPPED_WITH_CONTENT: Final = frozenset({"script", "style"})
"""What goes with everything inside; of all other tags the text stays."""

OF_TABLES: Final = frozenset({"caption", "tbody", "td", "tfoot", "th", "thead", "tr"})
CELLS: Final = frozenset({"td", "th"})

LINES: Final = frozenset({
    "address", "article", "aside", "center", "details", "dialog", "fieldset", "figcaption", "figure", "footer", "form",
    "frameset", "header", "hgroup", "legend", "main", "menuitem", "multicol", "nav", "optgroup", "option", "search",
    "section", "summary",
})  # fmt: skip
"""Elements that begin a line and end one: a `div` does the same in their place."""

RENAMED: Final[Mapping[str, str]] = {
    **dict.fromkeys(LINES, "div"),
    "dir": "ul", "listing": "pre", "menu": "ul", "strike": "s",
}  # fmt: skip
"""Elements for which the list has one that looks the same."""

APART: Final = frozenset({
    "applet", "audio", "button", "canvas", "datalist", "embed", "iframe", "isindex", "marquee", "meter", "object",
    "progress", "rt", "rtc", "select", "svg", "video",
})  # fmt: skip
"""Elements that stand apart from the words beside them: a space in their place."""

WITHIN: Final = frozenset({
    "abbr", "acronym", "area", "base", "basefont", "bdi", "bdo", "bgsound", "big", "blink", "body", "cite", "col",
    "colgroup", "data", "dfn", "font", "frame", "head", "html", "kbd", "keygen", "label", "link", "map", "mark", "meta",
    "nextid", "nobr", "noscript", "output", "param", "picture", "rb", "rp", "ruby", "samp", "selectedcontent", "slot",
    "small", "source", "spacer", "template", "time", "track", "tt", "var", "wbr", "xml",
})  # fmt: skip
"""Elements within a line, and such as show nothing: their tags go, and nothing is left in their place."""

RAW_TEXTS: Final = frozenset({"iframe", "noembed", "noframes", "plaintext", "textarea", "title", "xmp"})
"""Elements in which a parser sees no tags."""

PICTURES: Final = frozenset({"image", "img"})
MATHS: Final = frozenset({
    "annotation", "annotation-xml", "maction", "math", "menclose", "merror", "mfenced", "mfrac", "mglyph", "mi",
    "mmultiscripts", "mn", "mo", "mover", "mpadded", "mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace",
    "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover", "semantics",
})  # fmt: skip
DRAWINGS: Final = frozenset({
    "animate", "animatemotion", "animatetransform", "circle", "clippath", "defs", "desc", "ellipse", "filter",
    "foreignobject", "g", "image", "line", "lineargradient", "marker", "mask", "metadata", "mpath", "path", "pattern",
    "polygon", "polyline", "radialgradient", "rect", "set", "stop", "switch", "symbol", "text", "textpath", "tspan",
    "use", "view",
})  # fmt: skip
"""Elements of SVG, which are none outside it: somebody may well type `<text>` or `<line>`."""
OF_RUBY: Final = frozenset({"rb", "rp", "rt", "rtc"})
"""Elements only where there is a `ruby`: elsewhere `<Rp 5 jt` is a price."""

ELEMENTS: Final = (
    ALLOWED_TAGS | DROPPED_WITH_CONTENT | frozenset(RENAMED) | APART | WITHIN | RAW_TEXTS | PICTURES | {"input", "math"}
)
"""Every element that HTML has or had."""

NEVER_WORDS: Final = frozenset({
    "blockquote", "body", "br", "col", "colgroup", "div", "font", "h1", "h2", "h3", "h4", "h5", "h6", "head", "hr",
    "html", "iframe", "img", "input", "li", "meta", "ol", "pre", "script", "span", "strong", "style", "svg", "table",
    "tbody", "td", "textarea", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
"""Names that nobody types in angle brackets unless to write HTML: whatever follows in the tag is an attribute."""

BARE_ATTRIBUTES: Final = frozenset({
    "allowfullscreen", "async", "autofocus", "autoplay", "border", "checked", "compact", "contenteditable", "controls",
    "default", "defer", "disabled", "download", "draggable", "formnovalidate", "hidden", "inert", "ismap", "itemscope",
    "loop", "multiple", "muted", "nohref", "noresize", "noshade", "novalidate", "nowrap", "open", "playsinline",
    "popover", "readonly", "required", "reversed", "selected", "spellcheck", "translate",
})  # fmt: skip
"""Attributes that are written without a value."""

OFFICE: Final = frozenset({"dt", "g", "m", "o", "st1", "st2", "v", "w", "w10", "x"})
"""Namespaces of Office's own tags, as in `<o:p>`; no word in front of a colon that people type."""

NEEDS_NOTHING: Final = frozenset({
    "abbr", "acronym", "base", "bdi", "bdo", "big", "body", "cite", "col", "colgroup", "dfn", "font", "head", "html",
    "kbd", "link", "mark", "meta", "nobr", "o:p", "samp", "small", "tt", "var", "wbr",
})  # fmt: skip
"""Of the names within a line those that notes are full of: nh3 alone does with them what is to be done."""

PLAIN_TAGS: Final = ALLOWED_TAGS | DROPPED_WITH_CONTENT | NEEDS_NOTHING
"""What nh3 handles as it should; notes with any other name take a step before it."""

_KINDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("image", "img", "picture", "svg", "canvas"), "dropped_pictures"),
    **dict.fromkeys(("applet", "audio", "embed", "frame", "iframe", "object", "video"), "dropped_media"),
    **dict.fromkeys(("button", "input", "select", "textarea"), "dropped_fields"),
    "script": "dropped_scripts",
    "style": "dropped_styles",
}
DROPPED_HIDDEN: Final = "dropped_hidden"
DROPPED_LINKS: Final = "dropped_links"
DROPPED_TAGS: Final = "dropped_tags"
DROPPED: Final = (*sorted({*_KINDS.values(), DROPPED_HIDDEN, DROPPED_LINKS, DROPPED_TAGS}),)
"""What is counted on the job of what did not stay."""


def kinds_of(tags: Iterable[str]) -> tuple[str, ...]:
    """Under which names the elements are counted that did not stay, one for each; an end tag has its slash."""
    return tuple(_KINDS.get(tag, DROPPED_TAGS) for tag in tags if tag not in ALLOWED_TAGS and tag[0] != "/")
