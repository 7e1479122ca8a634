"""Notes that are no HTML keep every sign and every line; in HTML, a tag whose name is no element's is text."""

import re
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.html import clean_note, sanitize_note_html
from cdp_pipelines.domain.contact_notes.html_plain import plain_note
from cdp_pipelines_tests.support.note_oracle import problems, visible_text

PLAIN = [
    "Support <support@example.com> replied",
    "From: Budi Santoso <budi@mitra.example>\nTo: \"Ani\" <ani@example.com>; <cs@example.com>\n\nHalo",
    "Budi <mailto:budi@mitra.example> menulis",
    "lihat <https://shop.example/a?x=1&y=2> atau <www.shop.example>",
    "Harga <Rp 5 jt, diskon >10%",
    "Harga <Rp 5 jt>, bukan <rp>, <rt 3>",
    "x<y and y<0",
    "a<b dan b>c, i<j & j>k, p<0.05, q <s 3> t",
    "jika a<b",
    "<a 5> <b 3, c> <p dan q> <u dan saya> <s di sini> <time jam 3> <data x y>",
    "https://shop.example/?id=5&copy=1&reg=2&para=3&not=4&amp=5",
    "R&D, AT&T, Q&A; a&&b &unknown; &; &#; &#x;",
    "<Nama>, <nama-pelanggan>, <NAMA PELANGGAN>, <no. telp>, <list>, <text>, <line 5>, <Catatan:penting>",
    "I <3 you, </3, <-- lihat, <== sini, <<awal>>, <>, < >, <1 jam, > 10%, 5 > 3 < 6",
    "<!penting> <?php echo 1; ?> <? <! </ </> <!-- tidak ditutup",
    "if (a < b && c > d) { x = \"<\" + y; }",
    "satu\ndua\r\ntiga\rempat\n\nlima",
    "10\t5\n  masuk dua  spasi",
]  # fmt: skip


@pytest.mark.parametrize("note", PLAIN)
def test_plain_text_is_escaped_whole_and_its_lines_end(note: str) -> None:
    cleaned = sanitize_note_html(note)
    lines = re.split("\r\n|\r|\n", note)
    assert cleaned == "<br>".join(escape(line, quote=False) for line in lines)
    assert [visible_text(line) for line in cleaned.split("<br>")] == lines
    assert problems(cleaned) == []
    assert sanitize_note_html(cleaned) == cleaned
    assert clean_note(note).dropped == ()


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("R&amp;D &lt;b&gt; &nbsp;&copy;2024 &eacute; &#39;x&#39; &#x1F600;", "R&amp;D &lt;b&gt; &nbsp;©2024 é 'x' 😀"),
        ("&amp;amp; &amp;lt;", "&amp;amp; &amp;lt;"),
        ("&notit; &Amp; &AMP;", "&amp;notit; &amp;Amp; &amp;"),
        ("a&#10;b&#13;c", "a<br>b<br>c"),
        ("&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"),
        ("\ufeffa\0b\xa0c", "ab&nbsp;c"),
    ],
)
def test_whole_references_in_plain_text_are_read(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned
    assert sanitize_note_html(cleaned) == cleaned


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from("<>&;=/! \"'\n\r\tabiRp5#x@.-"), max_size=60))
def test_whatever_is_no_html_shows_every_sign(note: str) -> None:
    cleaned = sanitize_note_html(note)
    assert sanitize_note_html(cleaned) == cleaned
    assert problems(cleaned) == []
    if not re.search(r"</?[abip](?![@.;&#5R])|<!--|<\?|&[#\w]+;", note, re.IGNORECASE):
        assert visible_text(cleaned.replace("<br>", "\n")) == re.sub("\r\n?", "\n", note)


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("<p>Support <support@example.com> replied</p>", "<p>Support &lt;support@example.com&gt; replied</p>"),
        ("<p>Harga <Rp 5 jt, diskon >10%</p>", "<p>Harga &lt;Rp 5 jt, diskon &gt;10%</p>"),
        ("<p>Harga <Rp 5 jt</p><p>besok</p>", "<p>Harga &lt;Rp 5 jt</p><p>besok</p>"),
        ("<b>a</b> x<y and y<0", "<b>a</b> x&lt;y and y&lt;0"),
        ("<div>a<b dan b>c</div>", "<div>a&lt;b dan b&gt;c</div>"),
        ("<p>dari <mailto:ani@example.com></p>", "<p>dari &lt;mailto:ani@example.com&gt;</p>"),
        ("<p><http://x.example/a></p>", "<p>&lt;http://x.example/a&gt;</p>"),
        ("<p><nama_depan> </nama_depan> <nama-depan></p>",
         "<p>&lt;nama_depan&gt; &lt;/nama_depan&gt; &lt;nama-depan&gt;</p>"),
        ("<p>I </3 you</p>", "<p>I &lt;/3 you</p>"),
        ("<p>a <!-- b</p>", "<p>a &lt;!-- b</p>"),
        ("<br>a <b", "<br>a &lt;b"),
        ("<p><a&b> &copy;</p>", "<p>&lt;a&amp;b&gt; ©</p>"),
        ("<p><text> dan <circle></p>", "<p>&lt;text&gt; dan &lt;circle&gt;</p>"),
        ("<svg><text>a</text><circle/></svg><p>b</p>", "a<p>b</p>"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>", "漢( kan )"),
        ("<x-chip>Budi</x-chip> <x-chip id=1>", "Budi "),
        ("<x-chip>Budi <y-chip id=1>", "&lt;x-chip&gt;Budi "),
        ("<p><oembed url='https://x.id'></oembed>a</p>", "<p>a</p>"),
        ("<p><oembed></oembed> <oembed url=x> <harga = 5> <stok=5></stok></p>",
         "<p>&lt;oembed&gt;&lt;/oembed&gt;  &lt;harga = 5&gt; &lt;stok=5&gt;&lt;/stok&gt;</p>"),
        ("<o:p>a</o:p><w:x/>b", "ab"),
        ("<!DOCTYPE html>a &copy b", "a © b"),
        ("<!-- x -->a\nb", "a b"),
        ("<![if !supportLists]>1.<![endif]> a\nb", "1. a b"),
        ("<td nowrap>a</td><p align=left compact>b</p><input checked type=checkbox>", "a<p>b</p>[x]"),
        ("<p _ngcontent-abc v-cloak>a</p><b ng:if>c</b>", "<p>a</p><b>c</b>"),
        ('<p title="a > b < c">d</p>', "<p>d</p>"),
        ("<p title='x>a</p><b class=\"y>c</b>", "<p>a</p><b>c</b>"),
    ],
)  # fmt: skip
def test_in_html_only_elements_are_tags(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned
    assert sanitize_note_html(cleaned) == cleaned


@pytest.mark.parametrize(
    "note",
    [
        '<?xml version="1.0"?><order id="5"><item>x</item></order>',
        '<order id="5">\n  <jumlah mata="IDR">5000</jumlah>\n</order>',
        '<soap:Envelope xmlns:soap="x"><soap:Body>5</soap:Body></soap:Envelope>',
        'isi <config env="prod">5</config> lalu kirim',
        '<Pelanggan nama="Budi"/> dan <Pelanggan nama="Ani"></Pelanggan>',
    ],
)
def test_a_piece_of_xml_is_plain_text(note: str) -> None:
    assert sanitize_note_html(note) == escape(note, quote=False).replace("\n", "<br>")


def test_an_editors_own_elements_go_where_there_is_html() -> None:
    assert sanitize_note_html('<p>a <oembed url="x">5</oembed></p>') == "<p>a 5</p>"
    assert sanitize_note_html('<oembed url="x"><b>5</b></oembed>') == "<b>5</b>"


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("1<menuitem>2</menuitem>3", "1<div>2</div>3"),
        ("1<multicol cols=2>2</multicol>3", "1<div>2</div>3"),
        ("1<isindex>2", "1 2"),
        ("<b>1</b><nextid n=z9>2", "<b>1</b>2"),
        ("1<selectedcontent>2</selectedcontent>", "12"),
    ],
)
def test_elements_that_few_have_seen_are_elements(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned


def test_a_note_is_plain_text_at_every_length() -> None:
    line = "Budi <budi@mitra.example> bayar <Rp 5 jt & lunas\n"
    assert sanitize_note_html(line * 3_000) == plain_note(line * 3_000)
