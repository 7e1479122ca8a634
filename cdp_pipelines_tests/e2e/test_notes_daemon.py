"""Notes from the queue to the CDP under the real daemon, their files included, and back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cdp_pipelines.local.crm_schema import empty_organization
from cdp_pipelines.local.demo_crm import bulk_load_notes
from cdp_pipelines_tests.e2e.migration_site import SYNCED, Site
from cdp_pipelines_tests.support.waiting import wait_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.timeout(600)

KEY, CID = "ui-notes", 690
NOTES, FILES = 200, 12


def ask(site: Site, action: str, **more: Any) -> None:
    now = datetime.now(UTC)
    request: dict[str, Any] = {
        "_id": f"{KEY}-{action}", "kind": "contact_notes", "action": action, "status": "queued",
        "company_sso_id": KEY, "requested_by": "ops", "created_at": now, "updated_at": now, **more,
    }  # fmt: skip
    site.db["migration_requests"].insert_one(request)


def ended(site: Site, *statuses: str) -> dict[str, Any]:
    jobs = site.db["crm_notes_migration_jobs"]
    wanted = {"company_sso_id": KEY, "status": {"$in": list(statuses)}}
    return wait_for(f"{KEY} to be {statuses}", lambda: jobs.find_one(wanted), seconds=180)


def test_notes_are_moved_and_taken_back(
    site: Site, running_daemon: Path, daemon_env: dict[str, str], s3: "S3Client"
) -> None:
    site.db["companies"].insert_one(
        {"_id": KEY, "cid": CID, "name": KEY, "features": {"crm_notes_migration_enabled": True}}
    )
    people = [CID * 10_000 + number for number in range(1, 11)]
    site.db["contacts"].insert_many(
        [{"company_sso_id": KEY, "name": "C", "crm_data": {"id": str(each)}, "created_at": SYNCED} for each in people]
    )
    dsn = daemon_env["CRM_AUDIT_DATABASE_URL"]
    try:
        bulk_load_notes(
            dsn, organization_id=CID, people=[(each, SYNCED) for each in people], notes=NOTES, seed=1,
            first_note_id=CID * 1_000_000, attachments_root_url=daemon_env["CRM_API_ROOT_URL"], attachments=FILES,
        )  # fmt: skip
        ask(site, "start")
        job = ended(site, "completed_success")
        assert (job["notes_migrated"], job["match_pct"]) == (NOTES, 100.0)
        assert job["notes"]["attachments_stored"] == FILES
        notes = list(site.db["contact_notes"].find({"company_sso_id": KEY}))
        assert len(notes) == NOTES
        urls = {entry["url"] for note in notes for entry in note["attachments"]}
        stored = s3.list_objects_v2(Bucket=daemon_env["CDP_S3_BUCKET"], Prefix=f"{KEY}/")["Contents"]
        assert urls == {f"{daemon_env['CDP_FILES_ROOT_URL']}/{item['Key']}" for item in stored}
        assert len(urls) == FILES
        ask(site, "rollback", confirm=KEY)
        ended(site, "rolled_back")
        assert site.db["contact_notes"].count_documents({"company_sso_id": KEY}) == 0
        assert s3.list_objects_v2(Bucket=daemon_env["CDP_S3_BUCKET"], Prefix=f"{KEY}/")["KeyCount"] == 0
    finally:
        import psycopg

        with psycopg.connect(dsn, autocommit=True) as connection:
            empty_organization(connection, CID)
