"""Every block of `docs/documents.md` is fed to the queues on real servers, and does what the page says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines_tests.integration.pipelines.entity_harness import EntityExportsOf
from cdp_pipelines_tests.integration.pipelines.harness import Exports
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations
from cdp_pipelines_tests.support.mongosh import blocks, blocks_of, paste

pytestmark = pytest.mark.any_mongo

COMPANY = "5f8a1f3e-0000-4000-8000-000000000001"
CID, PERSON = 4711, 123


def paste_the_company(database: Any) -> None:
    """Everything above the first request."""
    first = blocks_of("bulk_upload_jobs", "insertOne")[0]
    for block in blocks()[: blocks().index(first)]:
        paste(database, block)


def test_the_contact_exports_of_the_page(exports: Exports) -> None:
    paste_the_company(exports.db)
    (requests,) = blocks_of("bulk_upload_jobs", "insertOne")
    (stop,) = blocks_of("bulk_upload_jobs", "findOneAndUpdate")

    paste(exports.db, requests)
    for request in exports.tick():
        exports.run(request)
    jobs = list(exports.db["bulk_upload_jobs"].find().sort("_id", 1))
    assert [(job["status"], job["success_count"], job["failed_count"]) for job in jobs] == [("completed", 1, 0)] * 3
    assert [job["result"]["file_name"].rpartition(".")[2] for job in jobs] == ["xlsx", "csv", "xlsx"]
    assert all("Ann Wijaya" in exports.content(job).decode() for job in jobs[1:2])

    paste(exports.db, requests)
    (stopped,) = paste(exports.db, stop)
    for request in exports.tick():
        exports.run(request)
    assert exports.job(stopped["job_id"])["status"] == "canceled"
    assert exports.db["bulk_upload_jobs"].count_documents({"status": "completed"}) == 5


def test_the_entity_exports_of_the_page(entities: EntityExportsOf) -> None:
    paste_the_company(entities.db)
    (requests,) = blocks_of("exports", "insertOne")
    (stop,) = blocks_of("exports", "findOneAndUpdate")

    paste(entities.db, requests)
    services = entities.services(ahead=timedelta(minutes=2))
    # As the sensor does two minutes later.
    (schedule,) = services.schedules.due(services.now(), 10)
    services.schedules.fire(schedule, now=services.now())
    for request in entities.tick():
        entities.run(request)
    found = {export["exported_object"]: export for export in entities.db["exports"].find()}
    ended = {name: (export["status"], (export["result"] or {}).get("record_count")) for name, export in found.items()}
    assert ended == {"voucher": ("DONE", 1), "order": ("DONE", 1)}
    assert found["order"]["schedule_id"] == "sch-orders"

    again = entities.export("voucher", company_sso_id=COMPANY, template="Vouchers by channel")
    assert again["status"] == "DONE", again["error"]
    assert again["exported_as"]["format"] == "XLSX"

    entities.queue("order", company_sso_id=COMPANY)
    (stopped,) = paste(entities.db, stop)
    for request in entities.tick():
        entities.run(request)
    assert entities.document(stopped["id"])["status"] == "CANCELED"


def test_the_migrations_of_the_page(migrations: Migrations) -> None:
    m = migrations
    paste_the_company(m.db)
    m.crm.person(CID, PERSON)
    for _ in range(3):
        m.crm.audit(CID, comment=f'{{"crm_person_id": {PERSON}}}', created_at=datetime(2024, 3, 1, tzinfo=UTC))
    start, take_back = blocks_of("migration_requests", "insertOne")
    (job,) = blocks_of("crm_activity_log_migration_jobs", "findOne")
    (written,) = blocks_of("activity_logs", "find")

    (asked,) = paste(m.db, start)
    (request,) = m.tick()
    assert m.run_requested(request).success
    assert m.the_request(asked)["status"] == "completed"
    assert paste(m.db, job)[0]["status"] == "completed"
    assert [document["external_id"] for document in paste(m.db, written)[0]] == [f"crm_audit:{n}" for n in (1, 2, 3)]

    (asked,) = paste(m.db, take_back)
    (request,) = m.tick()
    assert m.run_requested(request).success
    assert m.the_request(asked)["status"] == "completed"
    assert paste(m.db, job)[0]["status"] == "rolled_back"
    assert paste(m.db, written) == [[]]


def test_what_is_left_of_the_page_can_be_pasted_too(exports: Exports) -> None:
    pasted = [paste(exports.db, block) for block in blocks()]

    assert all(pasted)
