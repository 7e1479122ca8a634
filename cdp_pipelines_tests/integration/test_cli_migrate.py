"""`cdp migrate` on real servers: what it queues the sensor takes, and what it shows is what runs left behind."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from pymongo.database import Database

from cdp_pipelines.local.crm_schema import create_crm_schema
from cdp_pipelines.stores.migrations.runner import Migrator
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations
from cdp_pipelines_tests.integration.test_cli import Cdp
from cdp_pipelines_tests.support.waiting import wait_for

LOGS = "activity-logs"


@pytest.fixture
def site(
    environment: dict[str, str], migrated_db: Database[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Migrations]:
    """A company with two CRM people, and the environment that leads `cdp` to it."""
    monkeypatch.chdir(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Migrations(environment, migrated_db, instance)
        monkeypatch.setenv("CDP_MONGO_DB", migrated_db.name)
        monkeypatch.setenv("CRM_AUDIT_DATABASE_URL", made.crm.dsn)
        yield made
        made.close()


@pytest.fixture
def cdp(site: Migrations) -> Cdp:
    return Cdp()


def start(cdp: Cdp, site: Migrations, *options: object) -> str:
    """Queue a start; returns the request's id."""
    (request,) = cdp.json("migrate", "start", LOGS, "--company", site.company, *options)["requests"]
    assert request["status"] == "queued"
    return str(request["request_id"])


def run_queue(site: Migrations) -> None:
    """What the daemon does with the queue."""
    for request in site.tick():
        site.run_requested(request)


def status(cdp: Cdp, site: Migrations, *options: object) -> dict[str, Any]:
    (facts,) = cdp.json("migrate", "status", LOGS, "--company", site.company, *options)
    assert isinstance(facts, dict)
    return facts


def test_a_start_is_queued_run_and_shown(cdp: Cdp, site: Migrations) -> None:
    site.fill(1_200, unreadable=[3])
    site.crm.audit(site.cid, auditable_type="Product")
    assert status(cdp, site)["status"] == "not_started"
    assert "not_started" in cdp("migrate", "status", LOGS, "--company", site.company).stdout
    request_id = start(cdp, site, "--shards", 2, "--page-rows", 300, "--since", "2024-01-01", "--requested-by", "ops-7")
    document = site.the_request(request_id)
    assert document["options"] == {"shards": 2, "page_rows": 300, "date_range_start": "2024-01-01"}
    assert document["requested_by"] == "ops-7"
    run_queue(site)
    facts = status(cdp, site, "--shards")
    assert facts["status"] == "completed_with_errors"
    assert facts["records_migrated"] == 1_199
    assert facts["records_skipped"] == {"unmapped_action_type": 1}
    assert facts["failed_reasons"] == {"unreadable_changes": 1}
    assert facts["records_processed"] == facts["records_total"] == 1_201
    assert facts["coverage_pct"] == 100.0
    assert facts["match_pct"] == 99.91
    assert [shard["done"] for shard in facts["shards"].values()] == [True, True]
    assert facts["request_id"] == request_id
    shown = cdp("migrate", "status", LOGS, "--request", request_id, "--shards").stdout
    for part in ("completed_with_errors", "1,199", "unreadable_changes", "= processed", "shard_1", "99.91 %", "ops-7"):
        assert part in shown, part
    (watched,) = cdp.json("migrate", "watch", LOGS, "--request", request_id)
    assert watched["request"]["status"] == "completed_with_errors"
    assert watched["request"]["result"]["records_migrated"] == 1_199


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--since", "soon"), "MIGRATION_REQUEST_INVALID"),
        (("--shards", "65"), "MIGRATION_REQUEST_INVALID"),
        (("--page-rows", "0"), "MIGRATION_REQUEST_INVALID"),
    ],
)
def test_a_wrong_option_is_refused_at_once(cdp: Cdp, site: Migrations, options: tuple[str, ...], code: str) -> None:
    assert cdp.error("migrate", "start", LOGS, "--company", site.company, *options) == code
    assert site.db["migration_requests"].count_documents({}) == 0


def test_companies_that_may_not_start_are_told_why_and_the_others_are_queued(cdp: Cdp, site: Migrations) -> None:
    off, _ = site.add_company(people=1, flag=False)
    bare, _ = site.add_company(people=10, contacts=9)
    chosen = [part for key in (off, site.company, bare) for part in ("--company", key)]
    answer = cdp.json("migrate", "start", LOGS, *chosen, exit_code=2)
    assert [request["company_sso_id"] for request in answer["requests"]] == [site.company]
    assert [(refused["company_sso_id"], refused["code"]) for refused in answer["rejected"]] == [
        (off, "FLAG_DISABLED"), (bare, "contacts_not_migrated"),
    ]  # fmt: skip
    assert answer["error"]["http_status"] == 403
    assert site.db["migration_requests"].count_documents({}) == 1
    shown = cdp("migrate", "start", LOGS, "--company", bare)
    assert shown.exit_code == 2
    assert "contacts_not_migrated (422)" in shown.stderr
    assert "90.00 %" in shown.stderr
    assert shown.stdout == ""


def test_all_companies_leaves_out_those_with_nothing_to_do(cdp: Cdp, site: Migrations) -> None:
    start(cdp, site)
    run_queue(site)
    off, _ = site.add_company(people=1, flag=False)
    fresh, _ = site.add_company(people=1)
    answer = cdp.json("migrate", "start", LOGS, "--all-companies")
    assert [request["company_sso_id"] for request in answer["requests"]] == [fresh]
    assert {one["company_sso_id"]: one["code"] for one in answer["left_out"]} == {
        off: "FLAG_DISABLED", site.company: "ALREADY_COMPLETED",
    }  # fmt: skip
    states = {
        state["company_sso_id"]: state["status"] for state in cdp.json("migrate", "status", LOGS, "--all-companies")
    }
    assert states == {off: "not_started", fresh: "not_started", site.company: "completed"}
    table = cdp("migrate", "status", LOGS, "--all-companies").stdout
    assert table.count("not_started") == 2


def test_a_completed_company_needs_force(cdp: Cdp, site: Migrations) -> None:
    site.fill(20)
    start(cdp, site)
    run_queue(site)
    assert cdp.error("migrate", "start", LOGS, "--company", site.company) == "ALREADY_COMPLETED"
    start(cdp, site, "--force")
    run_queue(site)
    assert status(cdp, site)["records_skipped"] == {"duplicate_external_id": 20}


def test_an_unknown_company_is_told_which_there_are(cdp: Cdp, site: Migrations) -> None:
    for command in ("start", "status", "watch", "cancel", "replay", "rollback"):
        assert cdp.error("migrate", command, LOGS, "--company", "nobody") == "CID_NOT_FOUND"
    assert site.company in cdp("migrate", "start", LOGS, "--company", f"{site.company}x").stderr
    assert cdp.error("migrate", "status", "contact-nots", "--company", site.company) == "MIGRATION_UNKNOWN"
    assert cdp.error("migrate", "status", LOGS) == "COMPANY_MISSING"
    assert cdp.error("migrate", "status", LOGS, "--all-companies", "--company", "x") == "COMPANY_AMBIGUOUS"


def test_a_shell_that_does_not_reach_the_crm_still_queues(
    cdp: Cdp, site: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CRM_AUDIT_DATABASE_URL")
    shown = cdp("migrate", "start", LOGS, "--company", site.company)
    assert shown.exit_code == 0
    assert "SETTING_MISSING" in shown.stderr
    assert site.db["migration_requests"].count_documents({"status": "queued"}) == 1


def test_without_indexes_nothing_is_queued(cdp: Cdp, site: Migrations) -> None:
    Migrator(site.db).down(3)
    assert cdp.error("migrate", "start", LOGS, "--company", site.company, exit_code=1) == "MIGRATIONS_PENDING"


def test_a_dry_run_is_shown_only_if_asked(cdp: Cdp, site: Migrations) -> None:
    site.fill(20, unreadable=[1])
    start(cdp, site, "--dry-run")
    run_queue(site)
    assert status(cdp, site)["status"] == "not_started"
    facts = status(cdp, site, "--dry-runs")
    assert (facts["dry_run"], facts["records_migrated"], facts["failed_reasons"]) == (
        True, 19, {"unreadable_changes": 1},
    )  # fmt: skip
    assert site.logs() == []


def test_start_and_watch_in_one(cdp: Cdp, site: Migrations) -> None:
    site.fill(20)
    seen: list[Any] = []
    arguments = ("migrate", "start", LOGS, "--company", site.company, "--watch", "--timeout", 120, "--json")
    person = Thread(target=lambda: seen.append(cdp(*arguments)))
    person.start()
    wait_for("the request", lambda: site.db["migration_requests"].count_documents({"status": "queued"}))
    run_queue(site)
    person.join()
    (result,) = seen
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ended"][0]["status"] == "completed"


@pytest.mark.parametrize(
    ("ending", "exit_code"),
    [("completed", 0), ("completed_with_errors", 0), ("halted", 1), ("failed", 1), ("canceled", 1), ("rejected", 2)],
)
def test_watching_ends_as_the_migration_did(cdp: Cdp, site: Migrations, ending: str, exit_code: int) -> None:
    request_id = start(cdp, site)
    end = site.services().requests.end
    ending_it = Thread(target=lambda: end(request_id, site.company, ending, now=datetime.now(UTC)))
    ending_it.start()
    (facts,) = cdp.json("migrate", "watch", LOGS, "--company", site.company, exit_code=exit_code)
    ending_it.join()
    assert facts["request"]["status"] == ending


def test_watching_says_what_it_cannot_see(cdp: Cdp, site: Migrations) -> None:
    assert cdp.error("migrate", "watch", LOGS, "--company", site.company) == "NOT_STARTED"
    assert cdp.error("migrate", "watch", LOGS, "--request", "none") == "REQUEST_NOT_FOUND"
    assert cdp.error("migrate", "status", LOGS, "--request", "none") == "REQUEST_NOT_FOUND"
    start(cdp, site)
    code = cdp.error("migrate", "watch", LOGS, "--company", site.company, "--timeout", 1, exit_code=1)
    assert code == "WAIT_TIMED_OUT"
    shown = cdp("migrate", "watch", LOGS, "--company", site.company, "--timeout", 1)
    assert "queued" in shown.stderr


def test_a_rollback_wants_its_company_typed(cdp: Cdp, site: Migrations) -> None:
    site.fill(20)
    start(cdp, site)
    run_queue(site)
    asked = ("migrate", "rollback", LOGS, "--company", site.company)
    assert cdp.error(*asked) == "CONFIRMATION_REQUIRED"
    assert cdp.error(*asked, "--confirm", "another") == "CONFIRMATION_REQUIRED"
    assert site.tick() == []
    (request,) = cdp.json(*asked, "--confirm", site.company)["requests"]
    assert request["action"] == "rollback"
    run_queue(site)
    assert site.logs() == []
    (facts,) = cdp.json("migrate", "watch", LOGS, "--request", request["request_id"])
    assert facts["request"]["status"] == "completed"
    assert (facts["status"], facts["records_rolled_back"]) == ("rolled_back", 20)
    (facts,) = cdp.json("migrate", "watch", LOGS, "--company", site.company)
    assert facts["status"] == "rolled_back"


def test_what_waits_is_canceled(cdp: Cdp, site: Migrations) -> None:
    assert cdp.error("migrate", "cancel", LOGS, "--company", site.company) == "MIGRATION_ENDED"
    first, second = start(cdp, site), start(cdp, site)
    (asked,) = cdp.json("migrate", "cancel", LOGS, "--request", first)
    assert asked == {"company_sso_id": site.company, "request_id": first, "status": "queued"}
    run_queue(site)
    assert site.the_request(first)["status"] == "canceled"
    assert site.the_request(second)["status"] == "completed"
    assert cdp.error("migrate", "cancel", LOGS, "--request", first) == "MIGRATION_ENDED"
    start(cdp, site, "--force")
    assert "Asked to stop" in cdp("migrate", "cancel", LOGS, "--company", site.company).stdout


def test_what_was_launched_from_the_ui_is_canceled_and_goes_on_when_started_again(cdp: Cdp, site: Migrations) -> None:
    site.fill(60)
    stopped: list[Any] = []

    def stop(page: int) -> None:
        if not stopped:
            stopped.extend(cdp.json("migrate", "cancel", LOGS, "--company", site.company))

    resource = site.at_insert(2, stop)
    assert not site.run(config={"page_rows": 10}, resource=resource).success
    resource.cdp_mongo.close()
    assert stopped[0]["job_id"] == site.job()["_id"]
    facts = status(cdp, site)
    assert facts["status"] == "canceled"
    assert 0 < facts["records_migrated"] < 60
    start(cdp, site)
    run_queue(site)
    again = status(cdp, site)
    assert (again["status"], again["job_id"], again["records_migrated"]) == ("completed", facts["job_id"], 60)


def test_quarantined_rows_are_listed_and_run_again(cdp: Cdp, site: Migrations) -> None:
    asked = ("migrate", "replay", LOGS, "--company", site.company)
    assert cdp.error(*asked) == "NOT_MIGRATED"
    assert cdp.error(*asked, "--evidence") == "LIST_MISSING"
    assert cdp.json(*asked, "--list") == []
    site.fill(40, unreadable=[1, 2])
    start(cdp, site)
    run_queue(site)
    rows = cdp.json(*asked, "--list")
    assert [(row["source_id"], row["reason_code"]) for row in rows] == [
        ("2", "unreadable_changes"), ("3", "unreadable_changes"),
    ]  # fmt: skip
    assert not any("evidence" in row for row in rows)
    assert "audited_changes" in cdp.json(*asked, "--list", "--evidence")[0]["evidence"]
    assert cdp(*asked, "--list").stdout.startswith("2\tunreadable_changes\t")
    site.crm.connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE id = 2")
    (result,) = cdp.json(*asked)
    assert (result["looked_at"], result["migrated"], result["still_failed"]) == (2, 1, 1)
    assert result["status"] == "completed_with_errors"
    assert result["checks_evaluated"] is False, "Dagster knows no such company"
    site.crm.connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE id = 3")
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("company", [site.company])
        shown = cdp(*asked)
        assert latest_check(instance, "match_pct", site.company) == (True, 100.0)
        assert latest_check(instance, "failure_rate", site.company) == (True, 0.0)
    assert shown.exit_code == 0
    assert "completed" in shown.stdout
    assert cdp.json(*asked, "--list") == []
    assert status(cdp, site)["match_pct"] == 100.0


def latest_check(instance: dg.DagsterInstance, name: str, company: str) -> tuple[bool, object]:
    """Whether the company's newest evaluation of a check passed, and the number that goes by the check's name."""
    key = dg.AssetCheckKey(dg.AssetKey("activity_logs"), name)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=20)
    for record in records:
        event = record.event.dagster_event if record.event else None
        evaluation = event.asset_check_evaluation_data if event else None
        if evaluation is not None and evaluation.partition == company:
            return evaluation.passed, evaluation.metadata[name].value
    raise AssertionError(f"{name} was not evaluated for {company}")


@pytest.mark.parametrize("wrong", [{"DAGSTER_HOME": ""}, {"DAGSTER_HOME": "/not/there"}, {"DAGSTER_PG_URL": ""}])
def test_where_dagster_is_not_reached_a_replay_says_who_can_evaluate_the_checks(
    cdp: Cdp, site: Migrations, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    site.fill(3)
    start(cdp, site)
    run_queue(site)
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    shown = cdp("migrate", "replay", LOGS, "--company", site.company)
    assert shown.exit_code == 0
    assert "Run activity_logs_checks there" in shown.stderr


def test_reasons_add_up_when_more_rows_failed_than_a_job_lists(cdp: Cdp, site: Migrations) -> None:
    site.fill(20, unreadable=[0])
    start(cdp, site)
    run_queue(site)
    jobs, failures = site.db["crm_activity_log_migration_jobs"], site.db["migration_failures"]
    kept = failures.find_one({})
    assert kept is not None
    more = [{**kept, "_id": f"{kept['_id']}-{n}", "reason_code": "write_failed"} for n in range(5)]
    failures.insert_many(more)
    jobs.update_one({"_id": site.job()["_id"]}, {"$set": {"records_failed": 8}})
    assert status(cdp, site)["failed_reasons"] == {"unreadable_changes": 1, "write_failed": 5, "not listed": 2}


def crm_findings(cdp: Cdp, exit_code: int = 0) -> dict[str, str]:
    answer = cdp.json("doctor", "--only", "crm", "--only", "launchpad", exit_code=exit_code)
    return {f"{finding['system']}/{finding['check']}": finding["state"] for finding in answer["findings"]}


def test_the_doctor_finds_a_crm_that_can_be_migrated(cdp: Cdp) -> None:
    assert crm_findings(cdp) == {
        "crm/reachable": "ok", "crm/read only": "ok", "crm/encoding": "ok", "crm/role": "note", "crm/tables": "ok",
        "crm/notes": "ok", "crm/categories": "ok", "launchpad/reachable": "ok",
    }  # fmt: skip


def test_the_doctor_says_that_a_database_does_not_know_its_encoding(
    cdp: Cdp, site: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"crm_{uuid.uuid4().hex[:12]}"
    site.crm.connection.execute(
        f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
    )
    try:
        dsn = make_conninfo(site.crm.dsn, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            create_crm_schema(connection)
        monkeypatch.setenv("CRM_AUDIT_DATABASE_URL", dsn)
        found = crm_findings(cdp)
        assert (found["crm/encoding"], found["crm/tables"]) == ("note", "ok")
    finally:
        site.crm.connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_doctor_names_the_table_that_is_missing_or_closed(
    cdp: Cdp, site: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm, role = site.crm.connection, f"reader_{uuid.uuid4().hex[:8]}"
    crm.execute("DROP TABLE tickets")
    crm.execute(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret'")
    try:
        crm.execute(f"GRANT SELECT ON audits, crm_people, crm_deals, crm_companies, crm_tasks TO {role}")
        dsn = make_conninfo(site.crm.dsn, user=role, password="s3cret")
        assert "password=s3cret" in dsn
        monkeypatch.setenv("CRM_AUDIT_DATABASE_URL", dsn)
        found = crm_findings(cdp, exit_code=1)
        assert (found["crm/tickets"], found["crm/users"]) == ("broken", "broken")
        assert (found["crm/tables"], found["crm/role"]) == ("ok", "ok")
        assert "s3cret" not in cdp("doctor", "--only", "crm").output
    finally:
        crm.execute(f"DROP OWNED BY {role}")
        crm.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("dsn", ["postgresql://u:s3cret@127.0.0.1:9/crm", "password=s3cret nonsense"])
def test_the_doctor_tells_no_secret_of_a_crm_that_does_not_answer(
    cdp: Cdp, monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    monkeypatch.setenv("CRM_AUDIT_DATABASE_URL", dsn)
    assert crm_findings(cdp, exit_code=1)["crm/CRM_UNAVAILABLE"] == "broken"
    assert "s3cret" not in cdp("doctor", "--only", "crm").output


def test_a_crm_without_a_launchpad_is_broken_and_neither_is_just_off(cdp: Cdp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAUNCHPAD_API_ROOT_URL")
    assert crm_findings(cdp, exit_code=1)["launchpad/configured"] == "broken"
    monkeypatch.delenv("CRM_AUDIT_DATABASE_URL")
    assert crm_findings(cdp) == {"crm/configured": "note", "launchpad/configured": "note"}
