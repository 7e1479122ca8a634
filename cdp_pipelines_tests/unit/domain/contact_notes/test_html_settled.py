"""What is called settled stays as it is when nh3 reads it again: for trees of every shape, and for tag soup."""

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.html import sanitize_note_html
from cdp_pipelines.domain.contact_notes.html_names import ALLOWED_TAGS, DROPPED_WITH_CONTENT, OF_TABLES
from cdp_pipelines.domain.contact_notes.html_settled import is_clean, is_settled
from cdp_pipelines_tests.unit.domain.contact_notes.test_html_properties import soups

CLEANER = nh3.Cleaner(
    tags=set(ALLOWED_TAGS), clean_content_tags=set(DROPPED_WITH_CONTENT), attributes={"a": {"href"}, "*": set()},
    link_rel="nofollow noopener noreferrer",
)  # fmt: skip


@pytest.mark.parametrize(
    "note",
    [
        "", "plain", "a<br>b", "<p>a</p><p>b</p>", "<div><p>a</p><div>b</div></div>", "<b><p>a</p></b>",
        "<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>", "<h2>a</h2><blockquote><p>b</p></blockquote>",
        '<p><a href="https://x.example" rel="nofollow noopener noreferrer">x</a> <a rel="y">z</a></p>',
        "<span><b><i>deep <u>er</u></i></b></span>",
        "a<hr>b<sup>2</sup><q>c</q>", "<dl><dt>a</dt><dd>b</dd><dd><dl><dt>c</dt></dl></dd></dl>",
        "<table><tbody><tr><td>1</td> <td><p>2</p></td></tr>\n<tr><th></th></tr></tbody></table>",
        "<table><caption>c</caption><thead><tr><th>1</th></tr></thead><tbody></tbody><tfoot></tfoot></table>",
        "<table><tbody><tr><td><table><tbody><tr><td>x</td></tr></tbody></table> y</td></tr></tbody></table>z",
    ],
)  # fmt: skip
def test_usual_notes_are_settled(note: str) -> None:
    assert is_settled(note)


@pytest.mark.parametrize(
    "note",
    [
        "<p><p>a</p></p>", "<p><div>a</div></p>", "<p>a<ul></ul></p>", "<p><b><h1>x</h1></b></p>",
        "<h1><h2>a</h2></h1>", "<p><li>a</li></p>", "<p><blockquote>a</blockquote></p>",
        "<li>a<li>b</li></li>", "<ul><li><ul></ul><li>b</li></li></ul>", '<a href="x">a<a href="y">b</a></a>',
        "<p>a<hr></p>", "<p><table></table></p>", "<h1><dl></dl></h1>", "<dd>a<dd>b</dd></dd>",
        "<dl><dd><dt>b</dt></dd></dl>",
        "<table>x<tbody></tbody></table>", "<table><tbody><tr><td>1</td>x</tr></tbody></table>",
        "<table><tbody><tr><b>x</b></tr></tbody></table>", "<table><tr><td>1</td></tr></table>",
        "<table><tbody><td>1</td></tbody></table>", "<td>1</td>", "<tr></tr>", "<tbody></tbody>",
        "<caption>x</caption>",
        "<table><tbody><caption>x</caption></tbody></table>", "<div><td>1</td></div>",
        "<table><tbody><tr><td>1<td>2</td></td></tr></tbody></table>",
        "<table><table></table></table>", "<table><tbody><table></table></tbody></table>",
        "<pre>\nx</pre>", "a\rb", "<b>x</b>" * 300, "x" * 60_001,
    ],
)  # fmt: skip
def test_what_a_parser_may_read_differently_is_not(note: str) -> None:
    assert not is_settled(note)


_WORDS = st.sampled_from(["", "x", " ", "a &amp; b", "&lt;p&gt;", "\n", "&nbsp;", "é"])
_NAMES = sorted(ALLOWED_TAGS - {"a", "br", "hr"})
_TREES = st.recursive(
    st.one_of(_WORDS, st.sampled_from(["<br>", "<hr>"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(st.sampled_from(sorted(ALLOWED_TAGS - {"a", "br", "hr"})), inner).map(
            lambda each: "<{0}>{1}</{0}>".format(*each)
        ),
        inner.map(lambda each: f'<a href="https://x.example/?a=1&amp;b=2">{each}</a>'),
    ),
    max_leaves=12,
)


@settings(max_examples=1_500, deadline=None)
@given(st.one_of(_TREES, soups))
def test_settled_notes_stay(html: str) -> None:
    written = CLEANER.clean(html.encode("utf-8", "replace").decode()).lstrip("\ufeff")
    if is_settled(written):
        assert CLEANER.clean(written) == written


_BARE_TREES = st.recursive(
    st.one_of(_WORDS, st.sampled_from(["<br>", "<hr>"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(st.sampled_from(sorted(ALLOWED_TAGS - {"br", "hr"})), inner).map(
            lambda each: "<{0}>{1}</{0}>".format(*each)
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=2_000, deadline=None)
@given(st.one_of(_BARE_TREES, _TREES, soups))
def test_what_is_called_clean_is_what_nh3_would_write(html: str) -> None:
    if "<" in html and is_clean(html):
        assert CLEANER.clean(html) == html
        assert sanitize_note_html(html) == html


_ATTRIBUTES = st.sampled_from(
    ["", ' class="a b"', " x='1'", " id=y", ' style="color: red; margin:0"', ' title="&lt;b&gt;"']
)
_WITH_ATTRIBUTES = st.recursive(
    st.one_of(_WORDS, st.sampled_from(["<br>", '<br class="x">', "<hr/>", "<br />"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(st.sampled_from(sorted(ALLOWED_TAGS - {"a", "br", "hr", "ol", *OF_TABLES})), _ATTRIBUTES, inner).map(
            lambda each: "<{0}{1}>{2}</{0}>".format(*each)
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=1_500, deadline=None)
@given(_WITH_ATTRIBUTES)
def test_notes_whose_attributes_went_are_what_nh3_would_write(html: str) -> None:
    cleaned = CLEANER.clean(html)
    if "<" in cleaned and CLEANER.clean(cleaned) == cleaned and "<pre" not in html:
        assert sanitize_note_html(html) == cleaned


@pytest.mark.parametrize(
    "note",
    [
        "<div>Halo<br><br>Budi &amp; Ani</div>", "<ul><li>a<ul><li>b</li></ul></li></ul>", "x &lt; y<br>&nbsp;",
        "<h1>a</h1><blockquote><b>b</b></blockquote>", "<table><tbody><tr><td>1</td></tr></tbody></table>",
    ],
)  # fmt: skip
def test_notes_of_bare_tags_are_clean(note: str) -> None:
    assert is_clean(note)
    assert CLEANER.clean(note) == note


@pytest.mark.parametrize(
    "note",
    [
        "<b>x", "x</b>", "<b><i>x</b></i>", "</br>", "<br/>", "<B>x</B>", "<b >x</b>", "<b x>y</b>", "<a>x</a>",
        "a > b",
        "<pre>x</pre>", "a & b", "&copy;", "&quot;", "a\rb", "a\0b", "a\xa0b", "\ufeffa<br>", "<script>x</script>",
        "<!--x-->",
        "<p><p>x</p></p>", "<p><div>x</div></p>", "<font>x</font>", "<td>x</td>", "<b>x</b", "<b>x</b>" * 300, "<>",
        "</>",
    ],
)  # fmt: skip
def test_what_nh3_might_change_is_not_clean(note: str) -> None:
    assert not is_clean(note)
