"""Notes made to cost gigabytes, minutes or the stack: each still gives a short answer, and its text."""

import re

import pytest

from cdp_pipelines.domain.contact_notes.html import (
    NoteRefused,
    NoteTooComplex,
    NoteTooLong,
    normalize_note,
    sanitize_note_html,
)
from cdp_pipelines.domain.contact_notes.html_limits import MOST_TAGS, plain_text
from cdp_pipelines_tests.support.note_oracle import problems, visible_text

FORMATS = "b i u s em strong big code font nobr small strike tt".split()  # noqa: SIM905
MENTION = '<a data-user-id="1">@Ann</a>'
N = 1_000
DEEP = 9_990


def differing(count: int, tag: str = '<b class="x{}">') -> str:
    """Formatting tags that are never closed and all differ: each paragraph after them would open every one anew."""
    return "<p>" + "".join(tag.format(n) for n in range(count)) + "<p>x" * count


@pytest.mark.parametrize("before", ["", MENTION, "<list>"], ids=["", "mention", "foreign"])
@pytest.mark.parametrize(
    "bomb",
    [
        *(pytest.param(differing(N, tag), id=tag) for tag in (
            '<b class="x{}">', "<B x{}>", "<i x='{}>'>", "<font/x{}>", '<u x{}="a"y>', "<tt x{}=>", '<em "{}">',
        )),
        pytest.param("<p>" + "".join(f"<{tag}>" for tag in FORMATS * 3) + "<p>x" * (DEEP - 40), id="all formats"),
        pytest.param("<a><b>" * (DEEP // 2), id="towers"),
        pytest.param("<i><p><b></i></p>" * (DEEP // 5), id="misnested"),
        pytest.param("<a href=http://x>x<table><tr><td>" * (DEEP // 4), id="links in tables in links"),
    ],
)  # fmt: skip
def test_a_small_note_never_becomes_a_large_one(before: str, bomb: str) -> None:
    cleaned = sanitize_note_html(before + bomb)
    assert len(cleaned) < 500_000
    assert sanitize_note_html(cleaned) == cleaned
    assert len(re.findall(r"x(?!\d)", visible_text(cleaned))) == bomb.count(">x")


@pytest.mark.parametrize("count", [DEEP, 2 * MOST_TAGS])
@pytest.mark.parametrize(
    "tag",
    ["<div>", "<x>", "<ul><li>", "<svg><desc>", "<math><mi>", "<table><td>", "<template>", "<a data-user-id=1><table>",
     "<pre>\n", "<!--", "<", "<noscript>", "</p>"],
)  # fmt: skip
def test_depth_breaks_nothing(tag: str, count: int) -> None:
    for before in ("", f"<list>{MENTION}"):
        cleaned = sanitize_note_html(before + tag * (count // tag.count("<")))
        assert sanitize_note_html(cleaned) == cleaned


@pytest.mark.parametrize(
    ("note", "code"),
    [
        pytest.param("<" * 200_000, "NOTE_TOO_COMPLEX", id="signs of tags"),
        pytest.param("&" * 200_000, "NOTE_TOO_LONG", id="signs of entities"),
        pytest.param("<b>x</b>" + "&" * 200_000, "NOTE_TOO_LONG", id="signs of entities in HTML"),
        pytest.param("<img>" * 100_000, "NOTE_TOO_COMPLEX", id="pictures"),
        pytest.param("<p>l</p>" * 20_000, "NOTE_TOO_LONG", id="paragraphs"),
        pytest.param("<a " + "".join(f"x{n} " for n in range(100_000)) + ">", "NOTE_TOO_LONG", id="attributes"),
        pytest.param("<p/" + "".join(f"x{n}/" for n in range(100_000)) + ">", "NOTE_TOO_LONG", id="between slashes"),
        pytest.param("<b " + "".join(f"x{n}='<'" for n in range(100_000)) + ">", "NOTE_TOO_COMPLEX", id="with tags"),
    ],
)
def test_what_a_parser_would_take_minutes_for_is_refused(note: str, code: str) -> None:
    with pytest.raises(NoteRefused, match=f"^{code}: ") as raised:
        normalize_note(note)
    assert raised.value.code == code
    assert sanitize_note_html(sanitize_note_html(note)) == sanitize_note_html(note)


def test_a_refusal_says_how_much_is_too_much() -> None:
    with pytest.raises(NoteTooComplex, match="has 20,001 tags; at most 20,000") as complex_note:
        normalize_note("<img>" * 20_001)
    assert complex_note.value.details == {}
    with pytest.raises(NoteTooLong, match="60,003 characters; at most 10,000") as long_note:
        normalize_note("<p>" * 20_001)
    assert long_note.value.length == 60_003
    with pytest.raises(NoteTooLong, match="20,001 characters"):
        normalize_note("<b>" + "&" * 20_001)


@pytest.mark.parametrize(
    "note",
    [
        "<p>word</p>" * 240 + "<strong />" * 21,
        "<p>line one</p>" * 251 + "<em class=>z</em>" * 21,
        "<p>baris</p>" * 300 + "<b class = 'x' style=\"color:red\">tebal</b>" * 30,
        "<p>baris</p>" * 300 + "<i\nclass=x\n>miring</i>" * 30,
        "<p>baris</p>" * 300 + "<font color=red><u title='a > b'>garis</u></font>" * 30,
        "<p>baris</p>" * 300 + "<code x y='1' z>kode</code>" * 30,
        "<p>baris</p>" * 300 + '<p style="x:y">a &amp; b / "c"</p>' * 20 + "<style>p { a: 'b' }</style>" * 900,
        "<p>baris</p>" * 300 + f"<!--[if gte mso 9]><xml>{'<w:LsdException Locked=' * 900}</xml><![endif]-->",
        "<p>baris</p>" * 300 + f'<p>x<img src="data:image/png;base64,{"iVBOR/w0 " * 30_000}"></p>',
    ],
    ids=["strong", "em", "b", "i", "font", "code", "styles", "office", "picture"],
)  # fmt: skip
def test_no_bound_changes_an_honest_note(note: str) -> None:
    cleaned = normalize_note(note)
    assert cleaned.count("<p>") == cleaned.count("</p>") == note.count("<p")
    assert problems(cleaned) == []
    assert sanitize_note_html(cleaned) == cleaned


def test_a_note_that_is_too_long_is_refused_for_its_length_not_flattened() -> None:
    with pytest.raises(NoteTooLong) as raised:
        normalize_note("<p>l</p>" * 5_100)
    assert raised.value.length == 40_800
    assert sanitize_note_html("<p>l</p>" * 5_100) == "<p>l</p>" * 5_100


def test_a_picture_inside_a_note_does_not_cost_its_markup() -> None:
    picture = f'<img src="data:image/png;base64,{"iVBORw0KGgo/" * 400_000}" alt="x">'
    assert sanitize_note_html(f"<p>{MENTION}<b>before</b>{picture}after</p>") == "<p>@Ann<b>before</b> x after</p>"


def test_a_long_honest_table_keeps_its_text_and_markup() -> None:
    row = '<tr class="r"><td style="width: 20px"><b style="color: red">x</b></td><td align=left><i>y</i></td></tr>'
    kept = "<tr><td><b>x</b></td><td><i>y</i></td></tr>"
    assert sanitize_note_html(f"<table>{row * 900}</table>") == f"<table><tbody>{kept * 900}</tbody></table>"


def test_attributes_that_mean_something_stay_in_a_note_of_many_tags() -> None:
    many = "<b>x</b>" * 300 + '<a class="y" href="https://example.com/">z</a>' + MENTION
    assert sanitize_note_html(many).endswith(
        '</b><a href="https://example.com/" rel="nofollow noopener noreferrer">z</a>@Ann'
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p> <b>b", " a  b"),
        ("a<script>x<b>y</b></script>b<STYLE>z</STYLE>c", "abc"),
        ("a<style>never closed", "a"),
        ("1 < 2 &amp;&amp; 3 &gt; 2 &nbsp;&copy;", "1 &lt; 2 &amp;&amp; 3 &gt; 2 &nbsp;©"),
        ("<!-- c -->a<?x?><!doctype y>", "a"),
        ("&lt;script&gt;", "&lt;script&gt;"),
        ("&amp;lt;", "&amp;lt;"),
        ("\ufeffa\0\r\n&#13;&#10;b", "a  b"),
        ("a <unclosed", "a &lt;unclosed"),
        ("<<b>>", "&lt;&gt;"),
    ],
)
def test_plain_text_of_what_is_not_parsed(html: str, text: str) -> None:
    assert plain_text(html) == text
    assert plain_text(text) == text
    assert sanitize_note_html(text) == text
    assert problems(text) == []
