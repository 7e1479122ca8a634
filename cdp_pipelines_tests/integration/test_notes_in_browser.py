"""Sanitized notes in a real browser with scripts on: nothing runs, nothing is fetched."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipelines.domain.contact_notes.html import sanitize_note_html
from cdp_pipelines_tests.support.browser import CHROMIUM, NO_CHROMIUM, chromium
from cdp_pipelines_tests.support.note_page import what_runs
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
