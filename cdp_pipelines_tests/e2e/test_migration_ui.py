"""Ops and stewards in the Dagster UI alone: coverage, one company, a backfill, a halt, going on, checks, a rollback."""

import os
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import httpx
import psycopg
import pytest
from pymongo import MongoClient

from cdp_pipelines.local.crm_schema import empty_organization
from cdp_pipelines.local.demo_crm import bulk_load
from cdp_pipelines.local.demo_crm_shapes import CrmShape
from cdp_pipelines.local.ports import free_ports
from cdp_pipelines.stores.migrations.runner import Migrator
from cdp_pipelines_tests.e2e.conftest import CHROMIUM, DATABASE
from cdp_pipelines_tests.e2e.dagster_services import webserver
from cdp_pipelines_tests.support.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

SYNCED = datetime(2024, 6, 1, tzinfo=UTC)
CLEAN = CrmShape(unreadable=0, people_without_contact=0, invalid_timestamps=0, foreign=0)
BROKEN = CrmShape(unreadable=0.3, people_without_contact=0, invalid_timestamps=0, foreign=0)
LOCATION = "locations/cdp_pipelines"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt: chromium)"),
]


class Site:
    """Companies in the daemon's database and CRM, and what became of them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env
        self.client: MongoClient[dict[str, Any]] = MongoClient(env["CDP_MONGO_URI"], tz_aware=True)
        self.db = self.client[DATABASE]
        Migrator(self.db).up()
        self._cid = 700

    def company(self, key: str, *, people: int, contacts: int, audits: int, shape: CrmShape) -> str:
        self._cid += 1
        cid = self._cid
        features = {"crm_activity_logs_migration_enabled": True}
        self.db["companies"].insert_one({"_id": key, "cid": cid, "name": key, "features": features})
        ids = [cid * 10_000 + number for number in range(1, people + 1)]
        self.db["contacts"].insert_many(
            [
                {"company_sso_id": key, "name": "C", "crm_data": {"id": str(number)}, "created_at": SYNCED}
                for number in ids[:contacts]
            ]
        )
        bulk_load(
            self.env["CRM_AUDIT_DATABASE_URL"], organization_id=cid, people=[(number, SYNCED) for number in ids],
            audits=audits, seed=cid, first_audit_id=cid * 1_000_000, shape=shape,
        )  # fmt: skip
        return key

    def mend(self) -> None:
        """What a developer does about texts that no reader reads."""
        with psycopg.connect(self.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as connection:
            connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE organization_id = %s", (self._cid,))

    def job(self, company: str) -> dict[str, Any] | None:
        found = self.db["crm_activity_log_migration_jobs"].find_one(
            {"company_sso_id": company}, sort=[("created_at", -1)]
        )
        return found if found is not None and found["status"] != "in_progress" else None

    def ended(self, company: str, *statuses: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.job(company)
            return found if found is not None and found["status"] in statuses else None

        return wait_for(f"{company} to be {statuses}", look, seconds=180)

    def close(self) -> None:
        with psycopg.connect(self.env["CRM_AUDIT_DATABASE_URL"], autocommit=True) as connection:
            for cid in range(701, self._cid + 1):
                empty_organization(connection, cid)
        self.client.close()


@pytest.fixture
def site(daemon_env: Mapping[str, str]) -> Iterator[Site]:
    made = Site(daemon_env)
    yield made
    made.close()


def newest_run(url: str) -> dict[str, str]:
    """Id and status of the newest run, as the UI's own server says."""
    query = "{ runsOrError(limit: 1) { ... on Runs { results { id status } } } }"
    answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=30).json()
    results: list[dict[str, str]] = answer["data"]["runsOrError"]["results"]
    return results[0] if results else {"id": "", "status": ""}


def materialize(page: "Page", url: str, asset: str, company: str) -> None:
    """Launch one partition from the asset's page, and wait until its run has ended."""
    before = newest_run(url)["id"]
    page.goto(f"{url}/assets/{asset}?view=partitions&partition={company}")
    page.get_by_role("button", name="Materialize…").click()
    page.get_by_text("1 partition", exact=True).first.wait_for()
    page.get_by_role("button", name="Launch 1 run").click()

    def ended() -> bool:
        run = newest_run(url)
        return run["id"] != before and run["status"] in {"SUCCESS", "FAILURE"}

    wait_for(f"a run of {asset} for {company}", ended, seconds=120)


def roll_back(page: "Page", url: str, company: str) -> None:
    """Launch the rollback from the launchpad, with its confirmation typed."""
    page.goto(f"{url}/{LOCATION}/jobs/activity_logs_rollback/playground")
    box = page.get_by_placeholder("Partition")
    box.click()
    box.fill(company)
    page.get_by_text(company).last.wait_for()
    page.keyboard.press("Enter")
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(f"ops:\n  roll_back_activity_logs:\n    config:\n      confirm: {company}\n")
    page.get_by_text("No errors").first.wait_for()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/**")


def test_ops_do_everything_from_the_ui(
    site: Site, running_daemon: Path, daemon_env: Mapping[str, str], page: "Page", screenshots: Path, tmp_path: Path
) -> None:
    uncovered = site.company("ui-uncovered", people=40, contacts=30, audits=50, shape=CLEAN)
    fine = [site.company(f"ui-fine-{n}", people=20, contacts=20, audits=120, shape=CLEAN) for n in (1, 2, 3)]
    broken = site.company("ui-broken", people=20, contacts=20, audits=1_200, shape=BROKEN)
    with webserver(daemon_env, tmp_path / "webserver.log", free_ports(1)[0]) as url:
        page.goto(f"{url}/assets/crm_contact_coverage?view=partitions")
        page.get_by_text(broken).first.wait_for(timeout=90_000)
        page.get_by_text(uncovered).first.wait_for()

        materialize(page, url, "crm_contact_coverage", uncovered)
        page.goto(f"{url}/assets/crm_contact_coverage?view=partitions&partition={uncovered}")
        page.get_by_text("missing_people").first.wait_for(timeout=90_000)
        page.screenshot(path=screenshots / "coverage.png")

        materialize(page, url, "activity_logs", fine[0])
        assert site.ended(fine[0], "completed", "completed_with_errors")["match_pct"] >= 99

        page.goto(f"{url}/assets/activity_logs?view=partitions")
        page.get_by_text(broken).first.wait_for()
        page.get_by_role("button", name="Materialize…").click()
        page.get_by_role("button", name="Missing", exact=True).click()
        page.get_by_role("button", name="Launch").last.click()
        for company in fine:
            site.ended(company, "completed", "completed_with_errors")
        halted = site.ended(broken, "halted")
        assert site.db["crm_activity_log_migration_jobs"].count_documents({"company_sso_id": uncovered}) == 0

        page.goto(f"{url}/runs/{halted['run_id']}?logs=type%3ASTEP_FAILURE")
        page.get_by_text("so the migration halted").first.wait_for()
        page.screenshot(path=screenshots / "halted.png")

        site.mend()
        materialize(page, url, "activity_logs", broken)
        went_on = site.ended(broken, "completed_with_errors")
        assert went_on["_id"] == halted["_id"]
        assert went_on["records_processed"] == went_on["records_total"] == 1_200
        page.goto(f"{url}/assets/activity_logs?view=partitions&partition={broken}")
        page.get_by_text("skipped_post_sync_live_feed").or_(page.get_by_text("outcomes")).first.wait_for()
        page.get_by_text("unreadable_changes").first.wait_for()
        page.screenshot(path=screenshots / "why-rows-failed.png")

        page.goto(f"{url}/assets/activity_logs?view=checks&checkDetail=match_pct")
        for check in ("match_pct", "coverage_pct", "failure_rate", "no_duplicates", "watermark_seam"):
            page.get_by_text(check).first.wait_for()
        page.get_by_text("Partitions", exact=True).last.click()
        page.get_by_text(fine[1]).first.wait_for()
        page.screenshot(path=screenshots / "checks.png")

        roll_back(page, url, fine[0])
        assert site.ended(fine[0], "rolled_back")["records_rolled_back"] > 0
        page.get_by_text("deleted_in_all").first.wait_for()
        page.screenshot(path=screenshots / "rollback.png")
    assert site.db["activity_logs"].count_documents({"company_sso_id": fine[0]}) == 0
    assert site.db["activity_logs"].count_documents({"company_sso_id": fine[1]}) > 0


def process_of(env: Mapping[str, str], run_id: str) -> int:
    """The process that executes a run, as its own events tell."""
    with dg.DagsterInstance.from_config(env["DAGSTER_HOME"]) as instance:
        for entry in instance.all_logs(run_id):
            event = entry.dagster_event
            if (
                event is not None
                and event.event_type_value == "ENGINE_EVENT"
                and "Executing steps" in (event.message or "")
            ):
                return int(str(event.engine_event_data.metadata["pid"].value))
    raise AssertionError(f"run {run_id} executes nothing")


def test_a_migration_killed_half_way_goes_on_by_itself(
    site: Site, running_daemon: Path, daemon_env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_URL", daemon_env["DAGSTER_PG_URL"])
    company = site.company("ui-killed", people=50, contacts=50, audits=20_000, shape=CLEAN)
    now = datetime.now(UTC)
    request: dict[str, Any] = {
        "_id": "ui-killed-request", "kind": "activity_logs", "action": "start", "status": "queued",
        "company_sso_id": company, "requested_by": "ops", "options": {"page_rows": 20}, "created_at": now,
    }  # fmt: skip
    site.db["migration_requests"].insert_one(request)
    jobs = site.db["crm_activity_log_migration_jobs"]

    def working() -> dict[str, Any] | None:
        return jobs.find_one({"company_sso_id": company, "records_processed": {"$gt": 0}})

    job = wait_for("the first counted page", working, seconds=120)
    os.kill(process_of(daemon_env, job["run_id"]), signal.SIGKILL)
    left = jobs.find_one({"company_sso_id": company}) or {}
    assert (left["status"], left["run_id"]) == ("in_progress", job["run_id"])
    assert left["records_processed"] < 20_000
    ended = site.ended(company, "completed")
    assert (ended["_id"], ended["starts"], ended["records_processed"]) == (job["_id"], 2, 20_000)
    assert ended["run_id"] != job["run_id"]
    there = site.db["activity_logs"].count_documents({"company_sso_id": company, "source_tag": "crm_migration"})
    present = ended["records_skipped"].get("duplicate_external_id", 0)
    assert ended["records_migrated"] <= there <= ended["records_migrated"] + present
    assert ended["match_pct"] == 100.0
    answered = wait_for(
        "the request to end",
        lambda: site.db["migration_requests"].find_one({"_id": request["_id"], "status": "completed"}),
        seconds=60,
    )
    assert answered["run_id"] == ended["run_id"]
