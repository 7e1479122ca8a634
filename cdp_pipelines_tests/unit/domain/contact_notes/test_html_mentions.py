"""Mentions of CRM users become their text, whatever they look like, and what is around them stays."""

import pytest

from cdp_pipelines.domain.contact_notes.html import sanitize_note_html
from cdp_pipelines_tests.support.note_oracle import REL

MENTIONS = [
    '<a data-user-id="123">@Ann</a>',
    "<a data-user-id>@Ann</a>",
    "<A DATA-USER-ID=5 HREF='https://example.com/'>@Ann</A>",
    '<a class="mention" data-user-id="5" href="/users/5/edit_user" style="color:red">@Ann</a>',
    '<a href="/users/123/edit_user">@Ann</a>',
    "<a href=/users/123/edit_user>@Ann</a>",
    '<a href="/users/6f9619ff-8b86-d011-b42d-00cf4fc964ff/edit_user">@Ann</a>',
    '<a href="users/123/edit_user">@Ann</a>',
    '<a href="/users/123/edit_user/">@Ann</a>',
    '<a href="/users/123/edit_user?tab=1&amp;x=2">@Ann</a>',
    '<a href="/users/123/edit_user#top">@Ann</a>',
    '<a href="https://crm.example.com/users/123/edit_user">@Ann</a>',
    '<a href="https://crm.example.com:8443/crm/users/123/edit_user?x">@Ann</a>',
    '<a href="//crm.example.com/users/123/edit_user">@Ann</a>',
    '<a href="https:/users/123/edit_user">@Ann</a>',
    '<a href="\\users\\123\\edit_user">@Ann</a>',
    '<a href=" \n/users/123/ed\tit_user ">@Ann</a>',
    '<a href="&#x2f;users&#47;123&sol;edit&lowbar;user">@Ann</a>',
    '<a href="/USERS/123/Edit_User">@Ann</a>',
    '<a data-user-id="1">@<b>An</b><i>n</i></a>',
    '<a data-user-id="1">@Ann<script>alert(1)</script><style>b{}</style><!-- x --></a>',
    '<a data-user-id="1"><svg><text>@Ann</text></svg></a>',
    '<template><a data-user-id="1" href="https://example.com/">@Ann</a></template>',
    '<small><a href="/users/1/edit_user">@Ann</a></small>',
]
NOT_MENTIONS = [
    "/users/123/edit",
    "/users/123/edit_user_rights",
    "/users/edit_user",
    "/users//edit_user",
    "/my_users/123/edit_user",
    "/deals/1?back=/users/123/edit_user",
    "#/users/123/edit_user",
    "/deals?a#b?/users/123/edit_user",
]


@pytest.mark.parametrize("mention", MENTIONS)
def test_a_mention_becomes_its_text(mention: str) -> None:
    assert sanitize_note_html(mention) == "@Ann"
    assert sanitize_note_html(f"<p>Ask {mention} <b>now</b></p>") == "<p>Ask @Ann <b>now</b></p>"


@pytest.mark.parametrize("address", NOT_MENTIONS)
def test_other_links_stay_links(address: str) -> None:
    told = "" if address.startswith("#") else f" ({address})"
    assert sanitize_note_html(f'<a href="{address}">x</a>') == f"x{told}"
    absolute = f"https://crm.example.com/{address.removeprefix('/')}"
    assert sanitize_note_html(f'<a href="{absolute}">x</a>') == f'<a href="{absolute}" rel="{REL}">x</a>'


def test_a_host_named_users_is_no_mention() -> None:
    note = f'<a href="https://users/1/edit_user" rel="{REL}">x</a>'
    assert sanitize_note_html(note) == note


def test_talk_about_mentions_is_none() -> None:
    note = f'data-user-id /users/1/edit_user <br> <a href="https://example.com/" rel="{REL}">edit_user</a>'
    assert sanitize_note_html(note) == note


@pytest.mark.parametrize(
    ("before", "after", "cleaned"),
    [
        ("text ", " text", "text @Ann text"),
        ("", "", "@Ann"),
        ("<li>one</li><li>", "</li>", "<li>one</li><li>@Ann</li>"),
        ("<td>x</td>", "", "x @Ann"),
        ("<table><tr><td>", "</td><td>y</td></tr></table>",
         "<table><tbody><tr><td>@Ann</td><td>y</td></tr></tbody></table>"),
        ("<ul><li><p>", "</p></li></ul>", "<ul><li><p>@Ann</p></li></ul>"),
        ("<pre>\n\n", "\n x</pre>", "<pre>\n\n@Ann\n x</pre>"),
        ("<pre>", "\n</pre>", "<pre>@Ann\n</pre>"),
        ("&lt;b&gt; &amp;nbsp; a&nbsp;b ", "", "&lt;b&gt; &amp;nbsp; a&nbsp;b @Ann"),
        ("<textarea>\n\n<b></textarea>", "", "<br>&lt;b&gt; @Ann"),
        ("<p>one<p>two ", "", "<p>one</p><p>two @Ann</p>"),
        ("<script>x</script>", "<style>y</style>", "@Ann"),
        ("</div>", "<br/>", "@Ann<br>"),
        ("<noscript>", "</noscript>", "@Ann"),
        ("", "<plaintext>y<b>z", "@Ann<pre>y&lt;b&gt;z</pre>"),
    ],
)  # fmt: skip
def test_what_is_around_a_mention_stays(before: str, after: str, cleaned: str) -> None:
    mention = '<a href="/users/1/edit_user" data-user-id="1">@Ann</a>'
    assert sanitize_note_html(before + mention + after) == cleaned


def test_a_mention_that_is_nothing_but_a_newline_in_pre() -> None:
    assert sanitize_note_html("<pre><a data-user-id=1></a>\nx</pre>") == "<pre>\n\nx</pre>"


def test_text_of_a_mention_never_becomes_markup() -> None:
    assert sanitize_note_html("<a data-user-id=1>&lt;img src=x&gt;</a>") == "&lt;img src=x&gt;"


def test_mentions_inside_mentions() -> None:
    note = "<a data-user-id=1>one<table><a data-user-id=2>two</a></table>three</a>four"
    assert sanitize_note_html(note) == "onetwothreefour"
    hidden = "<a data-user-id=1>one<svg><script><a data-user-id=2>two</a></script></svg></a>"
    assert sanitize_note_html(hidden) == "one"


def test_many_mentions() -> None:
    note = "<p>" + ", ".join(f'<a data-user-id="{n}">@U{n}</a>' for n in range(200)) + "</p>"
    assert sanitize_note_html(note) == "<p>" + ", ".join(f"@U{n}" for n in range(200)) + "</p>"
