"""What stays of a note, byte for byte or as pinned here, what goes, and how long it may be."""

import re
import subprocess
import sys
from html import escape
from typing import Any

import nh3
import pytest

from cdp_pipelines.domain.contact_notes.html import (
    LONGEST_NOTE,
    NoteTooLong,
    normalize_note,
    sanitize_note_html,
)
from cdp_pipelines.domain.contact_notes.html_names import DROPPED_WITH_CONTENT, OF_TABLES, PLAIN_TAGS
from cdp_pipelines_tests.support.note_oracle import ALLOWED, REL, problems, visible_text
from cdp_pipelines_tests.unit.corpora import load_corpus

CORPUS = load_corpus("xss.json")
REAL_NOTES = [
    "<p>Called <strong>Ann Lee</strong>, she wants the <em>new</em> offer before <u>Friday</u>.</p>",
    "<div>Meeting notes<br><br>1. Price<br>2. Term</div><div><br></div><div>Regards</div>",
    "<h3>Next steps</h3>\n<ol>\n<li>Send offer</li>\n<li>Call back <b>Monday</b></li>\n</ol>\n",
    "<ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul>",
    "<p>Dia minta diskon 10&nbsp;% &amp; gratis ongkir</p><p><br></p><blockquote><p>“Terlalu mahal”</p></blockquote>",
    "Plain first line\nsecond line\n\n<b>bold</b> after it",
    "<p>Emoji 😀, 中文, עברית, é, zero\u200bwidth, soft\u00adhyphen</p>",
    "<pre>code   with\n  spaces\n</pre><s>gone</s><span>kept</span>",
    "<li>an item without its list</li>",
    "Quotes \"double\" and 'single' in text, 100% sure; a=b; onclick=x",
    f'<p>See <a href="https://example.com/a?b=1&amp;c=2#d" rel="{REL}">this</a></p>',
    f'<a href="mailto:ann@example.com?subject=Hi%20there" rel="{REL}">mail</a>',
    f'<a href="HTTP://Example.COM/Path" rel="{REL}">upper case</a>',
    f'<a href="https://例え.jp/ü?q=ä" rel="{REL}">not ASCII</a>',
]


@pytest.mark.parametrize("row", CORPUS)
def test_nothing_of_the_corpus_stays_active(row: dict[str, Any]) -> None:
    cleaned = sanitize_note_html(row["payload"])
    assert problems(cleaned) == []
    assert sanitize_note_html(cleaned) == cleaned


@pytest.mark.parametrize("row", [row for row in CORPUS if not isinstance(row, dict) or row["kind"] == "benign"])
def test_benign_notes_of_the_corpus_keep_their_text_and_their_markup_where_it_is_allowed(row: dict[str, Any]) -> None:
    note = row["payload"]
    cleaned = sanitize_note_html(note)
    # A picture leaves its name.
    assert visible_text(cleaned) == visible_text(re.sub(r'<img [^>]*alt="([^"]*)"[^>]*>', r"\1", note))
    if not re.search(r"<(?:a|table|img)\b", note):
        assert cleaned == note


@pytest.mark.parametrize("note", REAL_NOTES)
def test_allowed_markup_stays_byte_for_byte(note: str) -> None:
    assert sanitize_note_html(note) == note


def test_every_allowed_tag_stays() -> None:
    placed = {"a", "br", "hr", "li", "ul", "ol", "dl", "dt", "dd", *OF_TABLES, "table"}
    blocks = "".join(f"<{tag}>{tag}</{tag}>" for tag in sorted(ALLOWED - placed))
    table = (
        "<table><caption>c</caption><thead><tr><th>h</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody>"
        "<tfoot><tr><td>3</td></tr></tfoot></table>"
    )
    lists = "<ul><li>x</li></ul><ol><li>y<br>z</li></ol><dl><dt>d</dt><dd>e</dd></dl><hr>"
    note = f'{blocks}{table}{lists}<a href="https://example.com/" rel="{REL}">a</a>'
    assert {match.lower() for match in re.findall(r"<(\w+)", note)} == ALLOWED
    assert sanitize_note_html(note) == note


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("one<br/>two<br />three</br>", "one<br>two<br>three<br>"),
        ("a\u00a0b", "a&nbsp;b"),
        ("&copy; &eacute; &quot;x&quot; &#39;y&#39; &lt;", "© é \"x\" 'y' &lt;"),
        ("R&D, 1 < 2 > 0", "R&amp;D, 1 &lt; 2 &gt; 0"),
        ("<P>upper</P><LI>x", "<p>upper</p><li>x</li>"),
        ("<p>one<p>two", "<p>one</p><p>two</p>"),
        ("<p><b>never closed", "<p><b>never closed</b></p>"),
        ("<p>a\r\nb\rc</p>", "<p>a\nb\nc</p>"),
        ("<pre>\nfirst newline of pre</pre>", "<pre>first newline of pre</pre>"),
        ("<pre>\n\nsecond newline of pre</pre>", "<pre>\n\nsecond newline of pre</pre>"),
        ("<!-- a comment -->text<!doctype x><?php y?>", "text"),
        ("<p style='color:red' class=x id=y data-z=1 title=t lang=en dir=rtl onclick=f()>text</p>", "<p>text</p>"),
        ("<script>alert(1)</script>a<style>b{}</style>c", "ac"),
        ("<font color=red>a</font><table><tr><td>b</td><td>c</td></tr></table><center>d</center>",
         "a<table><tbody><tr><td>b</td><td>c</td></tr></tbody></table><div>d</div>"),
        ("<textarea><b>typed</b></textarea>", "&lt;b&gt;typed&lt;/b&gt;"),
        ("<img src=x onerror=alert(1)>after", "after"),
        ("a\0b<b>c\0</b>", "ab<b>c</b>"),
        ("\ufeff" * 20 + "<b>x</b>", "<b>x</b>"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_changes_and_how(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://example.com/", "https://example.com/"),
        ("https://shop-1.example.com:8080/a?b=%20&amp;c", "https://shop-1.example.com:8080/a?b=%20&amp;c"),
        ("https://10.0.0.1/x", "https://10.0.0.1/x"),
        ("http://example.com", "http://example.com"),
        ("mailto:ann@example.com", "mailto:ann@example.com"),
        (" \n https://example.com/ \x01", "https://example.com/"),
        ("ht\ntp\t://exam\rple.com/", "http://example.com/"),
        ("http:\\\\example.com\\x", "http:\\\\example.com\\x"),
        ("http:/\\example.com", "http:/\\example.com"),
        ("https://example.com/?next=/users/1/edit", "https://example.com/?next=/users/1/edit"),
        ("//example.com", "https://example.com"),
        ("\t//example.com", "https://example.com"),
        ("www.example.com/x?a=1#b", "https://www.example.com/x?a=1#b"),
        ("WWW.Example.com", "https://WWW.Example.com"),
    ],
)  # fmt: skip
def test_addresses_that_stay(address: str, kept: str) -> None:
    cleaned = sanitize_note_html(f'<a href="{address}" target=_blank rel=opener>text</a>')
    assert cleaned == f'<a href="{kept}" rel="{REL}">text</a>'
    assert problems(cleaned) == []


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "\x01javascript:alert(1)",
        "java\0script:alert(1)", "data:text/html,x", "vbscript:x", "view-source:http://x", "blob:http://x/y", "#top",
        "", " ", "\u2028javascript:x", "javascript&colon;alert(1)", "&#106;avascript:alert(1)", "about:blank",
    ],
)  # fmt: skip
def test_of_a_link_that_runs_something_or_leads_nowhere_only_its_text_stays(address: str) -> None:
    assert sanitize_note_html(f'<p><a href="{address}">text</a></p>') == "<p>text</p>"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("tel:+628123456789", "+628123456789"),
        ("tel:%2B62%20812%203456", "+62 812 3456"),
        ("SMS:+62812", "+62812"),
        ("callto:budi", "budi"),
        ("whatsapp://send?phone=62812&amp;text=Halo", "whatsapp://send?phone=62812&amp;text=Halo"),
        ("file:///srv/penawaran.xlsx", "file:///srv/penawaran.xlsx"),
        ("ftp://example.com/x", "ftp://example.com/x"),
        ("/deals/5", "/deals/5"), ("deals/5", "deals/5"), ("?x=1", "?x=1"), ("shop.example/x", "shop.example/x"),
        ("\\\\server\\share", "\\\\server\\share"), ("/\\example.com", "/\\example.com"),
        ("http:deals", "http:deals"), ("https:/deals", "https:/deals"), ("https:\n/deals", "https:/deals"),
        ("https:", "https:"), ("http://", "http://"), ("http://a b/", "http://a b/"),
        ("https://10.0.0.999/x", "https://10.0.0.999/x"), ("https&#x3a;deals", "https:deals"),
        ("\u00a0https://example.com", "&nbsp;https://example.com"),
        ("tel:<b>", "&lt;b&gt;"),
    ],
)  # fmt: skip
def test_a_link_that_may_not_stay_tells_its_target(address: str, told: str) -> None:
    cleaned = sanitize_note_html(f'<p><a href="{address}">kantor</a> pusat</p>')
    assert cleaned == f"<p>kantor ({told}) pusat</p>"
    assert problems(cleaned) == []


@pytest.mark.parametrize(
    "link",
    [
        '<a href="tel:+628123456789">+62 812-3456-789</a>',
        '<a href="tel:+628123456789">Telp. 0812 3456 789</a>',
        '<a href="ftp://files.example/a%20b">ftp://files.example/a b</a>',
        '<a href="file://server/x/">server/x</a>',
        '<a href="tel:+62 21 2345 67">0212345 67</a>',
        '<a href="shop.example/x">Shop.example/x</a>',
        '<a href="tel:0215550123"><b>021</b>-<i>555</i>-0123</a>',
    ],
)
def test_a_target_that_the_text_holds_is_not_told_twice(link: str) -> None:
    assert visible_text(sanitize_note_html(link)) == visible_text(link)


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ('<a href="tel:+6281234567">081 234</a>', "081 234 (+6281234567)"),
        ('<a href="tel:+628123456789">8123456789</a>', "8123456789 (+628123456789)"),
        ('<a href="ftp://files.example/x">files</a>', "files (ftp://files.example/x)"),
        ('<a href="sms:123">123 456</a>', "123 456"),
        ('<a href="tel:budi-5">5</a>', "5 (budi-5)"),
    ],
)
def test_a_target_that_the_text_holds_only_in_part_is_told(link: str, text: str) -> None:
    assert visible_text(sanitize_note_html(link)) == text


def test_a_link_without_text_leaves_its_target() -> None:
    assert sanitize_note_html('<p>x <a href="tel:+62812"><img src="y.png"></a></p>') == "<p>x +62812</p>"
    assert sanitize_note_html('<p>x<a href="#y"></a></p>') == "<p>x</p>"


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ('5<a href="tel:0812"></a>6', "5 0812 6"),
        ('<b>5</b><a href="tel:0812"> </a><i>6</i>', "<b>5</b> 0812 <i>6</i>"),
        ('x <a href="sms:0812"></a>, y', "x 0812 , y"),
        ('<p>a</p><p><a href="tel:0812"></a></p>', "<p>a</p><p>0812</p>"),
        ('10<a href="#y"></a>5', "105"),
    ],
)
def test_the_target_of_a_link_without_text_stands_apart_from_the_words_beside_it(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned


def test_a_link_keeps_the_markup_of_its_text() -> None:
    assert sanitize_note_html('<a href="tel:123456"><b>Budi</b><br>kantor</a>') == "<b>Budi</b><br>kantor (123456)"


def test_what_only_looks_like_a_link_stays_text() -> None:
    note = escape('<a href="https:x">') + ' href="https:x" <b>x</b>'
    assert sanitize_note_html(note) == note.replace("&quot;", '"')


@pytest.mark.parametrize("name", sorted(PLAIN_TAGS - DROPPED_WITH_CONTENT))
def test_tags_that_need_no_step_before_nh3_lose_no_text_there(name: str) -> None:
    """A newer nh3 that drops more would show here."""
    tags = {"b"} - {name}
    assert "kept" in nh3.clean(f"<{name}>kept", tags=tags, clean_content_tags=set(DROPPED_WITH_CONTENT))


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("See <list> and <product> of <in>, <b>all</b> of it",
         "See &lt;list&gt; and &lt;product&gt; of &lt;in&gt;, <b>all</b> of it"),
        ("<svg><title>t</title><text>drawn</text></svg>z", "t drawn z"),
        ("<svg><foreignObject><p>x</p></foreignObject></svg>z", "<p>x</p>z"),
        ("<math><mi>x</mi><mo>=</mo><mn>1</mn></math>", "x=1"),
        ("<math><mi>x<p>y</math>z", "x<p>y z</p>"),
        ("use <template> A <b>or</b> <template>B C</template></template>", "use  A <b>or</b> B C"),
        ("<o:p>Word</o:p><st1:City>Jakarta</st1:City>", "WordJakarta"),
        ("<font><pre>\n\nx</pre></font>", "<pre>\n\nx</pre>"),
        ("<font><script>x</script>y<style>z</style></font>", "y"),
        ("<font><xmp><b>x</b></xmp></font>", "<pre>&lt;b&gt;x&lt;/b&gt;</pre>"),
        ("<noscript><p>x</p></noscript>", "<p>x</p>"),
        ("<b>x</b><plaintext>y<b>z", "<b>x</b><pre>y&lt;b&gt;z</pre>"),
    ],
)  # fmt: skip
def test_text_in_tags_that_nobody_knows_is_never_lost(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned


def test_what_no_document_could_hold_becomes_a_replacement_character() -> None:
    lone, joined = "\ud83d", "\ud83d" + "\ude00"
    assert sanitize_note_html(f"a{lone}b") == "a\ufffdb"
    assert sanitize_note_html(f"<b>{joined}{lone}</b>") == "<b>😀\ufffd</b>"
    assert sanitize_note_html(f'<a data-user-id="1">@{lone}</a>') == "@\ufffd"


def test_text_without_markup_is_what_the_parser_would_make_of_it() -> None:
    """The short cut for such text holds for every character there is."""
    special = {0, 0xA0, 0xFEFF, *b"<>&\n\r", *range(0xD800, 0xE000)}
    every = "".join(chr(code) for code in range(0x110000) if code not in special)
    assert nh3.clean(every, tags=set()) == every
    assert sanitize_note_html(every) == every
    for code in special - {*b"\n\r"}:
        assert sanitize_note_html(f"<b>x</b>a{chr(code)}b")[8:] == sanitize_note_html(f"a{chr(code)}b")


def test_length_counts_the_markup_and_nothing_is_cut() -> None:
    fits = f"<p>{'é' * (LONGEST_NOTE - 7)}</p>"
    assert len(fits) == 10_000
    assert normalize_note(fits) == fits
    assert normalize_note("x" * 10_000) == "x" * 10_000
    for too_long in ("x" * 10_001, fits.replace("</p>", "é</p>"), "&" * 2_001):
        with pytest.raises(NoteTooLong, match=r"^NOTE_TOO_LONG: .* 10,00[15] characters; at most 10,000 fit") as raised:
            normalize_note(too_long)
        assert raised.value.length == len(sanitize_note_html(too_long)) == raised.value.details["length"]
        assert raised.value.code == "NOTE_TOO_LONG"


def test_what_is_sanitized_away_does_not_count() -> None:
    assert normalize_note(f"<p><img src='data:image/png;base64,{'A/' * 100_000}'>short</p>") == "<p>short</p>"


def test_no_note_is_an_empty_one() -> None:
    assert normalize_note(None) == ""
    assert normalize_note("") == ""


def test_parsers_are_loaded_when_they_are_needed() -> None:
    """Every run is a process of its own."""
    code = (
        "import sys; import cdp_pipelines.domain.contact_notes.html as h; h.normalize_note('text');"
        "assert not {'nh3', 'selectolax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
