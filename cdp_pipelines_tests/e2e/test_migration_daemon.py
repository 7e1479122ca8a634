"""Migrations under the real daemon, without a browser: a run's process that is killed."""

import os
import signal
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_pipelines_tests.e2e.migration_site import CLEAN, Site
from cdp_pipelines_tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)


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
