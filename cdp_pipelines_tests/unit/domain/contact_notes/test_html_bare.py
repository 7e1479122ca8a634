"""The short way of a note comes to what nh3 comes to, or says that it is not sure."""

import pytest
from hypothesis import given, settings

from cdp_pipelines.domain.contact_notes.html import CleanNote, clean_note, sanitize_note_html
from cdp_pipelines.domain.contact_notes.html_bare import bare_note
from cdp_pipelines.domain.contact_notes.html_gate import gate
from cdp_pipelines_tests.unit.domain.contact_notes.test_html_properties import soups


@pytest.mark.parametrize(
    ("note", "bare"),
    [
        ('<div dir="ltr">a<br clear="all"></div>', "<div>a<br></div>"),
        ("<p style='margin:0'>a<o:p></o:p></p>", "<p>a</p>"),
        ('<!-- x --><style>p{}</style><p class="x">a</p>', "<p>a</p>"),
        ('<p><font color="red">a &quot;b&quot;</font>\xa0c\r\n</p>', '<p>a "b"&nbsp;c\n</p>'),
        ('<table border="1"><tbody><tr><td><font size="2">a</font></td></tr></tbody></table>',
         "<table><tbody><tr><td>a</td></tr></tbody></table>"),
        ("<p>a<img src=x onerror=\"f('x')\">b</p>", "<p>ab</p>"),
    ],
)  # fmt: skip
def test_is_written_as_nh3_writes_it(note: str, bare: str) -> None:
    found = bare_note(note)
    assert found is not None
    assert found[0] == bare == gate().clean(note)


def test_a_mention_becomes_its_text() -> None:
    note = '<p><a href="https://crm.example/users/5/edit_user">@A &amp; B</a> hi</p>'
    assert bare_note(note) == ("<p>@A &amp; B hi</p>", ())
    assert bare_note('<p><a data-user-id="5">@A</a></p>') == ("<p>@A</p>", ())


@pytest.mark.parametrize(
    "note",
    [
        "<p>a&nbsp<meta>;b</p>", "<b><p></b>a</p>", '<p hidden="">a</p>', '<p style="display:none">a</p>',
        '<p style="display&#58;none">a</p>', '<ol start="3"><li>a</li></ol>', '<ul><li data-list="checked">a</li></ul>',
        '<img alt="x"><p>a</p>', '<a href="https://x.example">x</a>', "<svg><style>a</style></svg>",
        '<a href="/users/1/edit_user"><b>x</b></a>', "<table><font>a</font><tbody></tbody></table>",
        "<div <!-- > x --> >a</div>", "<!--><p>a</p>-->", '<style title="a>b</style><p>a</p>', "<pre>a</pre>",
        "<style>a<!--</style><p>x</p>-->", "a < b", "<p>&copy;</p>", "<p>a</p x='1'>", f'<p title="{"x" * 400}">a</p>',
        "<script>f()</script><p>a</p>", "<noscript><p>a</p></noscript>", '<p>\ufeffa\0</p>',
    ],
)  # fmt: skip
def test_what_is_not_sure_goes_the_longer_way(note: str) -> None:
    assert bare_note(note) is None


def test_what_goes_is_counted_as_on_the_longer_way() -> None:
    note = "<font>a</font><img><wbr>b<img>"
    assert clean_note(note) == CleanNote("ab", ("dropped_tags", "dropped_tags", "dropped_pictures", "dropped_pictures"))


def test_line_ends_across_a_tag_that_goes_stay_two() -> None:
    assert sanitize_note_html("<p>a\r<wbr>\nb</p>") == "<p>a\n\nb</p>"


@given(soups)
@settings(max_examples=300)
def test_of_any_soup_nothing_is_left_to_do(soup: str) -> None:
    found = bare_note(soup)
    if found is not None:
        assert gate().clean(found[0]) == found[0] or "<" not in found[0]


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\f", "\r", '\tclass="a"\t', "/"])
@pytest.mark.parametrize("attribute", ['hidden=""', "hidden", "HIDDEN='x'"])
def test_what_is_hidden_goes_whatever_blank_stands_before_its_attribute(blank: str, attribute: str) -> None:
    assert sanitize_note_html(f"<p{blank}{attribute}>x</p>y") == "y"
