"""The activity-log migration on real servers: outcomes, guards, resume, halt, dry run, cancel, checks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from cdp_pipelines.pipelines.activity_logs.checks import CHECKS
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    AFTER,
    BEFORE,
    SYNCED,
    Migrations,
    assert_adds_up,
    checks_of,
    failure_text,
)
from cdp_pipelines_tests.support.apis import RecordedApis


def test_every_kind_of_row_gets_its_outcome(migrations: Migrations) -> None:
    m = migrations
    m.crm.user(m.cid, 7, "live@example.com", "Live User")
    m.crm.user(m.cid, 8, "gone@example.com", "Gone User", deleted=True)
    m.crm.entity("crm_deals", m.cid, 5, "Big deal")
    update = m.crm.audit(m.cid, user_id=7, user_type="User")
    m.crm.audit(m.cid, user_id=8, user_type="User")
    m.crm.audit(m.cid, user_id=99, user_type="User")
    m.crm.audit(m.cid, user_id=7, user_type="AdminUser")
    created = m.crm.audit(m.cid, action="create", comment=None, audited_changes="---\nname: N\ncrm_person_id: 2\n")
    destroyed = m.crm.audit(m.cid, action="destroy", audited_changes="---\nname: N\n")
    linked = m.crm.audit(
        m.cid, auditable_type="Crm::PeopleDeal", action="create", comment="said by a person",
        audited_changes="---\ncrm_person_id: 1\ncrm_deal_id: 5\n",
    )  # fmt: skip
    resolved = m.crm.audit(
        m.cid, auditable_type="Ticket", audited_changes="---\nticket_status_id:\n- 1\n- 4\n", auditable_id=33
    )
    moved = m.crm.audit(m.cid, audited_changes="---\ncrm_stage_id:\n- 1\n- 2\n")
    empty = m.crm.audit(m.cid, audited_changes="--- {}\n")
    m.crm.audit(m.cid, auditable_type="Crm::Pipeline")
    m.crm.audit(m.cid, action="touch")
    m.crm.audit(m.cid, comment='{"crm_person_id": 404}')
    m.crm.audit(m.cid, comment=None, audited_changes="---\nname: x\n", action="create")
    m.crm.audit(m.cid, created_at=AFTER)
    m.crm.audit(m.cid, created_at=SYNCED.replace(tzinfo=None))
    m.crm.audit(m.cid, audited_changes="---\nname:\n\t- a\n")
    m.crm.audit(m.cid, created_at=None)
    m.crm.audit(m.cid, created_at="infinity")
    m.fill(21)
    result = m.run()
    assert result.success
    job = m.job()
    assert_adds_up(job)
    assert job["status"] == "completed_with_errors"
    assert job["records_total"] == job["records_processed"] == 40
    assert job["records_migrated"] == 31
    assert job["records_skipped"] == {
        "unmapped_action_type": 2, "contact_not_found": 2, "post_sync_live_feed": 2,
    }  # fmt: skip
    assert sorted(row["reason_code"] for row in job["failed_rows"]) == [
        "invalid_timestamp", "invalid_timestamp", "unreadable_changes",
    ]  # fmt: skip
    assert job["notes"] == {"actor_deleted": 1, "actor_unresolved": 2, "unmapped_refinement": 1}
    assert job["progress_pct"] == 100.0
    assert job["match_pct"] == 91.17
    assert job["accuracy_pct"] == 100.0
    documents = {int(document["external_id"].split(":")[1]): document for document in m.logs()}
    first = documents[update]
    assert first["actor"]["name"] == "Live User"
    assert first["actor"]["id"]
    assert first["attributes"] == [{"field": "Name", "from": "Old", "to": "New"}]
    assert first["timestamp"] == (BEFORE + timedelta(seconds=update)).replace(tzinfo=UTC)
    assert first["customer_id"] == m.customer(1)
    assert first["source"] == first["source_tag"] == "crm_migration"
    assert first["metadata"] == {
        "crm_person_id": "1", "entity_type": "deal", "entity_id": "5", "entity_name": "New",
    }  # fmt: skip
    assert [documents[update + step]["actor"] for step in (1, 2, 3)] == [{"id": "", "name": "[Deleted CRM User]"}] * 3
    assert documents[created]["actor"] == {"id": "", "name": "Qontak System"}
    assert documents[created]["customer_id"] == m.customer(2)
    assert (documents[created]["action"], documents[destroyed]["action"]) == ("create", "delete")
    assert documents[destroyed]["attributes"] == [{"field": "Name", "from": "N", "to": None}]
    assert (documents[linked]["category"], documents[linked]["action"]) == ("deal", "link")
    assert documents[linked]["metadata"]["entity_name"] == "Big deal"
    assert (documents[resolved]["category"], documents[resolved]["action"]) == ("ticket", "resolved")
    assert documents[resolved]["metadata"]["entity_name"] == "[Deleted reference]"
    assert documents[moved]["action"] == "update"
    assert documents[empty]["attributes"] == []
    assert m.db["migration_failures"].count_documents({"job_id": job["_id"]}) == 3


def test_a_second_run_writes_nothing_and_changes_nothing(migrations: Migrations) -> None:
    m = migrations
    m.fill(25)
    assert m.run().success
    before = m.logs()
    assert m.job()["status"] == "completed"
    refused = m.run()
    assert not refused.success
    assert "ALREADY_COMPLETED" in failure_text(refused)
    assert m.run(config={"force": True}).success
    job = m.job()
    assert job["records_migrated"] == 0
    assert job["records_skipped"] == {"duplicate_external_id": 25}
    assert job["match_pct"] == 100.0
    assert job["enrichment"]["counts"].get("enriched", 0) == 0
    assert m.logs() == before


def test_a_clean_company_passes_all_checks_with_numbers(migrations: Migrations) -> None:
    m = migrations
    m.fill(12)
    result = m.run()
    assert result.success
    assert checks_of(result) == {
        "crm_contact_coverage.coverage_pct": True,
        "activity_logs.match_pct": True,
        "activity_logs.coverage_pct": True,
        "activity_logs.failure_rate": True,
        "activity_logs.no_duplicates": True,
        "activity_logs.degraded_people": True,
        "activity_logs.watermark_seam": True,
    }
    for check in result.get_asset_check_evaluations():
        assert check.partition == m.company
    by_name = {check.check_name: check.metadata for check in result.get_asset_check_evaluations()}
    assert by_name["match_pct"]["match_pct"].value == 100.0
    assert by_name["match_pct"]["identical"].value == 12


@pytest.mark.any_mongo
def test_checks_without_a_company_say_what_to_do(migrations: Migrations) -> None:
    for check in CHECKS:
        with pytest.raises(dg.Failure, match="Run the job activity_logs_checks for a company"):
            check(dg.build_asset_check_context(), migrations=migrations.resource)


def test_a_company_without_audits_and_people_is_complete_and_has_nothing_to_compare(migrations: Migrations) -> None:
    m = migrations
    company, cid = m.add_company(people=0)
    m.crm.user(cid, 70, "owner@example.com", "Its only user")
    result = m.run(company=company)
    assert result.success
    job = m.job(company)
    assert (job["status"], job["records_total"], job["match_pct"]) == ("completed", 0, None)
    assert (job["accuracy_pct"], job["coverage_pct"], job["people"]) == (None, None, 0)
    by_name = {
        f"{check.asset_key.path[-1]}.{check.check_name}": check for check in result.get_asset_check_evaluations()
    }
    for name in ("crm_contact_coverage.coverage_pct", "activity_logs.coverage_pct", "activity_logs.match_pct"):
        check = by_name[name]
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
        assert "Nothing to compare" in str(check.description)
        assert check.metadata[check.check_name].value is None


def test_a_cid_that_the_crm_does_not_know_is_refused_wherever_it_is_asked(migrations: Migrations) -> None:
    m = migrations
    company, _ = m.add_company(people=0)
    request_id = m.request(company_sso_id=company)
    assert m.tick() == []
    error = m.the_request(request_id)["error"]
    assert (error["code"], error["http_status"]) == ("CID_NOT_FOUND", 404)
    for config in ({}, {"force": True}, {"dry_run": True}):
        result = m.run(company=company, config=config)
        assert not result.success
        assert "CID_NOT_FOUND" in failure_text(result)
    assert m.db["crm_activity_log_migration_jobs"].count_documents({"company_sso_id": company}) == 0


def test_guards_refuse_with_their_codes_and_open_no_job(migrations: Migrations) -> None:
    m = migrations
    off, _ = m.add_company(people=1, flag=False)
    uncovered, _ = m.add_company(people=100, contacts=98)
    for company, code in ((off, "FLAG_DISABLED"), (uncovered, "contacts_not_migrated")):
        result = m.run(company=company)
        assert not result.success
        assert code in failure_text(result)
        assert m.db["crm_activity_log_migration_jobs"].count_documents({"company_sso_id": company}) == 0
    assert checks_of(result)["crm_contact_coverage.coverage_pct"] is False


def test_coverage_of_exactly_99_percent_is_enough(migrations: Migrations) -> None:
    m = migrations
    company, cid = m.add_company(people=100, contacts=99)
    m.crm.person(cid, 9_999, deleted=True)
    assert m.run(company=company).success
    assert m.job(company)["coverage_pct"] == 99.0


def test_it_halts_above_ten_percent_and_goes_on_after_a_fix(migrations: Migrations, http_apis: RecordedApis) -> None:
    m = migrations
    m.fill(160, unreadable=range(80, 92))
    result = m.run(config={"page_rows": 50})
    assert not result.success
    assert "MIGRATION_HALTED" in failure_text(result) or "halted" in failure_text(result)
    job = m.job()
    assert_adds_up(job)
    assert (job["status"], job["records_processed"], job["records_failed"]) == ("halted", 100, 12)
    assert job["shards"]["shard_0"]["last_audit_id"] == 100
    assert "cdp migrate replay activity-logs" in job["error"]["message"]
    (failed,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failed.user_failure_data is not None
    assert failed.user_failure_data.metadata["records_failed"].value == 12
    assert any("halted" in alert.body["text"] for alert in http_apis.alerts())
    m.crm.connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE id BETWEEN 81 AND 91")
    assert m.run().success
    job = m.job()
    assert_adds_up(job)
    # The rows that failed before lie behind the cursor, and are taken first.
    assert (job["records_processed"], job["records_migrated"], job["records_failed"]) == (160, 159, 1)
    assert [row["id"] for row in job["failed_rows"]] == ["92"]
    assert job["taken_up"] == {"from": "halted", "failed": 12, "parts": 0, "people": 0, "arrived": 11}
    assert (job["status"], job["match_pct"]) == ("completed_with_errors", 99.37)


@pytest.mark.parametrize("rows", [1, 9, 60])
def test_a_few_rows_never_halt_and_the_end_tells_of_them(migrations: Migrations, rows: int) -> None:
    m = migrations
    m.fill(rows, unreadable=[0, 1, 2, 3, 4, 5, 6])
    assert m.run(config={"page_rows": 3}).success
    job = m.job()
    assert (job["status"], job["records_processed"], job["records_failed"]) == (
        "completed_with_errors", rows, min(rows, 7),
    )  # fmt: skip


def test_exactly_ten_percent_does_not_halt(migrations: Migrations) -> None:
    m = migrations
    m.fill(50, unreadable=range(5))
    assert m.run(config={"page_rows": 50}).success


def test_a_dry_run_reports_and_writes_nothing(migrations: Migrations) -> None:
    m = migrations
    m.fill(30, unreadable=[3])
    result = m.run(config={"dry_run": True})
    assert result.success
    job = m.job()
    assert (job["dry_run"], job["records_migrated"], job["records_failed"]) == (True, 29, 1)
    assert m.logs() == []
    assert m.db["migration_failures"].count_documents({}) == 0
    assert [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    assert not [key for key in checks_of(result) if key.startswith("activity_logs.")]
    assert m.run().success
    assert m.job()["dry_run"] is False
    assert len(m.logs()) == 29


def test_a_date_range_leaves_older_audits_alone(migrations: Migrations) -> None:
    m = migrations
    m.fill(10)
    start = (BEFORE + timedelta(seconds=6)).replace(tzinfo=UTC)
    assert m.run(config={"date_range_start": start.isoformat()}).success
    job = m.job()
    assert (job["records_total"], job["records_migrated"], job["match_pct"]) == (5, 5, 100.0)


def test_several_shards_migrate_every_row_once(migrations: Migrations) -> None:
    m = migrations
    m.fill(101)
    assert m.run(config={"shards": 4, "page_rows": 7}).success
    job = m.job()
    assert_adds_up(job)
    assert len(job["shards"]) == 4
    assert all(shard["done"] for shard in job["shards"].values())
    assert [document["external_id"] for document in m.logs()] == [f"crm_audit:{n}" for n in range(1, 102)]


def test_companies_never_mix(migrations: Migrations) -> None:
    m = migrations
    other, other_cid = m.add_company(people=2)
    foreign_person = (other_cid - 1) * 1_000 + 1
    m.crm.audit(m.cid, comment=f'{{"crm_person_id": {foreign_person}}}')
    m.crm.audit(other_cid, comment=f'{{"crm_person_id": {foreign_person}}}')
    m.crm.user(other_cid, 70, "theirs@example.com", "Theirs")
    m.crm.audit(m.cid, user_id=70, user_type="User")
    assert m.run().success
    assert m.job()["records_skipped"] == {"contact_not_found": 1}
    assert [document["actor"]["name"] for document in m.logs()] == ["[Deleted CRM User]"]
    assert m.logs(other) == []
    assert m.run(company=other).success
    assert len(m.logs(other)) == 1
    assert m.rollback().success
    assert (len(m.logs()), len(m.logs(other))) == (0, 1)


def test_a_company_override_renames_and_adds_categories(migrations: Migrations) -> None:
    m = migrations
    m.db["crm_category_overrides"].insert_one(
        {
            "_id": m.company,
            "kinds": {"Crm::Pipeline": {"category": "deal", "entity": "pipeline"}, "Crm::Note": None},
            "refinements": {"deal": [{"attribute": "crm_stage_id", "action": "won", "ids": [2]}]},
            "labels": {"name": "Nama"},
        }
    )
    m.crm.audit(m.cid, auditable_type="Crm::Pipeline")
    m.crm.audit(m.cid, auditable_type="Crm::Note")
    m.crm.audit(m.cid, audited_changes="---\ncrm_stage_id:\n- 1\n- 2\n")
    assert m.run().success
    documents = m.logs()
    assert [document["action"] for document in documents] == ["update", "won"]
    assert documents[0]["attributes"][0]["field"] == "Nama"
    assert m.job()["records_skipped"] == {"unmapped_action_type": 1}


def test_two_runs_at_once_one_wins_the_other_is_told(migrations: Migrations) -> None:
    m = migrations
    m.fill(3)
    services = m.services()
    assert services.jobs.open_new(m.company, "another-run", {"dry_run": False, "options": {}}, now=services.now())
    request_id = m.request()
    result = m.run(config={"request_id": str(request_id)})
    assert "JOB_ALREADY_RUNNING" in failure_text(result)
    request = m.the_request(request_id)
    assert (request["status"], request["error"]["code"], request["error"]["http_status"]) == (
        "rejected", "JOB_ALREADY_RUNNING", 409,
    )  # fmt: skip
    assert m.logs() == []


def test_a_poison_document_fails_alone(migrations: Migrations) -> None:
    m = migrations
    big = "x" * 900_000
    m.fill(3)
    poison = m.crm.audit(m.cid, audited_changes="---\n" + "".join(f"a{n}: '{big}'\n" for n in range(25)))
    m.fill(9)
    assert m.run().success
    job = m.job()
    assert_adds_up(job)
    assert job["records_migrated"] == 12
    assert [row["id"] for row in job["failed_rows"]] == [str(poison)]


def test_documents_of_another_loader_are_duplicates_not_failures(migrations: Migrations) -> None:
    m = migrations
    m.fill(4)
    assert m.run().success
    document = m.logs()[0]
    m.db["activity_logs"].delete_one({"_id": document["_id"]})
    document.pop("_id")
    m.db["activity_logs"].insert_one(document)
    result = m.run(config={"force": True})
    assert result.success
    job = m.job()
    assert job["records_skipped"] == {"duplicate_external_id": 4}
    assert (job["match_pct"], job["reconciliation"]["notes"]["written_by_others"]) == (100.0, 1)
    assert checks_of(result)["activity_logs.no_duplicates"] is True


def test_reconciliation_finds_missing_extra_and_different(migrations: Migrations) -> None:
    m = migrations
    m.fill(20)
    assert m.run().success
    logs = m.logs()
    collection = m.db["activity_logs"]
    collection.update_one({"_id": logs[1]["_id"]}, {"$set": {"attributes": []}})
    collection.update_one({"_id": logs[2]["_id"]}, {"$set": {"metadata.entity_name": "enriched"}})
    # Written at or after the watermark, as a wrong loader would.
    m.crm.connection.execute("UPDATE audits SET created_at = %s WHERE id = 4", (AFTER,))
    m.crm.connection.execute("DELETE FROM audits WHERE id = 5")
    services = m.services()
    # What is missing is written again by a forced run, so the comparison alone is run on a job of its own.
    from cdp_pipelines.pipelines.activity_logs.pages import AuditSource
    from cdp_pipelines.pipelines.migrations.hold import Hold
    from cdp_pipelines.pipelines.migrations.reconcile import reconcile

    collection.delete_one({"_id": logs[0]["_id"]})
    job = m.job()
    owned = services.jobs.reopen(job, "comparing", {"reconciliation": None}, now=services.now())
    assert owned is not None
    hold = Hold(services, owned)
    source = AuditSource(services, services.company(m.company), None)
    found = reconcile(hold, source, hold.beat())["reconciliation"]
    source.close()
    assert found["ids"] == {"missing": ["1"], "different": ["2", "3"], "extra": ["4", "5"]}
    assert (found["identical"], found["eligible"], found["skipped_by_rule"]) == (15, 18, 1)
    assert found["notes"] == {"seam_violations": 1}
    assert found["match_pct"] == 83.33


def test_the_queue_launches_once_and_the_request_tells_the_end(migrations: Migrations) -> None:
    m = migrations
    m.fill(5)
    request_id = m.request()
    (run_request,) = m.tick()
    assert run_request.run_key == f"activity_logs:{request_id}:attempt1"
    assert run_request.tags == {"company": m.company, "request_id": str(request_id), "requested_by": "ops-1"}
    assert m.tick() == []
    assert m.run_requested(run_request).success
    request = m.the_request(request_id)
    assert (request["status"], request["result"]["records_migrated"], request["error"]) == ("completed", 5, None)
    # Terminal means terminal.
    assert m.run_requested(run_request).success
    assert m.job()["starts"] == 1
    second = m.request()
    assert m.tick() == []
    assert m.the_request(second)["error"]["code"] == "ALREADY_COMPLETED"


@pytest.mark.any_mongo
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": "nothing"}, "MIGRATION_REQUEST_INVALID"),
        ({"action": "stop"}, "MIGRATION_REQUEST_INVALID"),
        ({"options": {"dryrun": True}}, "MIGRATION_REQUEST_INVALID"),
        ({"options": {"date_range_start": "yesterday"}}, "MIGRATION_REQUEST_INVALID"),
        ({"status": "quued"}, "MIGRATION_REQUEST_INVALID"),
        ({"company_sso_id": "nobody"}, "CID_NOT_FOUND"),
        ({"company_sso_id": {"$ne": 1}}, "CID_NOT_FOUND"),
        ({"action": "rollback"}, "CONFIRMATION_REQUIRED"),
        ({"action": "rollback", "confirm": "yes"}, "CONFIRMATION_REQUIRED"),
    ],
)
def test_the_queue_rejects_with_a_code(migrations: Migrations, changes: dict[str, Any], code: str) -> None:
    request_id = migrations.request(**changes)
    assert migrations.tick() == []
    request = migrations.the_request(request_id)
    assert (request["status"], request["error"]["code"]) == ("rejected", code)


def test_the_queue_judges_coverage_and_flag_before_any_run(migrations: Migrations) -> None:
    m = migrations
    off, _ = m.add_company(people=1, flag=False)
    uncovered, _ = m.add_company(people=10, contacts=9)
    ids = [m.request(company_sso_id=off), m.request(company_sso_id=uncovered)]
    assert m.tick() == []
    errors = [m.the_request(request_id)["error"] for request_id in ids]
    assert [(error["code"], error["http_status"]) for error in errors] == [
        ("FLAG_DISABLED", 403), ("contacts_not_migrated", 422),
    ]  # fmt: skip


def test_a_cancel_stops_within_a_page_and_a_start_goes_on(migrations: Migrations) -> None:
    m = migrations
    m.fill(30)
    waiting = m.request(cancel_requested=True)
    assert m.tick() == []
    assert m.the_request(waiting)["status"] == "canceled"
    request_id = m.request(options={"page_rows": 10})
    (run_request,) = m.tick()

    def ask(_: int) -> None:
        m.db["migration_requests"].update_one({"_id": request_id}, {"$set": {"cancel_requested": True}})

    result = m.run(config={"request_id": str(request_id)}, resource=m.at_insert(2, ask))
    assert "canceled" in failure_text(result)
    assert m.the_request(request_id)["status"] == m.job()["status"] == "canceled"
    assert len(m.logs()) == 20
    assert m.run_requested(run_request).success
    assert m.the_request(request_id)["status"] == "canceled"
    assert m.run().success
    job = m.job()
    assert_adds_up(job)
    assert (job["status"], job["records_migrated"], job["starts"]) == ("completed", 30, 2)


def test_a_dead_run_is_swept_and_its_job_goes_on(migrations: Migrations) -> None:
    m = migrations
    m.fill(8)
    services = m.services()
    options = {"force": False, "dry_run": False, "date_range_start": None, "page_rows": 500, "shards": 0}
    services.jobs.open_new(
        m.company, "dead-run", {"dry_run": False, "options": options, "starts": 1}, now=services.now()
    )
    assert m.sweep(ahead=timedelta(seconds=60)).ended == 0
    assert m.sweep(ahead=timedelta(hours=1)).ended == 1
    assert (m.job()["status"], m.job()["error"]["code"]) == ("failed", "RUN_DIED")
    job_id = m.job()["_id"]
    assert m.run().success
    assert (m.job()["_id"], m.job()["status"], m.job()["starts"]) == (job_id, "completed", 2)


@pytest.mark.any_mongo
def test_times_of_a_column_with_a_zone_are_the_same_instants(make_migrations: Callable[..., Migrations]) -> None:
    m = make_migrations()
    m.crm.connection.execute("ALTER TABLE audits ALTER created_at TYPE timestamptz USING created_at AT TIME ZONE 'UTC'")
    at = datetime(2024, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
    m.crm.audit(m.cid, created_at=at)
    assert m.run().success
    assert m.logs()[0]["timestamp"] == at.replace(microsecond=123_000)


def test_a_crashed_run_that_dagster_starts_again_is_left_to_it(migrations: Migrations) -> None:
    m = migrations
    m.fill(4)
    request_id = m.request()
    (run_request,) = m.tick()
    services = m.services()
    owned = services.jobs.open_new(
        m.company, "", {"dry_run": False, "options": {}, "request_id": request_id}, now=services.now()
    )
    assert owned is not None
    run = dg.DagsterRun(
        job_name="activity_logs_migration",
        status=dg.DagsterRunStatus.FAILURE,
        tags={"request_id": str(request_id), "dagster/will_retry": "true"},
    )
    m.instance.add_run(run)
    m.db["crm_activity_log_migration_jobs"].update_one(
        {"_id": owned.job_id}, {"$set": {"lease.owner_run_id": run.run_id}}
    )
    assert m.sweep(ahead=timedelta(minutes=5)).ended == 0
    m.instance.add_run_tags(run.run_id, {"dagster/will_retry": "false"})
    assert m.sweep(ahead=timedelta(minutes=5)).ended == 1
    assert m.job()["status"] == m.the_request(request_id)["status"] == "failed"
    assert run_request.run_key
