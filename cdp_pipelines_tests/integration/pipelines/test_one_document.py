"""One document harms only itself: bytes that are no text, dates beyond the calendar, wrong types, anywhere (SPEC 2).

Each is put between honest neighbours of another company, and the tick, sweep or list that meets it goes on.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import dagster as dg
import pytest
from bson import ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from pymongo.errors import OperationFailure

from cdp_pipelines.cli.export_queries import recent_exports
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.migrations.sensors import migration_run_failures_sensor
from cdp_pipelines.stores.export_metrics import ExportMetrics
from cdp_pipelines.stores.queue_shape import QueueShape
from cdp_pipelines_tests.integration.pipelines.entity_harness import EntityExportsOf
from cdp_pipelines_tests.integration.pipelines.harness import Document, Exports, contact_id
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations
from cdp_pipelines_tests.integration.pipelines.test_tenancy import FEATURES, queued
from cdp_pipelines_tests.support.hostile import BEYOND, JUNK, PAST, ago, with_bad_uuid, with_no_text

pytestmark = pytest.mark.any_mongo

READ_ALL: bson.CodecOptions[Document] = bson.CodecOptions(
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
)
ASKED = {
    "bulk_upload_jobs": [
        "job_id", "job_type", "status", "company_sso_id", "user_sso_id", "email", "permissions", "selection_mode",
        "contact_ids", "order_by", "order_direction", "filter", "period", "source", "layout_id", "selected_fields",
        "format", "timezone", "locale", "created_at", "launch", "success_count", "started_at", "note", "key:", "_id",
    ],
    "exports": [
        "id", "status", "company_sso_id", "exported_object", "channel", "parameters", "template", "created_at",
        "user_sso_id", "email", "locale", "webhook", "schedule_id", "progress", "attempt", "launch", "key:", "_id",
    ],
    "migration_requests": [
        "kind", "action", "status", "company_sso_id", "requested_by", "options", "confirm", "created_at", "attempt",
        "launch", "run_id", "key:", "_id",
    ],
}  # fmt: skip


def insert_odd(db: Any, collection: str, company: str) -> list[Any]:
    """Documents of a company, each with something odd in one field; returns the `_id`s that can be told."""
    odd: list[Any] = []
    for number, field in enumerate(ASKED[collection]):
        document = queued(collection, company, number)
        odd.append(with_no_text(document, field))
        if field not in {"_id", "key:"}:
            odd.append(with_bad_uuid(queued(collection, company, number), field))
            odd.append({**queued(collection, company, number), field: JUNK[number % len(JUNK)]})
            odd.append({**queued(collection, company, number), field: BEYOND})
    odd += [{**queued(collection, company, 0), "_id": value} for value in ("text", 5, 1.5, {"a": 1}, b"xy", True, PAST)]
    odd.append({**queued(collection, company, 0), "deep": _deep(90), "wide": "x" * 3_000_000})
    placed = []
    for document in odd:
        try:
            db[collection].insert_one(document)
        except OperationFailure:
            continue  # what the server itself refuses does no harm
        placed.append(document)
    assert len(placed) > len(ASKED[collection]) * 3
    return placed


def _deep(levels: int) -> Document:
    found: Document = {}
    for _ in range(levels):
        found = {"a": found}
    return found


def raw_statuses(db: Any, collection: str) -> list[Any]:
    """Every document's status, whatever else it holds."""
    raw = db[collection].with_options(codec_options=READ_ALL)
    return [found.get("status") for found in raw.find({}, {"status": 1, "_id": 0})]


def empty_queue(tick: Any) -> list[str]:
    """Ticks until nothing waits any more; what they launched."""
    asked: list[str] = []
    for _ in range(12):
        asked += [request.tags["request_id"] for request in tick()]
    return asked


def test_contact_requests_with_anything_in_any_field(exports: Exports, make_exports: Any) -> None:
    neighbour = make_exports(contacts=0)
    exports.db["companies"].update_one({"_id": exports.company}, {"$set": {"features": FEATURES}})
    first = neighbour.queue(created_at=ago(days=2))
    odd = insert_odd(exports.db, "bulk_upload_jobs", exports.company)
    last = neighbour.queue(created_at=ago(days=1))
    assert {first, last} <= {request.tags["request_id"] for request in exports.tick()}
    empty_queue(exports.tick)
    assert recent_exports(exports.db, company_sso_id="", status="", limit=1_000)
    exports.sweep()
    statuses = raw_statuses(exports.db, "bulk_upload_jobs")
    # All is launched or refused, but for what is no export by its job_type.
    waiting = [status for status in statuses if status not in ("queued", "rejected", "failed")]
    assert len(statuses) == len(odd) + 2
    assert len(waiting) <= 4
    (refused,) = _by_code(exports.db, "bulk_upload_jobs", "DOCUMENT_UNREADABLE", with_id=False)
    assert refused["status"] == "rejected"


def test_refused_requests_with_anything_in_any_field_all_end(exports: Exports) -> None:
    exports.db["companies"].insert_one({"_id": "odd", "cid": 1, "name": "Odd", "features": {}})
    insert_odd(exports.db, "bulk_upload_jobs", "odd")
    assert empty_queue(exports.tick) == []
    raw = exports.db["bulk_upload_jobs"].with_options(codec_options=READ_ALL)
    left = raw.find({"job_type": "export", "status": {"$ne": "rejected"}}, {"deep": 0, "wide": 0})
    assert [(each["status"], each.get("launch"), each.get("note"), each.get("error")) for each in left] == []


def _by_code(db: Any, collection: str, code: str, *, with_id: bool) -> list[Document]:
    raw = db[collection].with_options(codec_options=READ_ALL)
    found = list(raw.find({"error.code": code}, {"status": 1, "error": 1}))
    return [each for each in found if isinstance(each["_id"], ObjectId) is with_id]


def test_entity_requests_with_anything_in_any_field(entities: EntityExportsOf, make_entities: Any) -> None:
    neighbour = make_entities()
    first = neighbour.queue(created_at=ago(days=2))
    insert_odd(entities.db, "exports", entities.company)
    last = neighbour.queue(created_at=ago(days=1))
    assert {first, last} <= {request.tags["request_id"] for request in entities.tick()}
    empty_queue(entities.tick)
    entities.sweep()
    ExportMetrics(entities.db).gauges(now=datetime.now(UTC))
    assert set(map(str, raw_statuses(entities.db, "exports"))) <= {"SCHEDULED", "ERROR"}
    assert recent_exports(entities.db, company_sso_id="", status="", limit=1_000)


def test_migration_requests_with_anything_in_any_field(migrations: Migrations) -> None:
    neighbour, _ = migrations.add_company(people=1)
    first = migrations.request(company_sso_id=neighbour, created_at=ago(days=2))
    odd_company, _ = migrations.add_company(people=0, flag=False)
    insert_odd(migrations.db, "migration_requests", odd_company)
    last = migrations.request(company_sso_id=neighbour, created_at=ago(days=1))
    assert {str(first), str(last)} <= {request.tags["request_id"] for request in migrations.tick()}
    empty_queue(migrations.tick)
    migrations.sweep()
    assert set(map(str, raw_statuses(migrations.db, "migration_requests"))) <= {"queued", "rejected"}


@pytest.mark.parametrize("shape", ["contact", "entity"])
def test_dead_runs_with_anything_in_fields_of_ours_are_ended_and_so_are_their_neighbours(
    exports: Exports, entities: EntityExportsOf, shape: str
) -> None:
    harness: Any = exports if shape == "contact" else entities
    queue: QueueShape = harness.services().jobs.shape
    job_ids = [harness.queue() for _ in range(len(JUNK) + 2)]
    ticked = harness.tick() + harness.tick()
    assert len(ticked) == len(job_ids)
    collection = harness.db[queue.collection]
    for number, job_id in enumerate(job_ids):
        junk = dict.fromkeys(
            (name for name in queue.fields.ours if name not in ("launch", "lease", "expires_at")), None
        )
        junk = {name: JUNK[number % len(JUNK)] for name in junk} if 0 < number < len(job_ids) - 1 else {}
        if number == 1:
            junk |= {"success_count": "n/a", "progress": "n/a", "attempt": "x", "started_at": BEYOND}
        dead = {"status": queue.working, "lease": {"owner_run_id": "run", "expires_at": ago(hours=2)}}
        collection.update_one({queue.id_field: job_id}, {"$set": {**junk, **dead, "updated_at": ago(hours=2)}})
    report = harness.sweep()
    assert report.ended == len(job_ids), report.lines
    assert set(raw_statuses(harness.db, queue.collection)) <= {queue.failed, queue.canceled}


def test_odd_leases_and_claims_do_not_stop_a_sweep(exports: Exports) -> None:
    job_ids = [exports.queue() for _ in JUNK]
    for _ in range(3):
        exports.tick()
    for job_id, junk in zip(job_ids, JUNK, strict=True):
        changes = {"status": "processing", "lease": junk, "launch": junk, "run_id": junk, "updated_at": ago(hours=2)}
        exports.db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": changes})
    exports.sweep()
    assert raw_statuses(exports.db, "bulk_upload_jobs").count("processing") <= len(JUNK)
    later = exports.queue()
    assert [request.tags["request_id"] for request in exports.tick()] == [later]


def test_every_kind_of_id_gets_its_turn_in_a_sweep(entities: EntityExportsOf) -> None:
    """A walk with `$gt` alone never leaves the type it is in."""
    ids: list[Any] = [f"text-{n:03d}" for n in range(55)] + [ObjectId() for _ in range(55)] + [1, 2.5, b"x", True]
    for value in ids:
        entities.db["exports"].insert_one(
            {"_id": value, "status": "IN_PROGRESS", "id": f"exp_{ObjectId()}", "company_sso_id": "nobody"}
        )
    from cdp_pipelines.pipelines.entity_export.kind import ENTITY_EXPORT
    from cdp_pipelines.pipelines.exports.sweep import sweep_exports

    seen, cursor = 0, None
    for _ in range(4):
        report = sweep_exports(ENTITY_EXPORT, entities.services(), entities.instance, after=cursor)
        seen, cursor = seen + report.looked_at, report.cursor or None
    assert seen == len(ids)
    assert set(raw_statuses(entities.db, "exports")) == {"ERROR"}


def test_one_file_that_cannot_be_removed_keeps_no_other_waiting(exports: Exports) -> None:
    done = [exports.export(contact_ids=[contact_id(1)]) for _ in range(2)]
    foreign = {"object_key": done[1]["object_key"], "status": "failed", "cleanup_pending": True}
    for document, changes in ((done[0], foreign), (done[1], {"status": "failed", "cleanup_pending": True})):
        exports.db["bulk_upload_jobs"].update_one({"_id": document["_id"]}, {"$set": changes})
    report = exports.sweep()
    assert sum("removed" in line for line in report.lines) == 2
    assert exports.objects() == [done[0]["result"]["key"]]


def test_an_odd_schedule_is_switched_off_and_its_neighbours_fire(entities: EntityExportsOf) -> None:
    now = datetime.now(UTC)
    common: Document = {
        "company_sso_id": entities.company, "exported_object": "order", "parameters": {}, "cron": "30 2 * * *",
        "timezone": "UTC", "enabled": True, "next_run_at": now - timedelta(hours=1), "missed": 0,
    }  # fmt: skip
    odd: list[Any] = [
        with_no_text({"_id": "a", **common, "name": "x"}, "_id"),
        with_no_text({"_id": "b", **common}, "name"),
        with_bad_uuid({"_id": "c", **common, "name": "c"}, "note"),
        {"_id": "d", **common, "name": "d", "next_run_at": bson.DatetimeMS(-(2**60))},
        {"_id": {"a": 1}, **common, "name": "e", "cron": {"$ne": 1}},
        {"_id": 5, **common, "name": "f", "timezone": 5, "parameters": "x"},
    ]
    for document in odd:
        entities.db["export_schedules"].insert_one(document)
    entities.db["export_schedules"].insert_one({"_id": "good", **common, "name": "good"})
    entities.tick()
    found = list(
        entities.db["export_schedules"].with_options(codec_options=READ_ALL).find({}, {"enabled": 1, "error": 1})
    )
    off = {str(each["_id"]): each["error"]["code"] for each in found if not each["enabled"]}
    assert off["Caf\ufffd\ufffd"] == off["c"] == "DOCUMENT_UNREADABLE"
    assert off.keys() >= {"d", "{'a': 1}", "5"}
    assert entities.db["exports"].count_documents({"schedule_id": "good"}) == 1


def test_fields_of_a_layout_that_cannot_be_read_are_left_out(exports: Exports) -> None:
    layout = f"{exports.company}-layout"
    field: Document = {"company_sso_id": exports.company, "layout_id": layout, "position": 9, "field_type": "url"}
    exports.db["field_properties"].insert_one(with_bad_uuid({**field, "_id": "odd", "name": "x"}, "note"))
    exports.db["field_properties"].insert_one(with_no_text({**field, "_id": "odd2", "name": "y"}, "name_alias"))
    job = exports.export(contact_ids=[contact_id(1)])
    assert job["status"] == "completed"
    assert exports.content(job).decode("utf-8-sig").splitlines()[0] == "Full name,Created,Deal value,Caf\ufffd\ufffd"


def test_contacts_with_bytes_that_are_no_text_are_in_the_file(exports: Exports) -> None:
    odd = {"_id": ObjectId(contact_id(20)), "company_sso_id": exports.company, "created_at": PAST, "updated_at": PAST}
    exports.db["contacts"].insert_one(with_no_text(odd, "name"))
    exports.db["contacts"].insert_one(with_no_text({**odd, "_id": ObjectId(contact_id(21)), "name": "N"}, "key:"))
    job = exports.export(contact_ids=[contact_id(n) for n in (1, 20, 21, 2)], selected_fields=["name"])
    assert job["status"] == "completed"
    rows = exports.content(job).decode("utf-8-sig").splitlines()
    assert rows == ["Full name", "Customer 1", "Caf\ufffd\ufffd", "N", "Customer 2"]
    by_criterion = exports.export(contact_ids=..., selection_mode="first_10k_sorted", selected_fields=["name"])
    assert "Caf\ufffd\ufffd" in exports.content(by_criterion).decode("utf-8-sig")


@pytest.mark.parametrize("mode", ["contact_ids", "first_10k_sorted"])
def test_a_contact_that_the_driver_will_not_decode_harms_no_other(exports: Exports, mode: str) -> None:
    odd: Document = {"_id": ObjectId(contact_id(30)), "company_sso_id": exports.company, "name": "Odd"}
    value = {"key": "value", "value": 5, "currency_code": "IDR"}
    exports.db["contacts"].insert_one(with_bad_uuid({**odd, "created_at": PAST, "custom_fields": [value]}, "source"))
    exports.db["field_properties"].insert_one(
        {
            "_id": "source", "company_sso_id": exports.company, "layout_id": f"{exports.company}-layout", "position": 9,
            "name": "source", "name_alias": "Source", "field_type": "single_line_text", "is_default": True,
        }
    )  # fmt: skip
    asked: Document = (
        {"contact_ids": [contact_id(n) for n in (1, 30, 2)]} if mode == "contact_ids" else {"contact_ids": ...}
    )
    job = exports.export(selection_mode=mode, selected_fields=["name", "source"], **asked)
    assert (job["status"], job["failed_count"]) in {("completed", 0), ("partial", 1)}
    assert {"Customer 1,web", "Customer 2,web"} <= set(exports.content(job).decode("utf-8-sig").splitlines())


def test_a_row_that_the_driver_will_not_decode_harms_no_other(entities: EntityExportsOf) -> None:
    entities.add_orders(2)
    odd: Document = {"company_sso_id": entities.company, "amount": 7, "created_at": PAST, "updated_at": PAST}
    entities.db["orders"].insert_one(with_bad_uuid({"_id": ObjectId(), **odd, "id": "ord_odd"}, "status"))
    entities.db["orders"].insert_one(with_no_text({"_id": ObjectId(), **odd}, "id"))
    done = entities.export("order", parameters={"fields": ["id", "amount", "status"]})
    assert done["status"] == "DONE", done["error"]
    rows = entities.content(done).decode("utf-8-sig").splitlines()
    assert len(rows) == 5
    assert any(row.startswith("Caf\ufffd\ufffd,7") for row in rows)


def test_the_sweeper_of_migrations_goes_on_where_it_stopped(migrations: Migrations) -> None:
    for number in range(55):
        migrations.request(_id=f"r-{number:03d}", status="processing", company_sso_id="nobody", updated_at=ago(hours=1))
    sensor = migration_run_failures_sensor({ACTIVITY_LOGS.kind: ACTIVITY_LOGS})
    cursor = None
    for _ in range(2):
        with dg.build_sensor_context(
            instance=migrations.instance, resources={"migrations": migrations.resource}, cursor=cursor
        ) as context:
            cursor = sensor.evaluate_tick(context).cursor
    assert set(raw_statuses(migrations.db, "migration_requests")) == {"rejected"}
