"""Documents that cannot be read, between honest ones, under the real daemon: in all four systems the others go on."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from cdp_pipelines_tests.e2e.dagster_services import REPOSITORY, tool
from cdp_pipelines_tests.e2e.migration_site import CLEAN, Site
from cdp_pipelines_tests.integration.pipelines.harness import Document, Exports, contact_id
from cdp_pipelines_tests.integration.pipelines.test_one_document import READ_ALL, insert_odd
from cdp_pipelines_tests.integration.pipelines.test_tenancy import FEATURES
from cdp_pipelines_tests.support.hostile import ago, with_bad_uuid, with_no_text
from cdp_pipelines_tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(600)

ODD = "odd-company"
ENDED = {"completed", "DONE", "completed_with_errors", "failed", "ERROR", "halted"}


@pytest.fixture
def odd_documents(live: Exports, running_daemon: Path) -> Iterator[str]:
    """A company whose documents hold anything, removed with them after the test."""
    yield ODD
    for name in ("bulk_upload_jobs", "exports", "migration_requests", "export_schedules", "companies", "contacts"):
        live.db[name].delete_many({"$or": [{"company_sso_id": ODD}, {"_id": ODD}, {"odd": True}]})


def queue_neighbours(live: Exports, site: Site, number: int) -> dict[str, Any]:
    """One honest request in each of the four queues; ids by kind."""
    at = ago(hours=2 - number)
    export_id = f"exp_{ObjectId()}"
    live.db["exports"].insert_one(
        {
            "id": export_id, "company_sso_id": live.company, "exported_object": "order", "status": "SCHEDULED",
            "channel": "API", "parameters": {}, "user_sso_id": "user-1", "created_at": at, "updated_at": at,
        }
    )  # fmt: skip
    found: dict[str, Any] = {"contacts": live.queue(contact_ids=[contact_id(1)], created_at=at), "entities": export_id}
    for kind in ("activity_logs", "contact_notes"):
        company = site.company(f"beside-{kind}-{number}-{ObjectId()}", people=1, contacts=1, audits=3, shape=CLEAN)
        site.db["companies"].update_one({"_id": company}, {"$set": {"features.crm_notes_migration_enabled": True}})
        request: Document = {
            "_id": ObjectId(), "kind": kind, "action": "start", "status": "queued", "company_sso_id": company,
            "requested_by": "ops", "options": {}, "created_at": at, "updated_at": at,
        }  # fmt: skip
        site.db["migration_requests"].insert_one(request)
        found[kind] = request["_id"]
    return found


def documents(live: Exports, neighbours: Mapping[str, Any]) -> dict[str, Document]:
    of = {
        "contacts": ("bulk_upload_jobs", "job_id"), "entities": ("exports", "id"),
        "activity_logs": ("migration_requests", "_id"), "contact_notes": ("migration_requests", "_id"),
    }  # fmt: skip
    return {kind: live.db[name].find_one({key: neighbours[kind]}) or {} for kind, (name, key) in of.items()}


def test_documents_that_cannot_be_read_keep_nobody_waiting(
    live: Exports, site: Site, odd_documents: str, running_daemon: Path, daemon_env: Mapping[str, str]
) -> None:
    live.db["companies"].update_one({"_id": live.company}, {"$set": {"features": FEATURES}})
    live.db["companies"].insert_one({"_id": ODD, "cid": 1, "name": "Odd", "features": {}})
    before = queue_neighbours(live, site, 0)
    for collection in ("bulk_upload_jobs", "exports", "migration_requests"):
        insert_odd(live.db, collection, ODD)
    now = datetime.now(UTC)
    schedule = {
        "company_sso_id": ODD, "exported_object": "order", "parameters": {}, "cron": "30 2 * * *", "timezone": "UTC",
        "enabled": True, "next_run_at": ago(hours=1), "missed": 0, "odd": True,
    }  # fmt: skip
    live.db["export_schedules"].insert_one(with_no_text({"_id": "odd-1", **schedule}, "name"))
    live.db["export_schedules"].insert_one(with_bad_uuid({"_id": "odd-2", **schedule, "name": "n"}, "note"))
    live.db["companies"].insert_one(with_no_text({"_id": "odd-3", "odd": True, "cid": 9}, "name"))
    contact = {"company_sso_id": live.company, "created_at": now, "updated_at": now}
    live.db["contacts"].insert_one(with_no_text({"_id": ObjectId(), **contact}, "name"))
    after = queue_neighbours(live, site, 1)

    def all_ended() -> bool:
        found = [*documents(live, before).values(), *documents(live, after).values()]
        return all(document["status"] in ENDED for document in found)

    wait_for("the neighbours' ends", all_ended, seconds=300, every=1)
    for kind, document in {**documents(live, before), **documents(live, after)}.items():
        assert document["status"] not in {"failed", "ERROR"} or kind == "contact_notes", (kind, document["error"])

    def odd_ended() -> bool:
        raw = live.db["bulk_upload_jobs"].with_options(codec_options=READ_ALL)
        open_left = raw.count_documents({"company_sso_id": ODD, "job_type": "export", "status": "queued"})
        off = live.db["export_schedules"].count_documents({"_id": "odd-2", "enabled": False})
        return open_left == 0 and off == 1

    wait_for("the odd ones' ends", odd_ended, seconds=120, every=1)
    told = [each["_id"] for each in live.db["alert_causes"].find({"_id": {"$regex": "^document_set_aside:"}})]
    assert any(cause.startswith("document_set_aside:bulk_upload_jobs:") for cause in told)
    assert len(told) == len(set(told))
    environment = {**os.environ, **daemon_env, "NO_COLOR": "1"}
    commands = (["export", "list", "--json"], ["migrate", "status", "activity-logs", "--all-companies", "--json"])
    for command in commands:
        done = subprocess.run(
            [tool("cdp"), *command], env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)
    log = running_daemon.read_text()
    assert "InvalidBSON" not in log
