"""Which HTML tags a note may keep, and which tags the sanitizer need not look at twice (SPEC section 6).

Names only. Not here: what is done with them (`html.py`, `html_tree.py`).
"""

from typing import Final

ALLOWED_TAGS: Final = frozenset({
    "a", "b", "i", "strong", "em", "u", "s", "span", "br", "div", "p", "ul", "ol", "li", "blockquote", "h1",
    "h2", "h3", "h4", "h5", "h6", "pre",
})  # fmt: skip
"""What stays in a note."""

DROPPED_WITH_CONTENT: Final = frozenset({"script", "style"})
"""What goes with everything inside; of all other tags the text stays."""

PLAIN_TAGS: Final = ALLOWED_TAGS | DROPPED_WITH_CONTENT | frozenset({
    "abbr", "acronym", "address", "applet", "area", "article", "aside", "audio", "base", "basefont", "bdi",
    "bdo", "big", "body", "button", "canvas", "caption", "center", "cite", "code", "col", "colgroup", "data",
    "datalist", "dd", "del", "details", "dfn", "dialog", "dir", "dl", "dt", "embed", "fieldset", "figcaption",
    "figure", "font", "footer", "form", "frame", "frameset", "head", "header", "hgroup", "hr", "html", "iframe",
    "img", "input", "ins", "kbd", "label", "legend", "link", "main", "map", "mark", "marquee", "menu", "meta",
    "meter", "nav", "nobr", "noembed", "noframes", "object", "optgroup", "option", "output", "param", "picture",
    "progress", "q", "rp", "rt", "ruby", "samp", "section", "select", "small", "source", "strike", "sub",
    "summary", "sup", "table", "tbody", "td", "textarea", "tfoot", "th", "thead", "time", "title", "tr",
    "track", "tt", "var", "video", "wbr", "xml", "xmp",
})  # fmt: skip
"""What nh3 handles as it should; notes with any other name take a step before it. Of SVG's and MathML's own names
(`text`, `list`, `in`, `product`) it drops the text too, so that a note with "<list>" typed in it would lose its rest;
it drops what is in a template, and shows the tags in a <noscript> as text."""
