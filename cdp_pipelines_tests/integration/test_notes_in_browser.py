"""Sanitized notes in a real browser with scripts on: nothing runs, nothing is fetched, and what was shown is shown."""

import re
from collections.abc import Iterator
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipelines.domain.contact_notes.html import sanitize_note_html
from cdp_pipelines_tests.support.browser import CHROMIUM, NO_CHROMIUM, chromium
from cdp_pipelines_tests.support.note_page import what_runs
from cdp_pipelines_tests.support.real_notes import RealNote, lines, real_notes, shown_texts, without
from cdp_pipelines_tests.unit.corpora import load_corpus

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)]

ATTACKS = {
    "<script>alert(1)</script>": "script: alert()",
    "<img src=x onerror=alert(1)>": "script: alert()",
    "<svg onload=alert(1)>": "script: alert()",
    "<p onmouseover=prompt(1)>x</p>": "script: prompt()",
    "<iframe srcdoc='<script>confirm(1)</script>'></iframe>": "script: confirm()",
    "<script>x=</script>": "error of a script: ",
    '<img src="https://elsewhere.invalid/x.png">': "request of https://elsewhere.invalid/x.png",
    "<style>@import 'https://elsewhere.invalid/x.css';</style>": "request of https://elsewhere.invalid/x.css",
    '<div style="background: url(https://elsewhere.invalid/y)">x</div>': "request of https://elsewhere.invalid/y",
    '<iframe src="https://elsewhere.invalid/z"></iframe>': "request of https://elsewhere.invalid/z",
    '<a href="java\nscript:alert(1)">x</a>': "<a>: link to javascript:",
    '<a href="https:deals">x</a>': "<a>: link to the page's own host",
    '<p onwheel="x()">x</p>': "<p>: onwheel",
}


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """One for the file, and for no longer: it occupies the event loop of its thread."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_page_tells_what_an_attack_does(browser: "Browser", attack: str) -> None:
    assert any(what.startswith(ATTACKS[attack]) for what in what_runs(browser, ["<p>before</p>", attack]))


def test_every_note_is_written_into_the_page_and_assigned_to_it(browser: "Browser") -> None:
    assert what_runs(browser, ["<img src=x onerror=alert(1)>"]).count("script: alert()") == 2


def test_nothing_of_the_corpus_runs_or_is_fetched(browser: "Browser") -> None:
    rows: list[dict[str, Any]] = [row for row in load_corpus("xss.json") if isinstance(row, dict)]
    if not rows:
        pytest.skip("xss.json is not in shared/corpora beside the repository")
    notes = [sanitize_note_html(row["payload"]) for row in rows]
    assert what_runs(browser, [*notes, *(sanitize_note_html(attack) for attack in ATTACKS)]) == []


@pytest.fixture(scope="module")
def shown(browser: "Browser") -> dict[str, tuple[str, str]]:
    """What a browser shows of each real note, before and after."""
    notes = [note.html for note in real_notes()]
    before, after = (shown_texts(browser, each) for each in (notes, [sanitize_note_html(note) for note in notes]))
    return dict(zip(notes, zip(before, after, strict=True), strict=True))


@pytest.mark.parametrize("note", real_notes(), ids=lambda note: f"{note.kind}: {note.what}")
def test_a_browser_shows_the_same_words_and_lines_as_before(note: RealNote, shown: dict[str, tuple[str, str]]) -> None:
    before, after = shown[note.html]
    if note.shown is not None:
        before = note.shown
    elif note.is_plain:
        before = re.sub(r"&\w+;", lambda reference: unescape(reference[0]), note.html)
    assert lines(without(after, note.added)) == lines(before)


def test_real_notes_do_nothing_in_a_browser(browser: "Browser") -> None:
    assert what_runs(browser, [sanitize_note_html(note.html) for note in real_notes()]) == []


def test_the_browser_tells_words_and_lines_that_were_lost(browser: "Browser") -> None:
    """The oracle itself: what it must notice, it notices."""
    pairs = [
        ("<table><tr><td>10</td><td>5</td></tr></table>", "105"),
        ("<section>a</section><section>b</section>", "a b"),
        ("<p>a<br>b</p>", "<p>a b</p>"),
        ("<dl><dt>Telp</dt><dd>021</dd></dl>", "Telp021"),
        ("<p hidden>x</p>y", "xy"),
    ]
    before, after = (shown_texts(browser, each) for each in zip(*pairs, strict=True))
    assert all(lines(one) != lines(other) for one, other in zip(before, after, strict=True))
