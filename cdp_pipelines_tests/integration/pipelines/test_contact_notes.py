"""The notes migration on real servers: outcomes, guards, halt, resume, dry run, cancel, replay, rollback, checks."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines.pipelines.contact_notes.checks import CHECKS
from cdp_pipelines.pipelines.migrations.replay import replay
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    BEFORE,
    Document,
    assert_adds_up,
    checks_of,
    failure_text,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes
from cdp_pipelines_tests.support.apis import RecordedApis


def assert_notes_add_up(job: Document) -> None:
    """Under the names of SPEC 6 as under the shared ones."""
    assert_adds_up(job)
    parts = job["notes_migrated"] + job["notes_skipped"] + job["out_of_scope_count"] + job["failure_count"]
    assert job["notes_processed"] == parts
    assert (job["notes_total"], job["notes_processed"]) == (job["records_total"], job["records_processed"])


def human_note(m: Notes, **changes: Any) -> Document:
    """As a person writes it in the CDP."""
    return {
        "company_sso_id": m.company, "contact_id": m.customer(1), "owner_id": "u", "content": "<b>mine</b>",
        "attachments": [], "created_at": datetime.now(UTC).replace(microsecond=0), "is_deleted": False, **changes,
    }  # fmt: skip


def test_every_kind_of_note_gets_its_outcome(notes: Notes) -> None:
    m = notes
    m.crm.user(m.cid, 7, "live@example.com", "Live User")
    m.crm.user(m.cid, 8, "gone@example.com", "Gone  User", deleted=True)
    m.crm.user(m.cid, 9, "stranger@unknown.example", "Stranger")
    m.fill(292)
    live = m.note(creator_id=7, note='<p style="x">Hi <a data-user-id="3" href="/users/3/edit_user">@Bob</a></p>')
    gone, stranger, unknown = m.note(creator_id=8), m.note(creator_id=9), m.note(creator_id=99)
    both = m.note(crm_person_id=2, crm_company_id=5, crm_deal_id=6, ticket_id=7, crm_note_type_id=6, updated_at=None)
    m.note(crm_note_type_id=2)
    m.note(crm_note_type_id=None)
    m.note(crm_person_id=None, crm_deal_id=6)
    m.note(deleted_at=BEFORE)
    checked_in = m.note()
    m.checkin(checked_in)
    unmapped, long, timeless = (
        m.note(crm_person_id=404),
        m.note(note="<p>" + "x" * 10_001),
        m.note(created_at="infinity"),
    )
    empty = m.note(note=None)
    result = m.run()
    assert result.success, failure_text(result)
    job = m.job()
    assert_notes_add_up(job)
    assert (job["status"], job["progress_pct"]) == ("completed_success", 100.0)
    assert (job["notes_total"], job["notes_migrated"], job["notes_skipped"]) == (306, 299, 1)
    assert (job["out_of_scope_count"], job["failure_count"], job["failure_rate"]) == (3, 3, round(3 / 306, 6))
    assert job["records_skipped"] == {"out_of_scope_type": 2, "not_a_person_note": 1, "deleted_in_crm": 1}
    assert [(row["id"], row["reason_code"]) for row in job["failed_rows"]] == [
        (str(unmapped), "CONTACT_NOT_MAPPED"), (str(long), "NOTE_TOO_LONG"), (str(timeless), "invalid_timestamp"),
    ]  # fmt: skip
    assert job["notes"] == {"owner_labeled": 2, "owner_unknown": 296, "checkin_dropped": 1}
    # 299 of 302 that must be there.
    assert (job["match_pct"], job["accuracy_pct"]) == (99.0, 100.0)
    found = {int(document["legacy_crm_note_id"]): document for document in m.notes()}
    assert found[live]["content"] == "<p>Hi @Bob</p>"
    assert found[live]["owner_id"]
    assert "legacy_owner_label" not in found[live]
    assert [(found[each]["owner_id"], found[each]["legacy_owner_label"]) for each in (gone, stranger, unknown)] == [
        ("", "Gone User"), ("", "Stranger"), ("", "[Legacy CRM User]"),
    ]  # fmt: skip
    assert found[both]["contact_id"] == m.customer(2)
    created = (BEFORE + timedelta(seconds=both)).replace(tzinfo=UTC)
    assert (found[both]["created_at"], found[both]["updated_at"]) == (created, created)
    assert found[live]["updated_at"] == (BEFORE + timedelta(minutes=live)).replace(tzinfo=UTC)
    assert found[empty]["content"] == ""
    # No tag that a reader sees, nothing of the CRM beyond its id.
    assert set(found[live]) == {
        "_id", "company_sso_id", "contact_id", "owner_id", "content", "attachments", "created_at", "updated_at",
        "is_deleted", "legacy_crm_note_id",
    }  # fmt: skip
    assert m.db["migration_failures"].count_documents({"job_id": job["_id"]}) == 3
    checks = checks_of(result)
    assert checks == {f"contact_notes.{check}": True for check in (
        "match_pct", "coverage_pct", "failure_rate", "no_duplicates", "degraded_people", "attachments",
    )} | {"crm_contact_coverage.coverage_pct": True}  # fmt: skip


def test_a_second_run_migrates_nothing_and_skips_all(notes: Notes) -> None:
    m = notes
    m.fill(25)
    assert m.run().success
    before = m.notes()
    refused = m.run()
    assert not refused.success
    assert "ALREADY_MIGRATED" in failure_text(refused)
    assert m.run(config={"force": True}).success
    job = m.job()
    assert_notes_add_up(job)
    assert (job["status"], job["notes_migrated"], job["notes_skipped"]) == ("completed_success", 0, 25)
    assert (job["match_pct"], m.notes()) == (100.0, before)


def test_what_others_wrote_stays_as_it_is(notes: Notes) -> None:
    m = notes
    m.fill(5)
    other, _ = m.add_company(people=2)
    theirs = {**human_note(m), "company_sso_id": other, "legacy_crm_note_id": "3"}
    m.db["contact_notes"].insert_many([human_note(m), human_note(m, contact_id="c" * 24), theirs])
    before = list(m.db["contact_notes"].find({}).sort("_id", 1))
    assert m.run().success
    ids = {document["_id"] for document in before}
    assert [found for found in m.db["contact_notes"].find({}).sort("_id", 1) if found["_id"] in ids] == before
    assert (len(m.notes()), m.job()["match_pct"]) == (5, 100.0)
    assert m.rollback().success
    assert list(m.db["contact_notes"].find({}).sort("_id", 1)) == before


def test_a_note_that_another_loader_wrote_is_there_already(notes: Notes) -> None:
    m = notes
    m.fill(3)
    m.db["contact_notes"].insert_one(human_note(m, legacy_crm_note_id="2"))
    assert m.run().success
    job = m.job()
    assert (job["notes_migrated"], job["notes_skipped"]) == (2, 1)
    # Its content is not the CRM's, which the comparison tells.
    assert job["reconciliation"]["ids"] == {"different": ["2"]}
    assert (job["status"], job["match_pct"]) == ("completed_with_errors", 66.66)


def test_over_one_percent_halts_after_the_page_and_starting_again_goes_on(
    notes: Notes, caplog: pytest.LogCaptureFixture, http_apis: RecordedApis
) -> None:
    m = notes
    m.fill(300, unreadable={3, 40, 140})
    request_id = m.request(options={"page_rows": 100})
    (run_request,) = m.tick()
    with caplog.at_level(logging.WARNING):
        result = m.run_requested(run_request)
    assert not result.success
    assert "2 of 100 rows failed (2.00%, the limit is 1%)" in failure_text(result)
    job, request = m.job(), m.the_request(request_id)
    assert_notes_add_up(job)
    assert (job["status"], job["notes_processed"], job["failure_rate"]) == ("halted", 100, 0.02)
    assert (request["status"], request["error"]["code"]) == ("halted", "MIGRATION_HALTED")
    assert f'"event": "crm_notes_migration_halted", "request_id": "{request_id}"' in caplog.text
    assert f'"job_id": "{job["_id"]}", "cid": {m.cid}, "failure_rate": 0.02}}' in caplog.text
    (alert,) = http_apis.requests(path="/alerts")
    assert "notes migration" in alert.body["text"]
    assert len(m.notes()) == 98
    assert "expires_at" in job
    # Ops looked into it, and go on: one failed row of the hundred that follow is within the limit.
    assert m.run().success
    job = m.job()
    assert_notes_add_up(job)
    assert (job["starts"], job["notes_processed"], job["failure_count"]) == (2, 300, 3)
    assert (job["taken_up"]["failed"], job["taken_up"]["arrived"]) == (2, 0)
    assert (job["status"], job["match_pct"], len(m.notes())) == ("completed_success", 99.0, 297)


def test_exactly_one_percent_does_not_halt(notes: Notes) -> None:
    m = notes
    m.fill(100, unreadable={7})
    assert m.run().success
    assert m.job()["failure_rate"] == 0.01


def test_a_match_below_its_threshold_is_completed_with_errors(notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    m = notes
    m.fill(50, unreadable={7})
    for _ in range(50):
        m.note(crm_note_type_id=3)
    request_id = m.request()
    (run_request,) = m.tick()
    assert run_request.run_key == f"contact_notes:{request_id}:attempt1"
    assert run_request.job_name == "contact_notes_migration"
    with caplog.at_level(logging.INFO):
        result = m.run_requested(run_request)
    assert result.success
    job, request = m.job(), m.the_request(request_id)
    assert (job["status"], job["match_pct"]) == ("completed_with_errors", 98.0)
    assert (request["status"], request["result"]["status"]) == ("completed_with_errors", "completed_with_errors")
    assert not checks_of(result)["contact_notes.match_pct"]
    assert '"event": "crm_notes_migration_completed"' in caplog.text
    # It may be started again as it is, and ends so again.
    assert m.run().success
    job = m.job()
    assert (job["starts"], job["notes_migrated"], job["failure_count"]) == (2, 49, 1)
    assert (job["notes_processed"], job["status"]) == (100, "completed_with_errors")


@pytest.mark.any_mongo
@pytest.mark.parametrize(
    ("code", "http_status"),
    [("FLAG_DISABLED", 403), ("contacts_not_migrated", 422), ("CID_NOT_FOUND", 404), ("JOB_ALREADY_RUNNING", 409)],
)
def test_start_guards(notes: Notes, code: str, http_status: int) -> None:
    m = notes
    company = m.company
    if code == "FLAG_DISABLED":
        m.db["companies"].update_one(
            {"_id": company}, {"$set": {"features": {"crm_activity_logs_migration_enabled": True}}}
        )
    elif code == "contacts_not_migrated":
        company, _ = m.add_company(people=100, contacts=98)
    elif code == "CID_NOT_FOUND":
        m.db["companies"].update_one({"_id": company}, {"$unset": {"cid": ""}})
    else:
        services = m.services()
        assert services.jobs.open_new(company, "another run", {"dry_run": False, "options": {}}, now=services.now())
    before = m.db["crm_notes_migration_jobs"].count_documents({})
    request_id = m.request(company_sso_id=company)
    assert m.tick() == []
    error = m.the_request(request_id)["error"]
    assert (error["code"], error["http_status"]) == (code, http_status)
    result = m.run(company=company)
    assert not result.success
    # The coverage asset comes first, and cannot be measured for a company without cid.
    assert code in failure_text(result)
    assert m.db["crm_notes_migration_jobs"].count_documents({}) == before
    assert m.db["contact_notes"].count_documents({}) == 0


def test_a_dry_run_reports_and_writes_nothing(notes: Notes) -> None:
    m = notes
    m.fill(120, unreadable={3})
    before = {name: list(m.db[name].find({})) for name in ("contact_notes", "migration_failures")}
    result = m.run(config={"dry_run": True})
    assert result.success
    job = m.job()
    assert_notes_add_up(job)
    assert (job["dry_run"], job["status"], job["notes_migrated"], job["failure_count"]) == (
        True, "completed_success", 119, 1,
    )  # fmt: skip
    assert {name: list(m.db[name].find({})) for name in before} == before
    assert [event for event in result.all_events if event.is_asset_observation]
    assert m.run().success
    assert len(m.notes()) == 119


def test_a_cancel_stops_within_a_page_and_what_is_migrated_stays(notes: Notes) -> None:
    m = notes
    m.fill(300)
    request_id = m.request(options={"page_rows": 50})
    (run_request,) = m.tick()

    def act(number: int) -> None:
        m.db["migration_requests"].update_one({"_id": request_id}, {"$set": {"cancel_requested": True}})

    config = {"request_id": str(request_id)}
    result = m.run(config=config, tags=run_request.tags, resource=m.at_insert(2, act))
    assert not result.success
    job = m.job()
    assert_notes_add_up(job)
    assert (job["status"], m.the_request(request_id)["status"]) == ("canceled", "canceled")
    assert job["notes_processed"] == len(m.notes()) == 100
    assert m.run().success
    assert (m.job()["notes_processed"], len(m.notes()), m.job()["match_pct"]) == (300, 300, 100.0)


def test_a_range_of_dates_is_what_is_asked_for(notes: Notes) -> None:
    m = notes
    old = m.note(created_at=datetime(2020, 1, 1))  # noqa: DTZ001
    m.fill(4)
    assert m.run(config={"date_range_start": "2024-01-01"}).success
    assert (m.job()["notes_total"], m.job()["match_pct"], len(m.notes())) == (4, 100.0, 4)
    assert m.run(config={"force": True}).success
    assert str(old) in {document["legacy_crm_note_id"] for document in m.notes()}


@pytest.mark.any_mongo
def test_the_types_in_scope_are_a_setting(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    m = notes
    m.note(crm_note_type_id=3)
    m.note()
    monkeypatch.setenv("CDP_CRM_NOTE_TYPES", "3, 4")
    assert m.run().success
    job = m.job()
    assert (job["note_types"], job["notes_migrated"], job["out_of_scope_count"]) == ([3, 4], 1, 1)
    monkeypatch.setenv("CDP_CRM_NOTE_TYPES", "some")
    refused = m.run(config={"force": True})
    assert "CDP_CRM_NOTE_TYPES must be ids of note types" in failure_text(refused)


def test_a_rollback_takes_out_what_was_migrated_once(notes: Notes) -> None:
    m = notes
    m.fill(30, unreadable=())
    assert m.run().success
    unconfirmed = m.run("contact_notes_rollback", config={"confirm": "something else"})
    assert "CONFIRMATION_REQUIRED" in failure_text(unconfirmed)
    assert len(m.notes()) == 30
    result = m.rollback()
    assert result.success
    job = m.job()
    assert (job["status"], job["records_rolled_back"], m.notes()) == ("rolled_back", 30, [])
    assert not checks_of(result)["contact_notes.match_pct"]
    assert m.rollback().success
    assert (m.job()["records_rolled_back"], m.notes()) == (30, [])
    assert m.run().success
    assert (m.job()["status"], len(m.notes())) == ("completed_success", 30)


def test_a_replay_moves_what_was_mended(notes: Notes) -> None:
    m = notes
    m.fill(250, unreadable={4})
    long = m.note(note="x" * 20_000)
    assert m.run().success
    assert m.job()["failure_count"] == 2
    m.contact(m.company, 404)
    m.crm.connection.execute("DELETE FROM crm_notes WHERE id = %s", (long,))
    found = replay(m.services(), m.company, "replay-1")
    assert (found.looked_at, found.migrated, found.still_failed, found.gone) == (2, 1, 0, 1)
    job = m.job()
    assert_notes_add_up(job)
    assert (job["status"], job["notes_migrated"], job["notes_skipped"], job["failure_count"]) == (
        "completed_success", 250, 1, 0,
    )  # fmt: skip
    assert (job["failed_rows"], job["match_pct"]) == ([], 100.0)
    assert m.db["migration_failures"].count_documents({}) == 0


def test_jobs_go_seven_days_after_they_ended(notes: Notes) -> None:
    m = notes
    m.fill(2)
    assert m.run().success
    job = m.job()
    assert job["expires_at"] - job["ended_at"] == timedelta(days=7)
    index = m.db["crm_notes_migration_jobs"].index_information()["ttl_expires_at"]
    assert (index["expireAfterSeconds"], index["key"]) == (0, [("expires_at", 1)])
    services = m.services()
    owned = services.jobs.reopen(job, "a run", {}, now=services.now())
    assert owned is not None
    assert "expires_at" not in m.job()


def test_a_job_that_is_gone_lets_the_company_start_again(notes: Notes) -> None:
    m = notes
    m.fill(3)
    assert m.run().success
    m.db["crm_notes_migration_jobs"].delete_many({})
    assert m.run().success
    assert (m.job()["notes_migrated"], m.job()["notes_skipped"], m.job()["status"]) == (0, 3, "completed_success")


def test_checks_say_what_a_later_look_finds(notes: Notes) -> None:
    m = notes
    m.fill(10)
    assert m.run().success
    m.db["contact_notes"].drop_index("uq_contact_notes_company_legacy_crm_note_id")
    job = m.db["crm_notes_migration_jobs"]
    job.update_one({"_id": m.job()["_id"]}, {"$set": {"match_pct": 42.0, "failure_rate": 0.5, "coverage_pct": 12.0}})
    before = m.job()
    result = m.run("contact_notes_checks")
    assert result.success
    # What the job once found is not repeated: everything is compared and measured again, and nothing written.
    assert checks_of(result) == {
        "contact_notes.match_pct": True, "contact_notes.coverage_pct": True, "contact_notes.failure_rate": False,
        "contact_notes.no_duplicates": False, "contact_notes.attachments": True, "contact_notes.degraded_people": True,
    }  # fmt: skip
    assert len(CHECKS) == 6
    assert m.job() == before
    for number in (1, 2, 3):
        m.db["contact_notes"].delete_one({"company_sso_id": m.company, "legacy_crm_note_id": str(number)})
    m.crm.person(m.cid, 900)
    result = m.run("contact_notes_checks")
    found = {check.check_name: check.metadata for check in result.get_asset_check_evaluations()}
    assert (found["match_pct"]["match_pct"].value, found["match_pct"]["missing"].value) == (70.0, 3)
    assert (found["coverage_pct"]["covered"].value, found["coverage_pct"]["crm_people"].value) == (2, 3)
    assert not checks_of(result)["contact_notes.match_pct"]
    assert m.job() == before
