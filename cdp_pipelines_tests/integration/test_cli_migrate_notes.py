"""`cdp migrate … contact-notes` on real servers; what every migration has in common is in `test_cli_migrate.py`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pymongo.database import Database

from cdp_pipelines_tests.integration.pipelines.notes_harness import PNG, Notes, files
from cdp_pipelines_tests.integration.resources.http_servers import recording_server
from cdp_pipelines_tests.integration.test_cli import Cdp

NOTES = "contact-notes"


@pytest.fixture
def site(
    environment: dict[str, str], migrated_db: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Notes]:
    """A company with two CRM people, and the environment that leads `cdp` to it."""
    monkeypatch.chdir(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Notes(environment, migrated_db, instance)
        monkeypatch.setenv("CDP_MONGO_DB", migrated_db.name)
        monkeypatch.setenv("CRM_AUDIT_DATABASE_URL", made.crm.dsn)
        yield made
        made.close()


@pytest.fixture
def cdp(site: Notes) -> Cdp:
    return Cdp()


def run_queue(site: Notes) -> None:
    """What the daemon does with the queue."""
    for request in site.tick():
        site.run_requested(request)


def status(cdp: Cdp, site: Notes) -> dict[str, Any]:
    (facts,) = cdp.json("migrate", "status", NOTES, "--company", site.company)
    assert isinstance(facts, dict)
    return facts


def test_start_status_watch_and_rollback(cdp: Cdp, site: Notes) -> None:
    m = site
    m.fill(30)
    m.note(crm_note_type_id=2)
    assert status(cdp, m)["status"] == "not_started"
    (request,) = cdp.json("migrate", "start", NOTES, "--company", m.company, "--requested-by", "ops-7")["requests"]
    assert m.the_request(request["request_id"])["kind"] == "contact_notes"
    run_queue(m)
    facts = status(cdp, m)
    assert (facts["status"], facts["records_migrated"], facts["match_pct"]) == ("completed_success", 30, 100.0)
    assert facts["records_skipped"] == {"out_of_scope_type": 1}
    shown = cdp("migrate", "watch", NOTES, "--request", request["request_id"])
    assert shown.exit_code == 0
    assert "completed_success" in shown.stdout
    assert "out_of_scope_type" in shown.stdout
    again = cdp("migrate", "start", NOTES, "--company", m.company)
    assert again.exit_code == 2
    assert "ALREADY_MIGRATED (409)" in again.stderr
    left_out = cdp.json("migrate", "start", NOTES, "--all-companies")["left_out"]
    assert [each["code"] for each in left_out] == ["ALREADY_MIGRATED"]
    cdp("migrate", "rollback", NOTES, "--company", m.company, "--confirm", m.company)
    run_queue(m)
    assert (status(cdp, m)["status"], m.notes()) == ("rolled_back", [])


def test_a_halt_shows_why_and_the_quarantine(cdp: Cdp, site: Notes) -> None:
    m = site
    m.fill(120, unreadable={3, 4})
    cdp("migrate", "start", NOTES, "--company", m.company)
    run_queue(m)
    shown = cdp("migrate", "status", NOTES, "--company", m.company).stdout
    assert "halted" in shown
    assert "MIGRATION_HALTED: 2 of 120 rows failed (1.67%, the limit is 1%)" in " ".join(shown.split())
    assert "CONTACT_NOT_MAPPED" in shown
    rows = cdp.json("migrate", "replay", NOTES, "--company", m.company, "--list", "--evidence")
    assert [(row["source_id"], row["reason_code"]) for row in rows] == [
        ("4", "CONTACT_NOT_MAPPED"), ("5", "CONTACT_NOT_MAPPED"),
    ]  # fmt: skip
    assert rows[0]["evidence"]["note"] == "<p>Note 4</p>"
    refused = cdp("migrate", "replay", NOTES, "--company", m.company)
    assert (refused.exit_code, "NOT_FINISHED" in refused.stderr) == (2, True)


def test_a_replay_fetches_files_again_and_says_so(cdp: Cdp, site: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    m = site
    contents: dict[str, tuple[str, bytes]] = {}
    with recording_server(files(contents)) as server:
        monkeypatch.setenv("CDP_ATTACHMENT_TRUSTED_HOSTS", server.url.removeprefix("http://"))
        m.file(m.note(), f"{server.url}/a.png", content_type="image/png")
        assert m.run(resource=m.served_by(server)).success
        assert m.job()["notes"]["attachments_failed"] == 1
        contents["/a.png"] = ("image/png", PNG)
        shown = cdp("migrate", "replay", NOTES, "--company", m.company)
    assert shown.exit_code == 0, shown.stderr
    text = " ".join(shown.stdout.split())
    assert "files looked at 1 files still failed 0 status completed_success" in text
    (document,) = m.notes()
    assert document["attachments"][0]["file_size_in_byte"] == len(PNG)
    assert server.url not in json.dumps(document["attachments"])
