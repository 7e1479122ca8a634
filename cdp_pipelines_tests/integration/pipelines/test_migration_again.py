"""What comes after a first migration: taking up, changes by people, extras, gaps beside the live feed, refusals."""

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from pymongo import monitoring

from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    AFTER,
    BEFORE,
    Document,
    Migrations,
    assert_adds_up,
    checks_of,
    failure_text,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_completed_with_errors_takes_up_failed_and_new_rows_only(migrations: Migrations) -> None:
    m = migrations
    m.fill(40, unreadable=[3, 4, 5])
    assert m.run().success
    first = m.job()
    assert first["status"] == "completed_with_errors"
    before = m.logs()
    m.crm.connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE id IN (4, 5)")
    for number in (41, 42):
        m.crm.audit(m.cid, auditable_id=number, auditable_type="Crm::Task" if number == 42 else "Crm::Deal")
    pages: list[int] = []
    assert m.run(resource=m.at_insert(1, pages.append)).success
    job = m.job()
    assert_adds_up(job)
    assert (job["_id"], job["starts"], job["status"]) == (first["_id"], 2, "completed_with_errors")
    assert (job["records_total"], job["records_migrated"], job["records_failed"]) == (42, 41, 1)
    assert job["taken_up"] == {
        "from": "completed_with_errors", "failed": 3, "parts": 0, "people": 0, "arrived": 2, "new": 2,
    }  # fmt: skip
    # One insert for what had failed, one for what is new.
    assert len(pages) == 2
    assert [row["id"] for row in job["failed_rows"]] == ["6"]
    assert len(m.logs()) == len(before) + 4
    assert (job["reconciliation"]["eligible"], job["match_pct"]) == (42, 97.61)
    # Again, with nothing new, and then all is well.
    m.crm.connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE id = 6")
    assert m.run().success
    job = m.job()
    assert (job["status"], job["records_migrated"], job["taken_up"]["new"]) == ("completed", 42, 0)


def test_rows_that_are_missing_without_having_failed_have_everything_looked_at(migrations: Migrations) -> None:
    m = migrations
    m.fill(20, unreadable=[3])
    assert m.run().success
    m.db["activity_logs"].delete_many({"external_id": {"$in": ["crm_audit:1", "crm_audit:2"]}})
    # Found by whoever compares: the job then knows of more missing rows than failed ones.
    m.db["crm_activity_log_migration_jobs"].update_one({}, {"$set": {"reconciliation.missing": 3}})
    first = m.job()["_id"]
    assert m.run().success
    job = m.job()
    assert job["_id"] != first
    assert (job["records_migrated"], job["records_skipped"], len(m.logs())) == (2, {"duplicate_external_id": 17}, 19)


def test_a_quarantine_that_ran_out_has_everything_looked_at(notes: Notes) -> None:
    m = notes
    m.fill(20, unreadable={3})
    assert m.run().success
    first = m.job()["_id"]
    m.db["migration_failures"].delete_many({})
    m.contact(m.company, 404)
    assert m.run().success
    job = m.job()
    assert job["_id"] != first
    assert (job["notes_migrated"], job["notes_skipped"], job["status"]) == (1, 19, "completed_success")


def test_new_notes_are_taken_up_too(notes: Notes) -> None:
    m = notes
    m.fill(30, unreadable={3})
    assert m.run().success
    assert m.job()["status"] == "completed_with_errors"
    m.contact(m.company, 404)
    m.fill(5)
    assert m.run().success
    job = m.job()
    assert (job["status"], job["notes_total"], job["notes_processed"], job["notes_migrated"]) == (
        "completed_success", 35, 35, 35,
    )  # fmt: skip
    assert (job["taken_up"]["failed"], job["taken_up"]["new"], job["progress_pct"]) == (1, 5, 100.0)


def test_what_people_did_to_activity_logs_since_matches(migrations: Migrations) -> None:
    m = migrations
    m.fill(20)
    assert m.run().success
    collection = m.db["activity_logs"]
    logs = m.logs()
    by_people: list[Document] = [
        {"attributes": [], "updated_at": LATER},
        {"is_deleted": True},
        {"deleted_at": LATER},
        {"customer_id": "d" * 24, "updated_at": LATER},
    ]
    for document, changes in zip(logs, by_people, strict=False):
        collection.update_one({"_id": document["_id"]}, {"$set": changes})
    # Without a sign of who it was, or with one older than the first migration, a difference is a difference.
    collection.update_one({"_id": logs[10]["_id"]}, {"$set": {"attributes": []}})
    collection.update_one({"_id": logs[11]["_id"]}, {"$set": {"attributes": [], "updated_at": logs[11]["timestamp"]}})
    result = m.run(config={"force": True})
    assert result.success
    found = m.job()["reconciliation"]
    assert (found["identical"], found["changed_since"], found["different"], found["match_pct"]) == (14, 4, 2, 90.0)
    assert found["ids"] == {"changed_since": ["1", "2", "3", "4"], "different": ["11", "12"]}
    assert checks(result)["match_pct"].metadata["changed_since"].value == 4
    changed = {document["_id"]: document for document in collection.find({})}
    assert changed[logs[1]["_id"]]["is_deleted"] is True


def test_what_people_did_to_notes_since_keeps_a_forced_run_green(notes: Notes) -> None:
    m = notes
    m.fill(10)
    assert m.run().success
    collection = m.db["contact_notes"]
    ids = [document["_id"] for document in m.notes()]
    collection.update_one({"_id": ids[0]}, {"$set": {"content": "<p>mine</p>", "updated_at": LATER}})
    collection.update_one({"_id": ids[1]}, {"$set": {"is_deleted": True, "updated_at": LATER}})
    collection.update_one({"_id": ids[2]}, {"$set": {"is_deleted": True}})
    result = m.run(config={"force": True})
    assert result.success
    job = m.job()
    assert (job["status"], job["match_pct"], job["reconciliation"]["changed_since"]) == ("completed_success", 100.0, 3)
    assert checks_of(result)["contact_notes.match_pct"]


def loaded(m: Migrations, **changes: Any) -> Document:
    """As another loader wrote it for this company."""
    return {
        "company_sso_id": m.company, "customer_id": "c" * 24, "category": "deal", "action": "update", "attributes": [],
        "actor": {}, "timestamp": BEFORE, "source": "crm_migration", "source_tag": "crm_migration", "metadata": {},
        **changes,
    }  # fmt: skip


def test_extras_are_looked_for_in_all_of_the_companys_documents(migrations: Migrations) -> None:
    m = migrations
    m.fill(40)
    assert m.run().success
    # The last ten and the first two go from the CRM: beyond the ids of the job that follows, on both sides.
    m.crm.connection.execute("DELETE FROM audits WHERE id > 30 OR id < 3")
    strangers = [
        loaded(m, external_id="crm_audit:9000"), loaded(m, external_id="crm_audit:x"), loaded(m, external_id="other:5"),
        loaded(m, external_id="crm_audit:0"), loaded(m, external_id="crm_audit:99999999999999999999"), loaded(m),
        # Ours by `_id`, and of a row that never was.
        loaded(m, _id=ActivityLogs(m.db, m.company).document_id(7_000), external_id="crm_audit:7000"),
    ]  # fmt: skip
    m.db["activity_logs"].insert_many(strangers)
    # Another company's and the live feed's are none.
    m.db["activity_logs"].insert_many([loaded(m, company_sso_id="another", external_id="crm_audit:1")])
    native = loaded(m, source="crm")
    del native["source_tag"]
    m.db["activity_logs"].insert_one(native)
    result = m.run(config={"force": True})
    assert result.success
    found = m.job()["reconciliation"]
    assert (found["extra"], found["identical"], found["match_pct"]) == (19, 28, 100.0)
    assert checks(result)["match_pct"].metadata["extra"].value == 19
    assert {"1", "2", "31", "40", "7000", "9000", "crm_audit:x", "other:5", "crm_audit:0"} <= set(found["ids"]["extra"])


def test_a_range_of_dates_still_sees_extras_before_it(migrations: Migrations) -> None:
    m = migrations
    m.fill(20)
    assert m.run().success
    m.crm.connection.execute("DELETE FROM audits WHERE id IN (2, 5)")
    start = (BEFORE + timedelta(seconds=10)).replace(tzinfo=UTC).isoformat()
    assert m.run(config={"force": True, "date_range_start": start}).success
    found = m.job()["reconciliation"]
    assert (found["source"], found["match_pct"], found["ids"]) == (11, 100.0, {"extra": ["2", "5"]})
    assert found["notes"] == {"outside_the_range": 7}


def test_extra_notes_beyond_the_last_id_are_seen(notes: Notes) -> None:
    m = notes
    m.fill(12)
    assert m.run().success
    m.crm.connection.execute("DELETE FROM crm_notes WHERE id > 9")
    m.crm.connection.execute("UPDATE crm_notes SET deleted_at = now() WHERE id = 9")
    assert m.run(config={"force": True}).success
    found = m.job()["reconciliation"]
    assert (found["extra"], found["ids"]) == (4, {"extra": ["9", "10", "11", "12"]})


def test_audits_that_the_live_feed_does_not_have_are_counted_and_warned_of(migrations: Migrations) -> None:
    m = migrations
    m.fill(5)
    late = [m.crm.audit(m.cid, created_at=AFTER + timedelta(minutes=number)) for number in range(4)]
    unreadable = m.crm.audit(m.cid, created_at=AFTER + timedelta(hours=9), audited_changes="---\nname:\n\t- a\n")
    # Without any live feed, all of them are in no timeline.
    result = m.run()
    assert result.success
    assert m.job()["reconciliation"]["not_in_live_feed"] == 5

    def fed(number: int, **changes: Any) -> Document:
        at = (AFTER + timedelta(minutes=number)).replace(tzinfo=UTC)
        record = loaded(m, customer_id=m.customer(1), source="crm", timestamp=at, metadata={"entity_id": "5"})
        del record["source_tag"]
        return {**record, **changes}

    native = [fed(0), fed(1, timestamp=fed(1)["timestamp"] + timedelta(seconds=1)), fed(2, action="create")]
    m.db["activity_logs"].insert_many([*native, fed(540, action="create", metadata={})])
    result = m.run(config={"force": True})
    assert result.success
    found = m.job()["reconciliation"]
    assert (found["not_in_live_feed"], found["not_in_live_feed_ids"]) == (2, [str(late[2]), str(late[3])])
    assert str(unreadable) not in found["not_in_live_feed_ids"]
    seam = checks(result)["watermark_seam"]
    assert (seam.passed, seam.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert (seam.metadata["not_in_live_feed"].value, seam.metadata["violations"].value) == (2, 0)
    # A violation is an error, whatever is missing beside it.
    m.crm.connection.execute("UPDATE audits SET created_at = %s WHERE id = 1", (AFTER,))
    assert checks(m.run(config={"force": True}))["watermark_seam"].severity == dg.AssetCheckSeverity.ERROR


def test_a_refused_start_leaves_the_checks_as_they_were(migrations: Migrations) -> None:
    m = migrations
    m.fill(12)
    good = checks(m.run())
    refused = m.run()
    assert "ALREADY_COMPLETED" in failure_text(refused)
    again = checks(refused)
    assert {name: (each.passed, each.severity) for name, each in again.items()} == {
        name: (each.passed, each.severity) for name, each in good.items()
    }
    assert again["match_pct"].metadata["identical"].value == 12
    # While a run works on it, what the last finished one found stands.
    services = m.services()
    # Not the services' clock, which is of whole seconds here: the job would be older than the one before it.
    assert services.jobs.open_new(m.company, "another", {"dry_run": False, "options": {}}, now=datetime.now(UTC))
    running = m.run(config={"force": True})
    assert "JOB_ALREADY_RUNNING" in failure_text(running)
    assert checks(running)["match_pct"].passed
    # And the checks job says so instead of comparing what is half done.
    assert "evaluates the checks at its end" in failure_text(m.run("activity_logs_checks"))


def test_the_checks_job_compares_again_and_writes_nothing(migrations: Migrations) -> None:
    m = migrations
    m.fill(10)
    assert m.run().success
    m.db["activity_logs"].delete_one({"external_id": "crm_audit:4"})
    m.db["activity_logs"].update_one({"external_id": "crm_audit:5"}, {"$set": {"attributes": []}})
    before = (m.job(), m.logs())
    found = checks(m.run("activity_logs_checks"))
    assert (found["match_pct"].passed, found["match_pct"].metadata["match_pct"].value) == (False, 80.0)
    assert (found["match_pct"].metadata["missing"].value, found["match_pct"].metadata["different"].value) == (1, 1)
    assert (m.job(), m.logs()) == before


class DiesAtDelete(monitoring.CommandListener):
    """Asks for a stop once a batch was deleted and before the job is told of it, as a kill would leave it."""

    def __init__(self, m: Migrations) -> None:
        self.m, self.deletes = m, 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Not needed."""

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if event.command_name == "delete" and event.reply.get("n"):
            self.deletes += 1
            if self.deletes == 1:
                self.m.db["crm_activity_log_migration_jobs"].update_one(
                    {"company_sso_id": self.m.company}, {"$set": {"lease.owner_run_id": "a run that is gone"}}
                )

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


def test_a_rollback_counts_what_is_gone_also_what_a_killed_one_could_not_tell(migrations: Migrations) -> None:
    m = migrations
    made = [
        loaded(m, _id=ActivityLogs(m.db, m.company).document_id(number), external_id=f"crm_audit:{number}")
        for number in range(1, 1_351)
    ]
    m.db["activity_logs"].insert_many(made)
    killed = m.run("activity_logs_rollback", config={"confirm": m.company}, resource=m.watching(DiesAtDelete(m)))
    assert not killed.success
    assert (len(m.logs()), m.job()["records_rolled_back"]) == (350, 0)
    m.db["crm_activity_log_migration_jobs"].update_one({}, {"$set": {"lease.expires_at": datetime(2020, 1, 1)}})  # noqa: DTZ001
    assert m.rollback().success
    assert (m.logs(), m.job()["records_rolled_back"]) == ([], 1_350)
    m.db["activity_logs"].insert_many(made[:3])
    assert m.rollback().success
    assert m.job()["records_rolled_back"] == 1_353
    assert m.rollback().success
    assert m.job()["records_rolled_back"] == 1_353


@pytest.mark.any_mongo
def test_shards_have_as_many_rows_each_wherever_the_ids_lie(migrations: Migrations) -> None:
    m = migrations
    for number in (*range(1, 8), 500, 1_000):
        m.crm.audit(m.cid, id=number, auditable_id=number)
    # Another company's audits lie between them.
    m.crm.audit(999, id=700)
    assert m.run(config={"shards": 3}).success
    job = m.job()
    assert [shard["processed"] for _, shard in sorted(job["shards"].items())] == [3, 3, 3]
    assert (job["records_migrated"], job["match_pct"]) == (9, 100.0)


@pytest.mark.any_mongo
def test_shards_of_notes_and_more_shards_than_rows(notes: Notes) -> None:
    m = notes
    for number in (1, 2, 3, 900):
        m.note(id=number)
    assert m.run(config={"shards": 2}).success
    assert [shard["processed"] for _, shard in sorted(m.job()["shards"].items())] == [2, 2]
    assert m.run(config={"shards": 9, "force": True}).success
    assert [shard["processed"] for _, shard in sorted(m.job()["shards"].items())] == [1, 1, 1, 1]


@pytest.mark.any_mongo
def test_a_cid_unknown_to_the_crm_is_refused_for_notes_too_and_by_its_own_table(
    notes: Notes, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = notes
    company, cid = m.add_company(people=0)
    assert "CID_NOT_FOUND" in failure_text(m.run(company=company))
    # A person who was deleted is enough to know the organization by.
    m.crm.person(cid, 77_000, deleted=True)
    assert m.run(company=company).success
    assert m.job(company)["match_pct"] is None
    # Where the CRM has a table of organizations, that one says.
    other, other_cid = m.add_company(people=0)
    m.crm.connection.execute("CREATE TABLE organizations (id bigint PRIMARY KEY)")
    m.crm.connection.execute("INSERT INTO organizations VALUES (%s)", (other_cid,))
    from importlib import resources

    text = (resources.files("cdp_pipelines.resources") / "data" / "crm_mapping.yaml").read_text(encoding="utf-8")
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(f"{text}\norganizations: {{table: organizations, columns: {{id: id}}}}\n", encoding="utf-8")
    monkeypatch.setenv("CDP_CRM_MAPPING_FILE", str(mapping))
    assert m.run(company=other).success
    m.crm.connection.execute("DELETE FROM organizations")
    assert "CID_NOT_FOUND" in failure_text(m.run(company=other, config={"force": True}))
