"""Notes made to cost gigabytes, minutes or the stack: each still gives a short answer, and its text."""

import pytest

from cdp_pipelines.domain.contact_notes.html import sanitize_note_html
from cdp_pipelines.domain.contact_notes.html_limits import MOST_TAGS, bounded, plain_text
from cdp_pipelines_tests.support.note_oracle import problems, visible_text

FORMATS = "b i u s em strong big code font nobr small strike tt".split()  # noqa: SIM905
MENTION = '<a data-user-id="1">@Ann</a>'
N = 1_000
DEEP = MOST_TAGS - 10


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
    assert visible_text(cleaned).count("x") == bomb.count(">x")


@pytest.mark.parametrize("count", [DEEP, 100_000])
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
    "note",
    [
        pytest.param("<" * 1_000_000, id="signs of tags"),
        pytest.param("&" * 1_000_000, id="signs of entities"),
        pytest.param("<a " + "".join(f"x{n} " for n in range(300_000)) + ">", id="attributes of a link"),
        pytest.param("<b " + "".join(f"x{n} " for n in range(300_000)) + ">", id="attributes of another tag"),
        pytest.param("<b/" + "".join(f"x{n}/" for n in range(300_000)) + ">", id="attributes between slashes"),
        pytest.param("<b " + "".join(f"x{n}='<'" for n in range(300_000)) + ">", id="attributes with signs of tags"),
    ],
)
def test_what_a_parser_would_take_minutes_for_is_not_parsed(note: str) -> None:
    assert bounded(note) is None
    assert sanitize_note_html(note) == plain_text(note)


def test_a_picture_inside_a_note_does_not_cost_its_markup() -> None:
    picture = f'<img src="data:image/png;base64,{"iVBORw0KGgo/" * 400_000}" alt="x">'
    assert sanitize_note_html(f"<p>{MENTION}<b>before</b>{picture}after</p>") == "<p>@Ann<b>before</b>after</p>"


def test_a_long_honest_table_keeps_its_text_and_markup() -> None:
    row = '<tr class="r"><td style="width: 20px"><b style="color: red">x</b></td><td align=left><i>y</i></td></tr>'
    assert sanitize_note_html(f"<table>{row * 900}</table>") == "<b>x</b><i>y</i>" * 900


def test_attributes_that_mean_something_stay_in_a_note_of_many_tags() -> None:
    many = "<b>x</b>" * 300 + '<a class="y" href="https://example.com/">z</a>' + MENTION
    assert sanitize_note_html(many).endswith(
        '</b><a href="https://example.com/" rel="nofollow noopener noreferrer">z</a>@Ann'
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p> <b>b", "a b"),
        ("a<script>x<b>y</b></script>b<STYLE>z</STYLE>c", "abc"),
        ("a<style>never closed", "a"),
        ("1 < 2 &amp;&amp; 3 &gt; 2 &nbsp;&copy;", "1 &lt; 2 &amp;&amp; 3 &gt; 2 &nbsp;©"),
        ("<!-- c -->a<?x?><!doctype y>", "a"),
        ("&lt;script&gt;", "&lt;script&gt;"),
        ("&amp;lt;", "&amp;lt;"),
        ("\ufeffa\0\r\n&#13;&#10;b", "a\n\nb"),
        ("a <unclosed", "a &lt;unclosed"),
        ("<<b>>", "&lt;&gt;"),
    ],
)
def test_plain_text_of_what_is_not_parsed(html: str, text: str) -> None:
    assert plain_text(html) == text
    assert plain_text(text) == text
    assert sanitize_note_html(text) == text
    assert problems(text) == []
