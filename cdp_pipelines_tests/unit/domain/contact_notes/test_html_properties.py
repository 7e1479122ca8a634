"""Soup of the tags that sanitizers have failed on: the result is safe, stays as it is, and has lost no word."""

import re
from itertools import count

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.html import sanitize_note_html
from cdp_pipelines.domain.contact_notes.html_limits import plain_text
from cdp_pipelines_tests.support.note_oracle import problems, visible_text

MANY = settings(max_examples=800, deadline=None)

_PAIRS = [
    "a", "b", "i", "u", "s", "p", "h1", "h6", "li", "ul", "ol", "pre", "div", "span", "blockquote", "strong",
    "em", "table", "tr", "td", "caption", "svg", "math", "mtext", "mi", "mglyph", "annotation-xml",
    "foreignObject", "desc", "text", "list", "in", "font", "nobr", "button", "applet", "object", "dl", "dd",
    "ruby", "rt", "o:p", "center", "th", "tbody", "thead", "tfoot", "dt", "sub", "sup", "del", "ins", "code", "q",
    "strike",
    "section", "select", "option", "label",
]  # fmt: skip
_LINKS = [
    '<a href="https://x.y/?a=1&amp;b=2">', '<a href="https:foo">', "<a href=javascript:alert(1)>",
    '<a href="ht\ntp://x">',
    '<a href="/users/1/edit_user">', '<a data-user-id="1">', "<a data-user-id>",
    '<a href=" mailto:a@b/users/1/edit_user">', "<a href=tel:5>", "<a href='//x.y'>", "<a href=www.x.y>",
    "<a href='/z'>",
]  # fmt: skip
HARMLESS = [
    *(f"<{name}>" for name in _PAIRS), *(f"</{name}>" for name in _PAIRS), *_LINKS,
    "<br>", "</br>", "<br/>", "<hr>", "<img src=x onerror=alert(1)>", "<image>", "<input>", "<body onload=x>",
    "</body>", "<html>", "</html>", "<head>", "</head>", "</p>", "<svg/>", "<b x=1>", "<b x=2>", "<i onclick=alert(1)>",
    '<annotation-xml encoding="text/html">', "<pre>\n", '<pre class="x">\n', "\n\n", "\r", "\r\n", " ", "&amp;", "&lt;",
    "<ol start=3>", "<li value=9>", "<p style='white-space:pre'>", "<div class=x>", "<img alt=y>",
    "<input type=checkbox>",
    "&nbsp;", "\xa0", "&#0;", "&#13;", "&#xD800;", "\0", "\ufeff", "\ud83d", "\ude00", "é", ">", '"', "'", "&",
]  # fmt: skip
HIDING = [
    "<style>", "</style>", "<script>", "</script>", "<noscript>", "</noscript>", "<template>", "</template>", "<form>",
    "</form>", "<select>", "</select>", "<option>", "<plaintext>", "<xmp>", "</xmp>", "<textarea>", "</textarea>",
    "<title>", "</title>", "<iframe>", "</iframe>", "<noembed>", "<frameset>", "<frame>", "<!--", "-->", "--!>",
    "<![CDATA[", "]]>", "<?x", "<!DOCTYPE", "<", "</", "/", "=", "-", "`", '<p title="', "<a title='",
    "</style><img src=x onerror=alert(1)>", "<p hidden>", "<b style='display:none'>", "<a <b", "<a@b.c>", "<Rp 5>",
    "</3", "<b 5",
    "<x-y>", "</x-y>", "<mailto:a@b>",
]  # fmt: skip

texts = st.text(st.characters(codec=None), max_size=4)
soups = st.lists(st.one_of(st.sampled_from(HARMLESS), st.sampled_from(HIDING), texts), max_size=40).map("".join)


def check(note: str) -> None:
    cleaned = sanitize_note_html(note)
    assert problems(cleaned) == []
    assert sanitize_note_html(cleaned) == cleaned
    cleaned.encode()


@MANY
@given(soups)
@example("<a href=http://a>x<table><a href=http://b>y</a></table></a>")
@example("<pre><!-- -->\n\nx")
@example("<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>")
@example("<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>")
def test_soup_becomes_safe_and_stays_as_it_is(note: str) -> None:
    check(note)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_becomes_safe_and_stays_as_it_is(note: str) -> None:
    check(note)
    if not re.search("[<>&\n\r\0\xa0\ufeff\ud800-\udfff]", note):
        assert sanitize_note_html(note) == note


@MANY
@given(st.lists(st.sampled_from(HARMLESS), max_size=40))
def test_no_word_is_lost(pieces: list[str]) -> None:
    number = count()
    note = "".join(f"{piece}w{next(number)};" for piece in pieces)
    shown = visible_text(sanitize_note_html(note))
    assert sorted(re.findall(r"w\d+;", shown)) == sorted(re.findall(r"w\d+;", note))


@MANY
@given(soups)
def test_the_way_out_is_safe_and_stays_as_it_is(note: str) -> None:
    text = plain_text(note.encode("utf-8", "replace").decode())
    assert "<" not in text
    assert plain_text(text) == text
    assert sanitize_note_html(text) == text
