"""What a person read in the CRM is what a person reads in the CDP: words, numbers and lines stay apart."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.html import NoteTooLong, clean_note, normalize_note, sanitize_note_html
from cdp_pipelines.domain.contact_notes.html_names import (
    APART,
    DROPPED,
    LINES,
    OF_RUBY,
    OF_TABLES,
    RAW_TEXTS,
    WITHIN,
)
from cdp_pipelines_tests.support.note_oracle import problems

FOUND: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "data" / "notes_that_fused.json").read_text(encoding="utf-8")
)


STANDING_APART = sorted((LINES | OF_TABLES | APART) - RAW_TEXTS - OF_RUBY - {"progress", "meter", "svg"})
WITHIN_A_LINE = sorted(WITHIN - OF_RUBY)


def words(html: str) -> list[str]:
    """The words that a person sees, where every tag of a line or a cell keeps two apart, and no other does."""
    apart = re.sub(r"</?(?:br|hr|p|div|li|ul|ol|d[ltd]|t[rdh]|table|tbody|caption|blockquote|pre|h\d)>", " ", html)
    return re.sub("<[^<>]*>", "", apart).split()


@pytest.mark.parametrize("found", FOUND, ids=lambda found: str(found["note"])[:40])
def test_words_that_had_run_together_are_apart(found: dict[str, Any]) -> None:
    cleaned = sanitize_note_html(found["note"])
    assert words(cleaned) == found["words"]
    assert problems(cleaned) == []
    assert sanitize_note_html(cleaned) == cleaned


@pytest.mark.parametrize("name", STANDING_APART)
@pytest.mark.parametrize(
    "note", ["1<{0}>2</{0}>3", "<p>1</p><{0} class='x'>2</{0}><{0}>3</{0}>", "<b>1<{0}>2</{0}>3</b>"]
)
def test_no_element_that_stands_apart_lets_words_run_together(name: str, note: str) -> None:
    if name in OF_TABLES:
        note = note.replace("{0}", name)
    assert words(sanitize_note_html(note.format(name))) == ["1", "2", "3"]


@pytest.mark.parametrize("name", WITHIN_A_LINE)
def test_elements_within_a_line_leave_nothing_in_their_place(name: str) -> None:
    assert words(sanitize_note_html(f"<b>te<{name}>b</{name}>al</b>")) == ["tebal"]


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("<strike>Rp 2.000.000</strike> Rp 1.500.000", "<s>Rp 2.000.000</s> Rp 1.500.000"),
        ("<STRIKE CLASS=x>lama</STRIKE>", "<s>lama</s>"),
        ("<menu><li>a</menu>", "<ul><li>a</li></ul>"),
        ("<listing>\na  b</listing>", "<pre>a  b</pre>"),
        ('Halo<img src="https://x.example/logo.png" alt="Logo Mitra">Budi', "Halo Logo Mitra Budi"),
        ('Oke<img data-emoji="😀" alt="😀" src="x">!', "Oke😀!"),
        ('a<img alt="&lt;b&gt; &amp; 5" src=x>', "a &lt;b&gt; &amp; 5"),
        ("a<img src=x>b<img alt='' src=x>c", "abc"),
        ("<p>x<image alt=Peta></p>", "<p>x Peta</p>"),
        ("<img alt=Pelacak hidden src=x><img alt=Pelacak style='display:none'>x", "x"),
        ("<input type=checkbox checked>Sudah bayar", "[x] Sudah bayar"),
        ("<label><input type='checkbox'/> Belum</label>", "[ ] Belum"),
        ("<input type=RADIO>A<input type=radio checked>B", "[ ] A [x] B"),
        ("Nama:<input value='Budi &amp; Ani'>.", "Nama: Budi &amp; Ani ."),
        ("<input type=hidden value=token><input type=password value=rahasia><input type=submit value=Kirim>", "Kirim"),
        ("<input type=image alt=Cari>", "Cari"),
        ("<input type=image>x<input type=file value=a><input type=color value=b><input type=range value=5>", "x"),
        ("<input value=a style='display:none'><input type=checkbox hidden>x", "x"),
        ("<textarea>a\r\nb\rc</textarea>", "a<br>b<br>c"),
        ("<iframe>a &amp; b</iframe>", "a &amp;amp; b"),
        ("<p>a <!--> b</p>", "<p>a  b</p>"),
        ("<p>a <!-- b --!> c</p>", "<p>a  c</p>"),
        ("<tr><td>1</td><tr><td>2</td></tr></tr></tr><b>x</b>", "<div>1<div>2</div></div><b>x</b>"),
        ("<section><section>a</section>b</section></section>c", "<div><div>a</div>b</div>c"),
        ("<progress value='7&lt;' max=9></progress>", "7&lt;/9"),
        ("<textarea>\nsatu\ndua &lt;x&gt;</textarea>", "satu<br>dua &lt;x&gt;"),
        ("<select><option>Baru<option selected>Lunas</select>", "<div>Baru<div>[x] Lunas</div></div>"),
        ("<progress value=70 max=100></progress>", "70/100"),
        ("<meter value=3>3 dari 5</meter>", "3 dari 5"),
        ("<title>Untitled</title><p>x</p>", "<p>x</p>"),
        ("<p>Isi <title> di sini", "<p>Isi  di sini</p>"),
        ("<iframe src=x>isi</iframe>b", "isi b"),
        ("<p>x</p><iframe src=x><p>y</p>", "<p>x</p><p>y</p>"),
        ("<video src=x>Unduh</video>b", "Unduh b"),
        ("<details><summary>Rincian</summary>Isi</details>", "<div><div>Rincian</div>Isi</div>"),
        ("<div style='display: none'>pratinjau</div><p>x</p>", "<p>x</p>"),
        ("<font style='DISPLAY:none !important'>a<font>b</font></font>c", "c"),
        ("<p hidden>a<b>b</b></p><p>c</p>", "<p>c</p>"),
        ("<span style='visibility:hidden'>a</span>b", "b"),
        ("<div style='overflow: hidden; border:none'>a</div>", "<div>a</div>"),
        ("<p style='display:block'>none</p>", "<p>none</p>"),
        ("<div style='white-space: pre-wrap'>satu\ndua <b>tiga\nempat</b></div>",
         "<div>satu<br>dua <b>tiga<br>empat</b></div>"),
        ("<div style='white-space:pre'>a\nb<p style='white-space:normal'>c\nd</p></div>",
         "<div>a<br>b<p>c\nd</p></div>"),
        ("<div style='white-space:nowrap'>a\nb</div>", "<div>a\nb</div>"),
        ("<pre style='white-space:pre-wrap'>a\nb</pre>", "<pre>a\nb</pre>"),
        ("<pre><!-- x -->\n\nb</pre>", "<pre>\n\n\nb</pre>"),
        ("</section>a</div>b<section>c</section></tr>d</strike>e", "ab<div>c</div>de"),
        ("<div>a</section>b</div>c", "<div>ab</div>c"),
        ("<tr><td>1<td>2</tr><tr><td>3</tr>", "<div>1 2</div><div>3</div>"),
        ("<table><tr><td>1</table><td>2<td>3", "<table><tbody><tr><td>1</td></tr></tbody></table>2 3"),
        ("<p>a</p><table><tr><td>1<table><tr><td>2</table></table>",
         "<p>a</p><table><tbody><tr><td>1<table><tbody><tr><td>2</td></tr></tbody></table></td></tr></tbody></table>"),
        ("<table><colgroup><col width=5></colgroup><tr><td colspan=2>a</table>",
         "<table><tbody><tr><td>a</td></tr></tbody></table>"),
        ("<a data-user-id=5>@Budi<table><tr><td>Santoso</td><td>PT</td></tr></table></a>", "@Budi<br>Santoso PT"),
        ("<a data-user-id=5><p>@Budi</p><p></p><p>Santoso</p></a>!", "@Budi<br>Santoso!"),
        ("<a data-user-id=5>@<section>Budi</section></a>", "@<br>Budi"),
        ("<a data-user-id=5><img alt='@Budi'></a>", "@Budi"),
    ],
)  # fmt: skip
def test_what_is_left_of_an_element(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned
    assert sanitize_note_html(cleaned) == cleaned


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("<ol start=5><li>a</li><li>b</li></ol>", "<div><div>5. a</div><div>6. b</div></div>"),
        ("<ol start=1 type=1><li>a</ol>", "<ol><li>a</li></ol>"),
        ("<ol type=a><li>x<li>y</ol>", "<div><div>a. x</div><div>b. y</div></div>"),
        ("<ol type=A start=27><li>x</ol>", "<div><div>AA. x</div></div>"),
        ("<ol type=i start=4><li>x</ol>", "<div><div>iv. x</div></div>"),
        ("<ol style='list-style-type: upper-roman' start=1990><li>x</ol>", "<div><div>MCMXC. x</div></div>"),
        ("<ol><li style='list-style-type:lower-alpha'>x</li></ol>", "<div><div>a. x</div></div>"),
        ("<ol style='list-style-type:decimal'><li>x</ol>", "<ol><li>x</li></ol>"),
        ("<ol style='list-style:none'><li>x</ol>", "<div><div>x</div></div>"),
        ("<ol style='list-style-type:disc'><li>x</ol>", "<ul><li>x</li></ul>"),
        ("<ol reversed><li>x<li>y<li>z</ol>", "<div><div>3. x</div><div>2. y</div><div>1. z</div></div>"),
        ("<ol reversed start=9><li>x<li>y</ol>", "<div><div>9. x</div><div>8. y</div></div>"),
        ("<ol><li>x<li value=7>y<li>z</ol>", "<div><div>1. x</div><div>7. y</div><div>8. z</div></div>"),
        ("<ol start=-1><li>x<li>y</ol>", "<div><div>-1. x</div><div>0. y</div></div>"),
        ("<ol start=x><li>x</ol>", "<ol><li>x</li></ol>"),
        ("<ol start=3><li><p>a</p><p>b</p></li></ol>", "<div><div><p>3. a</p><p>b</p></div></div>"),
        ("<ol start=3><li><b>a</b><ol><li>c</ol><li>d</ol>",
         "<div><div><b>3. a</b><ol><li>c</li></ol></div><div>4. d</div></div>"),
        ("<ol start=2><li></li><li>b</li></ol>", "<div><div></div><div>3. b</div></div>"),
        ("<ol start=2>x<li>a</ol></ol></li><li>c", "<div>x<div>2. a</div></div><li>c</li>"),
        ("<ol><li data-list=bullet>x<li data-list=bullet>y</ol>", "<ul><li>x</li><li>y</li></ul>"),
        ("<ol><li data-list=checked>x<li data-list=unchecked>y</ol>", "<ul><li>[x] x</li><li>[ ] y</li></ul>"),
        ("<ol><li data-list=ordered>x</ol>", "<ol><li>x</li></ol>"),
        ("<ul><li>x</ul><ol start=4><li>y</ol>", "<ul><li>x</li></ul><div><div>4. y</div></div>"),
    ],
)  # fmt: skip
def test_numbers_of_a_list_that_does_not_count_from_one_become_text(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned
    assert sanitize_note_html(cleaned) == cleaned


@pytest.mark.parametrize(
    ("note", "cleaned"),
    [
        ("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "1/2"),
        ("<math><msup><mn>10</mn><mn>6</mn></msup></math>", "10<sup>6</sup>"),
        ("<math><msub><mi>x</mi><mrow><mi>i</mi><mo>+</mo><mn>1</mn></mrow></msub><mo>=</mo><mn>5</mn></math>",
         "x<sub>i+1</sub>=5"),
        ("a<math><mtable><mtr><mtd>1</mtd><mtd>2</mtd></mtr><mtr><mtd>3</mtd></mtr></mtable></math>b", "a 1 2<br>3 b"),
        ("<math><mfrac><msup><mn>2</mn><mn>3</mn></msup><mn>4</mn></mfrac></math>", "2<sup>3</sup>/4"),
        ("<math><mspace/><mn>1</mn></math> <mn>", "1 "),
        ("<math><msup><msup><mn>2</mn><mn>3</mn></msup><mn>4</mn></msup></math>", "2<sup>3</sup><sup>4</sup>"),
        ("<math><mfrac><mrow><mn>1</mn></mrow><mfrac><mn>2</mn><mn>3</mn></mfrac></mfrac><mn>4</mn></math>", "1/2/34"),
        ("<math><msup><mn>2</mn></msup><mn>3</mn></math>", "23"),
        ("</math></mfrac><math><mn>1</math>2", "1 2"),
    ],
)  # fmt: skip
def test_numbers_of_a_formula_stay_apart(note: str, cleaned: str) -> None:
    assert sanitize_note_html(note) == cleaned


@pytest.mark.parametrize(
    ("note", "dropped"),
    [
        ("<p>x</p>", {}),
        ("<p>x</p><script>y</script><style>z</style>", {"dropped_scripts": 1, "dropped_styles": 1}),
        ("<font>x</font><o:p></o:p><FONT>y</FONT>", {"dropped_tags": 3}),
        ("<img src=x><IMG src=y><svg><g/></svg>", {"dropped_pictures": 3, "dropped_tags": 1}),
        ("<video></video><iframe></iframe><object></object>", {"dropped_media": 3}),
        ("<input><select></select><textarea></textarea><button>x</button>", {"dropped_fields": 4}),
        ("<a href='tel:5'>x</a><a href='/y'>z</a><a href='#'>t</a><a href='https://x.id'>u</a>", {"dropped_links": 2}),
        ("<a href='tel:5'>x</a><center>y</center>", {"dropped_links": 1, "dropped_tags": 1}),
        ("<p hidden>x</p><title>y</title>z<center>t</center>", {"dropped_hidden": 2, "dropped_tags": 2}),
        ("<p>x</p><a data-user-id=1>@y</a><font>z</font>", {"dropped_tags": 1}),
    ],
)  # fmt: skip
def test_what_went_is_counted_by_kind(note: str, dropped: dict[str, int]) -> None:
    assert Counter(clean_note(note).dropped) == dropped
    assert set(dropped) <= set(DROPPED)


def test_what_took_more_than_one_pass_is_counted_once() -> None:
    note = "<font><a href='https://x.example'>1<table><tr><td><a href='tel:123456'>2</a></td></tr></table></a></font>"
    assert Counter(clean_note(note).dropped) == {"dropped_tags": 1, "dropped_links": 1}


def test_honest_notes_beyond_a_bound_are_refused_not_flattened() -> None:
    assert normalize_note("<p>word</p>" * 240 + "<strong />" * 21).startswith("<p>word</p>" * 240)
    with pytest.raises(NoteTooLong):
        normalize_note("<p>l</p>" * 5_100)


_TEXT = "div p section center span font b strike h2 address fieldset legend blockquote pre o:p hr br q code sub label"
_PARTS = "table tr td th caption li ul ol dl dt dd video button select option svg math mfrac form"
_TAGS = [
    *_TEXT.split(), *_PARTS.split(), "ol start=5", "a href=tel:5", "a data-user-id=1", "a href=https://x.id",
    "img alt=x",
]  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from([*_TAGS, *(f"/{tag.split()[0]}" for tag in _TAGS)]), max_size=30))
def test_every_word_is_left_as_it_was_whatever_is_around_it(tags: list[str]) -> None:
    note = "".join(f"<{tag}>w{number}w " for number, tag in enumerate(tags))
    cleaned = sanitize_note_html(note)
    assert sanitize_note_html(cleaned) == cleaned
    assert problems(cleaned) == []
    shown = re.sub("<[^<>]*>", "", cleaned)
    assert sorted(re.findall(r"w\d+w", shown)) == sorted(f"w{number}w" for number in range(len(tags)))
