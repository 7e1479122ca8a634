"""Hostile notes and addresses through the whole pipeline: what is in MongoDB afterwards runs nothing, nothing inside
was asked, and no note was lost for it.
"""

from typing import Any

import pytest

from cdp_pipelines_tests.integration.pipelines.notes_harness import PNG, Notes, files
from cdp_pipelines_tests.integration.resources.http_servers import recording_server
from cdp_pipelines_tests.support.browser import CHROMIUM, NO_CHROMIUM, chromium
from cdp_pipelines_tests.support.note_oracle import problems
from cdp_pipelines_tests.support.note_page import what_runs
from cdp_pipelines_tests.unit.corpora import load_corpus

pytestmark = pytest.mark.timeout(300)

XSS: list[dict[str, Any]] = [row for row in load_corpus("xss.json") if isinstance(row, dict)]
SSRF: list[dict[str, Any]] = [row for row in load_corpus("ssrf.json") if isinstance(row, dict)]


@pytest.mark.any_mongo
@pytest.mark.skipif(not XSS, reason="xss.json is not in shared/corpora beside the repository")
def test_nothing_of_the_corpus_is_active_in_what_is_stored(notes: Notes) -> None:
    m = notes
    for row in XSS:
        # PostgreSQL holds no NUL; the sanitizer's own tests have those.
        m.note(note=row["payload"].replace("\0", ""))
    assert m.run().success
    assert (m.job()["notes_migrated"], m.job()["match_pct"]) == (len(XSS), 100.0)
    contents = [document["content"] for document in m.notes()]
    assert [problems(content) for content in contents] == [[]] * len(XSS)


@pytest.mark.any_mongo
@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_migrated_notes_run_nothing_in_a_browser_with_scripts_on(notes: Notes) -> None:
    m = notes
    for row in XSS:
        m.note(note=row["payload"].replace("\0", ""))
    m.note(note="<script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>x</a>")
    m.note(note="<p onclick=alert(1)>By <b>me</b></p>")
    note = m.note()
    with recording_server(files({"/a.png": ("image/png", PNG)})) as server:
        name = '"><img src=x onerror=alert(1)>.png'
        m.file(note, f"{server.url}/a.png", file_name=name, content_type="image/png")
        assert m.run(resource=m.served_by(server)).success
    shown = [document["content"] for document in m.notes()]
    assert len(shown) == len(XSS) + 3
    with chromium() as browser:
        assert what_runs(browser, shown) == []


@pytest.mark.any_mongo
@pytest.mark.skipif(not SSRF, reason="ssrf.json is not in shared/corpora beside the repository")
def test_no_address_of_the_corpus_is_fetched_and_every_note_arrives(notes: Notes) -> None:
    m = notes
    blocked = [row for row in SSRF if row["expected"] == "block"]
    with recording_server(files({})) as server:
        for row in blocked:
            m.file(m.note(), row["url"].replace("\0", ""), content_type="image/png")
        assert m.run(resource=m.served_by(server)).success
        job = m.job()
        assert (job["status"], job["notes_migrated"], job["failure_count"]) == ("completed_success", len(blocked), 0)
        assert job["notes"]["attachments_failed"] == len(blocked)
        assert {row["reason_code"] for row in job["failed_parts"]} == {"ATTACHMENT_SSRF_BLOCKED"}
        assert all(document["attachments"] == [] for document in m.notes())
        assert server.asked == []
