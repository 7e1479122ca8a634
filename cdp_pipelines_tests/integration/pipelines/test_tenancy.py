"""No field of ours is believed from a request, and no company comes by another's files or documents (SPEC 1, 2).

Random values in every field of ours, in every queue and at every job type; two other companies, with real exports of
theirs, are the tripwire.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from bson import ObjectId
from bson.codec_options import DatetimeConversion
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo.errors import WriteError

from cdp_pipelines.pipelines.contact_export import conclude as contact_conclude
from cdp_pipelines.pipelines.entity_export import conclude as entity_conclude
from cdp_pipelines.stores.entity_exports import ENTITY_EXPORTS
from cdp_pipelines.stores.export_jobs import CONTACT_EXPORTS
from cdp_pipelines.stores.migration_requests import FIELDS as REQUEST_FIELDS
from cdp_pipelines.stores.queue_shape import QueueShape
from cdp_pipelines_tests.integration.pipelines.entity_harness import EntityExportsOf
from cdp_pipelines_tests.integration.pipelines.harness import Document, Exports, contact_id
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations
from cdp_pipelines_tests.support.hostile import FUTURE, PAST, ago, forged, leads_to

pytestmark = pytest.mark.any_mongo

FEATURES = {
    "cdp_export_customer_enabled": True, "entity_exports_enabled": True, "crm_activity_logs_migration_enabled": True,
}  # fmt: skip
JOB_TYPES = ["export", "import", "bulk_update", None, ["export"], 5]
OURS = {
    "bulk_upload_jobs": {*CONTACT_EXPORTS.fields.ours, "cancel_requested"},
    "exports": {*ENTITY_EXPORTS.fields.ours, "cancel_requested"},
    "migration_requests": {*REQUEST_FIELDS.ours, "job_id", "cleanup_pending", "cancel_requested"},
}


class Tripwire:
    """Two companies with files and documents of their own, which nobody else may change."""

    def __init__(self, contacts: Exports, entities: EntityExportsOf) -> None:
        self.contacts, self.entities = contacts, entities
        contacts.add_contacts(contacts.company, 1, first=9)
        entities.add_orders(2)
        self.job = contacts.export(contact_ids=[contact_id(9)])
        self.export = entities.export("order")
        assert (self.job["status"], self.export["status"]) == ("completed", "DONE")
        self.store = contacts.resource.object_store.open()
        self.note_file = f"{contacts.company}/77/image-3.png"
        self.store.put_stream(
            body=BytesIO(b"png"), key=self.note_file, content_type="image/png", download_name="x",
            request_id="r", metadata={},
        )  # fmt: skip
        self.keys = [self.job["object_key"], *self.export["object_keys"], self.note_file]
        self.before = self.state()

    def state(self) -> tuple[dict[str, str], dict[str, list[Document]]]:
        """Every file's digest, and every document of the two companies."""
        companies = [self.contacts.company, self.entities.company]
        files = {
            key: hashlib.sha256(b"".join(self.store.iter_bytes(key))).hexdigest()
            for company in companies
            for prefix in (f"private/exports/{company}/", f"{company}/")
            for key in self.store.list_keys(prefix)
        }
        database = self.contacts.db
        documents = {
            name: list(database[name].find({"company_sso_id": {"$in": companies}}).sort([("_id", 1)]))
            for name in database.list_collection_names()
        }
        return files, documents

    def assert_untouched(self) -> None:
        assert self.state() == self.before


@pytest.fixture
def tripwire(make_exports: Callable[..., Exports], make_entities: Callable[..., EntityExportsOf]) -> Tripwire:
    return Tripwire(make_exports(contacts=0), make_entities())


def queued(collection: str, company: str, number: int) -> Document:
    """An honest request; forged ones bring more."""
    now = datetime.now(UTC)
    common: Document = {"_id": ObjectId(), "company_sso_id": company, "created_at": now}
    if collection == "bulk_upload_jobs":
        job_id = str(uuid.uuid4())
        return {
            **common, "job_id": job_id, "job_type": "export", "status": "queued", "user_sso_id": "user-1",
            "email": f"{job_id}@example.com", "permissions": ["customers_customers_export"],
            "contact_ids": [contact_id(1)], "format": "csv", "locale": "en", "number": number,
        }  # fmt: skip
    if collection == "exports":
        return {
            **common, "id": f"exp_{ObjectId()}", "exported_object": "order", "status": "SCHEDULED", "channel": "API",
            "parameters": {}, "user_sso_id": "user-1",
        }  # fmt: skip
    return {
        **common, "kind": "activity_logs", "action": "start", "status": "queued", "requested_by": "ops", "options": {},
    }  # fmt: skip


def readable(collection: Any) -> Any:
    """The collection, read as far as it can be."""
    return collection.with_options(
        codec_options=collection.codec_options.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    )


STATUSES: Mapping[str, list[Any]] = {
    "bulk_upload_jobs": ["queued", "queued", "processing", *CONTACT_EXPORTS.terminal, ["queued"], None, "Queued"],
    "exports": ["SCHEDULED", "SCHEDULED", "IN_PROGRESS", *ENTITY_EXPORTS.terminal, ["SCHEDULED"], 5],
    "migration_requests": ["queued", "processing", "completed", "failed", ["queued"], {}],
}


def test_random_values_in_every_field_of_ours_touch_no_other_company(
    exports: Exports, migrations: Migrations, tripwire: Tripwire
) -> None:
    db, company = exports.db, exports.company
    db["companies"].update_one({"_id": company}, {"$set": {"features": FEATURES, "cid": 77}})
    begun = time.monotonic()

    def documents(collection: str) -> st.SearchStrategy[list[Document]]:
        more: dict[str, list[Any]] = {"status": STATUSES[collection]}
        if collection == "bulk_upload_jobs":
            more["job_type"] = JOB_TYPES
        one = forged(sorted(OURS[collection]), tripwire.keys, more=more)
        return st.lists(one, min_size=6, max_size=6)

    @settings(
        max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @given(st.fixed_dictionaries({name: documents(name) for name in OURS}), st.integers(0, 5))
    def holds(brought: dict[str, list[Document]], ran: int) -> None:
        honest = {}
        for collection, found in brought.items():
            for number, fields in enumerate(found):
                # Whatever fields of the requester's they lay over, these are honest but for ours.
                with suppress(WriteError):  # what the server itself refuses does no harm
                    db[collection].insert_one({**queued(collection, company, number), **fields})
            honest[collection] = queued(collection, company, 99)
            db[collection].insert_one(dict(honest[collection]))
        everything_happens(exports, migrations, tripwire.entities, honest, ran)
        tripwire.assert_untouched()
        for collection in OURS:
            db[collection].delete_many({"company_sso_id": company})

    holds()
    assert time.monotonic() - begun < 120


def everything_happens(
    exports: Exports, migrations: Migrations, entities: EntityExportsOf, honest: Mapping[str, Document], ran: int
) -> None:
    """Ticks, some runs, sweeps and purges; the honest neighbours are launched in that tick."""
    launched = [*exports.tick(), *entities.tick(), *migrations.tick()]
    asked = {request.tags["request_id"] for request in launched}
    assert {honest["bulk_upload_jobs"]["job_id"], honest["exports"]["id"]} <= asked
    of_contacts = [request for request in launched if str(request.run_key).startswith("contact_export")]
    of_entities = [request for request in launched if str(request.run_key).startswith("entity_export")]
    for request in of_contacts[ran : ran + 1]:
        exports.run(request)
    for request in of_entities[ran : ran + 1]:
        entities.run(request)
    exports.sweep()
    entities.sweep()
    migrations.sweep()
    contacts, services = exports.services(), entities.services()
    for document in (
        readable(exports.db["bulk_upload_jobs"])
        .find({"company_sso_id": exports.company, "job_type": "export"})
        .limit(3)
    ):
        contact_conclude.purge(contacts, contacts.jobs.find(document["job_id"]) or document, by="t")
    for document in readable(exports.db["exports"]).find({"company_sso_id": exports.company}).limit(3):
        entity_conclude.purge(services, services.jobs.find(document["id"]) or document, by="t")


@pytest.mark.parametrize("shape", [CONTACT_EXPORTS, ENTITY_EXPORTS], ids=lambda shape: shape.collection)
def test_what_a_request_brings_in_each_field_of_ours_is_wiped(
    exports: Exports, tripwire: Tripwire, shape: QueueShape
) -> None:
    db = exports.db
    db["companies"].update_one({"_id": exports.company}, {"$set": {"features": FEATURES}})
    brought = {}
    for number, field in enumerate(sorted(shape.fields.ours)):
        document = {**queued(shape.collection, exports.company, number), field: leads_to(tripwire.keys)[number % 3]}
        # A date to be removed at, which MongoDB would heed.
        document |= {"expires_at": FUTURE} if field == "expires_at" else {}
        brought[field] = document
        db[shape.collection].insert_one(document)
    tick = exports.tick if shape is CONTACT_EXPORTS else tripwire.entities.tick
    # There are more fields than a tick takes requests.
    launched = {request.tags["request_id"]: request.run_key for _ in range(2) for request in tick()}
    for field, document in brought.items():
        name = document[shape.id_field]
        assert str(launched.get(name)).endswith(":attempt1"), field
        found = db[shape.collection].find_one({"_id": document["_id"]}) or {}
        left = {each: found[each] for each in found if each in shape.fields.ours and each not in shape.fields.neutral}
        assert set(left) <= {"launch", "attempt", "warnings", "updated_at"}, field
        assert left["attempt"] == 1
        assert {
            each: found[each] for each in shape.fields.neutral if each in found
        }.items() <= shape.fields.neutral.items()
    tripwire.assert_untouched()


CHANGES: list[Document] = [
    {"email": "thief@example.com", "format": "xlsx", "contact_ids": [contact_id(2)], "user_sso_id": "thief"},
    {"selected_fields": ["value"], "locale": "id", "timezone": "UTC", "permissions": [], "job_type": "export"},
    {"object_key": "{key}", "result": {"key": "{key}", "url": "https://thief.example/x"}, "status": "queued"},
    {"lease": "x", "attempt": "x", "launch": "soon", "success_count": "n/a", "started_at": "x", "warnings": 5},
]


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: sorted(changes)[0])
def test_what_was_admitted_stands_whatever_is_edited_later(
    exports: Exports, tripwire: Tripwire, changes: Document
) -> None:
    job_id = exports.queue(contact_ids=[contact_id(1)], selected_fields=["name"], locale="en")
    (request,) = exports.tick()
    key = tripwire.keys[0]
    placed = {
        name: {part: str(each).replace("{key}", key) for part, each in value.items()}
        if isinstance(value, dict)
        else value.replace("{key}", key) if isinstance(value, str) else value
        for name, value in changes.items()
    }  # fmt: skip
    exports.db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": placed})
    assert exports.run(request).success
    job = exports.job(job_id)
    assert job["status"] == "completed"
    assert job["result"]["key"].startswith(f"private/exports/{exports.company}/")
    assert exports.content(job).decode("utf-8-sig") == "Full name\r\nCustomer 1\r\n"
    (mail,) = exports.emails(job_id)
    assert str(mail["To"]) == f"{job_id}@example.com"
    assert job["result"]["url"] in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert exports.emails("thief") == []
    audit = exports.db["export_audit"].find_one({"job_id": job_id, "action": "completed"}) or {}
    assert (audit["format"], audit["user_sso_id"], audit["fields"]) == ("csv", "user-1", ["name"])
    tripwire.assert_untouched()


def test_a_cancel_is_the_one_edit_that_counts(exports: Exports) -> None:
    job_id = exports.queue()
    (request,) = exports.tick()
    exports.db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": {"cancel_requested": True}})
    exports.run(request)
    assert exports.job(job_id)["status"] == "canceled"


@pytest.mark.parametrize("status", ["queued", "processing", "completed", "failed"])
def test_a_finished_document_copied_is_no_request_of_its_own(exports: Exports, status: str) -> None:
    done = exports.export(contact_ids=[contact_id(1)])
    before = exports.content(done)
    copy = {**done, "_id": ObjectId(), "job_id": "00000000-0000-4000-8000-000000000001", "status": status}
    # A claim of a moment ago stands for two minutes, whosever it is.
    copy.pop("launch")
    copy |= {
        "cleanup_pending": True,
        "contact_ids": [contact_id(2)],
        "lease": {"owner_run_id": "x", "expires_at": PAST},
    }
    exports.db["bulk_upload_jobs"].insert_one(copy)
    for request in exports.tick():
        exports.run(request)
    exports.sweep()
    copied = exports.db["bulk_upload_jobs"].find_one({"_id": copy["_id"]}) or {}
    assert exports.content(done) == before
    assert copied.get("cleanup_pending") is None
    if status == "queued":
        assert copied["status"] == "completed"
        assert copied["result"]["key"] != done["result"]["key"]
    elif status == "processing":
        assert (copied["status"], copied["error"]["code"]) == ("rejected", "REQUEST_NEVER_TAKEN_IN")
    assert len(exports.objects()) == (2 if status == "queued" else 1)


def test_an_id_is_used_once_also_by_another_company(exports: Exports, make_exports: Callable[..., Exports]) -> None:
    done = exports.export(contact_ids=[contact_id(1)])
    exports.db["bulk_upload_jobs"].delete_one({"_id": done["_id"]})
    other = make_exports(contacts=0)
    other.queue(job_id=done["job_id"], contact_ids=[contact_id(1)])
    assert other.tick() == []
    refused = other.job(done["job_id"])
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "REQUEST_ID_USED")


def test_an_ended_request_set_back_is_not_run_again(exports: Exports) -> None:
    done = exports.export(contact_ids=[contact_id(1)])
    exports.db["bulk_upload_jobs"].update_one(
        {"_id": done["_id"]}, {"$set": {"status": "queued"}, "$unset": {"launch": ""}}
    )
    assert exports.tick() == []
    assert exports.job(done["job_id"])["error"]["code"] == "REQUEST_ID_USED"
    assert len(exports.emails(done["job_id"])) == 1
    assert exports.content(done)


def test_a_claim_that_a_requester_made_up_holds_nothing_back(exports: Exports) -> None:
    odd = [FUTURE, "soon", [PAST, FUTURE], 5, None, {"a": 1}]
    job_ids = {exports.queue(launch={"token": "t", "at": PAST, "expires_at": value}) for value in odd}
    job_ids |= {exports.queue(launch="soon"), exports.queue(launch=[1])}
    assert {request.tags["request_id"] for request in exports.tick()} == job_ids


def test_notices_of_an_end_that_never_was_are_not_sent(tripwire: Tripwire, exports: Exports) -> None:
    entities = tripwire.entities
    document = {
        **queued("exports", exports.company, 1), "status": "DONE", "notices_pending": True, "ended_at": ago(hours=1),
        "email": "victim@example.com", "result": leads_to(tripwire.keys)[4], "files_expire_at": PAST,
        "object_keys": tripwire.keys, "cleanup_pending": True,
    }  # fmt: skip
    entities.db["exports"].insert_one(document)
    entities.sweep()
    entities.sweep()
    assert entities.mails_to("victim@example.com") == []
    found = entities.db["exports"].find_one({"_id": document["_id"]}) or {}
    assert not found.keys() & {"notices_pending", "files_expire_at", "cleanup_pending"}
    tripwire.assert_untouched()


def test_a_schedule_whose_next_id_another_company_holds_runs_all_the_same(entities: EntityExportsOf) -> None:
    from cdp_pipelines.domain.entity_export.schedules import export_id

    at = datetime(2024, 5, 1, 2, 30, tzinfo=UTC)
    schedule = {
        "_id": "sch_1", "company_sso_id": entities.company, "name": "nightly", "exported_object": "order",
        "parameters": {}, "cron": "30 2 * * *", "timezone": "UTC", "enabled": True, "next_run_at": at, "missed": 0,
    }  # fmt: skip
    entities.db["export_schedules"].insert_one(schedule)
    services = entities.services()
    due = services.schedules.due(services.now(), 5)[0]
    slot = services.now().replace(hour=2, minute=30, second=0)
    slot = slot if slot <= services.now() else slot - timedelta(days=1)
    entities.db["exports"].insert_one({"id": export_id("sch_1", slot), "company_sso_id": "thief", "status": "DONE"})
    made = services.schedules.fire(due, now=services.now())
    found = entities.db["exports"].find_one({"id": made, "company_sso_id": entities.company})
    assert found is not None
    assert found["scheduled_for"] == slot
