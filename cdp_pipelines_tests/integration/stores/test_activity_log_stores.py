"""What an activity-log migration writes and looks up, on a real server: written once, no other company's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines.stores.category_overrides import CategoryOverrides
from cdp_pipelines.stores.contact_links import ContactLinks
from cdp_pipelines.stores.migrated_documents import Mending

Db = Database[dict[str, Any]]
Document = dict[str, Any]
NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
COMPANY, OTHER = "company-a", "company-b"


@pytest.fixture
def db(migrated_db: Db) -> Db:
    return migrated_db


@pytest.fixture
def logs(db: Db) -> ActivityLogs:
    return ActivityLogs(db, COMPANY)


def log(audit_id: int, company: str = COMPANY, **changes: Any) -> tuple[int, Document]:
    document: Document = {
        "company_sso_id": company, "customer_id": "c1", "category": "deal", "action": "link", "timestamp": NOW,
        "source_tag": "crm_migration", "external_id": f"crm_audit:{audit_id}", "metadata": {}, **changes,
    }  # fmt: skip
    return audit_id, document


def test_a_page_is_inserted_once(logs: ActivityLogs) -> None:
    page = [log(1), log(2)]
    assert logs.insert(page).inserted == 2
    again = logs.insert([log(2), log(3), log(1)])
    assert (again.inserted, sorted(again.present), again.failed) == (1, [0, 2], {})
    assert logs.insert([]).inserted == 0
    assert logs.count_migrated() == 3


def test_what_another_loader_wrote_is_present(logs: ActivityLogs, db: Db) -> None:
    db["activity_logs"].insert_one(log(7)[1])
    written = logs.insert([log(7), log(8)])
    assert (written.inserted, written.present, written.failed) == (1, [0], {})
    assert [document["external_id"] for document in logs.others(limit=10)] == ["crm_audit:7"]
    assert logs.delete(logs.doomed_others()) == 1
    assert logs.doomed_others() == []


def test_what_cannot_be_stored_fails_alone(logs: ActivityLogs, db: Db) -> None:
    db["activity_logs"].insert_one({"_id": logs.document_id(4), "company_sso_id": OTHER, "external_id": "crm_audit:4"})
    page = [log(1), log(2, attributes=[{"to": 2**70}]), log(3, attributes=[{"to": "x" * 17_000_000}]), log(4), log(5)]
    written = logs.insert(page)
    assert (written.inserted, written.present, sorted(written.failed)) == (2, [], [1, 2, 3])
    assert all("x" * 20 not in reason for reason in written.failed.values())


def test_ids_are_the_companys_and_in_the_order_of_the_source(logs: ActivityLogs, db: Db) -> None:
    ids = [logs.document_id(number) for number in (0, 1, 255, 256, 2**40, 2**63 - 1)]
    assert ids == sorted(ids)
    assert [logs.row_id_of(each) for each in ids] == [0, 1, 255, 256, 2**40, 2**63 - 1]
    assert logs.document_id(1) != ActivityLogs(db, OTHER).document_id(1)


def test_no_method_reaches_another_company(logs: ActivityLogs, db: Db) -> None:
    theirs = ActivityLogs(db, OTHER)
    live: Document = {"company_sso_id": OTHER, "customer_id": "c1", "timestamp": NOW, "metadata": {}}
    db["activity_logs"].insert_many([live, log(9, OTHER)[1]])
    theirs.insert([log(1, OTHER)])
    before = list(db["activity_logs"].find({}))
    assert logs.present([1, 9]) == set()
    assert logs.by_row([1, 9]) == {}
    assert list(logs.migrated(after=0)) == []
    assert logs.live_feed(["c1"], NOW, NOW, wanted=bool) == []
    assert logs.first_live(["c1"]) == {}
    assert logs.complete([(document["_id"], {"entity_name": "N"}) for document in before]) == 0
    assert logs.doomed(after=0) == logs.doomed_others() == []
    assert logs.delete(before) == 0
    assert logs.others(limit=5) == []
    assert logs.count_migrated() == 0
    assert list(db["activity_logs"].find({})) == before


def test_reading_back_goes_by_audit_and_leaves_the_live_feed_out(logs: ActivityLogs, db: Db) -> None:
    logs.insert([log(number) for number in (3, 1, 2)])
    db["activity_logs"].insert_one({"company_sso_id": COMPANY, "customer_id": "c1", "timestamp": NOW})
    assert [audit for audit, _ in logs.migrated(after=1, batch_size=1)] == [2, 3]
    assert logs.present([1, 2, 9]) == {1, 2}
    assert sorted(logs.by_row([1, 9])) == [1]
    assert len(logs.live_feed(["c1"], NOW, NOW, wanted=bool)) == 1
    assert logs.live_feed(["c1"], NOW + timedelta(seconds=1), LATER, wanted=bool) == []
    assert logs.live_feed(["c2"], NOW, NOW, wanted=bool) == []
    assert logs.first_live(["c1", "c2"]) == {"c1": NOW}


def test_completing_writes_only_what_is_absent_at_that_moment(logs: ActivityLogs, db: Db) -> None:
    logs.insert([log(1), log(2, metadata={"entity_name": "Kept"}), log(3, metadata={"entity_name": None})])
    additions = [(logs.document_id(number), {"entity_name": "New"}) for number in (1, 2, 3, 4)]
    assert logs.complete(additions) == 2
    assert logs.complete(additions) == 0
    assert logs.complete([]) == 0
    names = [document["metadata"]["entity_name"] for _, document in logs.migrated(after=0)]
    assert names == ["New", "Kept", "New"]
    assert db["activity_logs"].count_documents({}) == 3


def test_deleting_goes_on_after_the_last(logs: ActivityLogs) -> None:
    logs.insert([log(number) for number in range(1, 4)])
    assert [document["external_id"] for document in logs.doomed(after=2, fields=["external_id"])] == ["crm_audit:3"]
    assert logs.delete(logs.doomed(after=2)) == 1
    assert [set(document) for document in logs.doomed(after=0)] == [{"_id"}, {"_id"}]
    assert logs.delete(logs.doomed(after=0)) == 2
    assert logs.delete(logs.doomed(after=0)) == 0


def test_the_unique_index_is_there_and_holds(logs: ActivityLogs, db: Db) -> None:
    assert logs.uniqueness_is_enforced()
    db["activity_logs"].insert_one(log(1)[1])
    with pytest.raises(DuplicateKeyError):
        db["activity_logs"].insert_one(log(1)[1])
    db["activity_logs"].insert_one(log(1, OTHER)[1])
    db["activity_logs"].insert_many([{"company_sso_id": COMPANY} for _ in range(2)])
    db["activity_logs"].drop_index("uniq_company_external_id")
    assert not logs.uniqueness_is_enforced()


def test_the_oldest_contact_of_a_person_counts_and_only_the_companys(db: Db) -> None:
    def contact(person: object, at: object = NOW, company: str = COMPANY) -> str:
        made = db["contacts"].insert_one({"company_sso_id": company, "crm_data": {"id": person}, "created_at": at})
        return str(made.inserted_id)

    contact("1", LATER)
    oldest = contact("1")
    contact("2", company=OTHER)
    broken = contact("3", None)
    links = ContactLinks(db, COMPANY, remembered=1)
    answer = links.find(["1", "2", "3"])
    assert {person: each.customer_id for person, each in answer.items()} == {"1": oldest, "3": broken}
    # Without a creation time the live feed owns everything.
    assert answer["3"].created_at < NOW - timedelta(days=365_000)
    assert links.find(["1"])["1"] == answer["1"]
    assert links.existing(["1", "2", "3", "4"]) == {"1", "3"}
    assert links.find([]) == {}


def test_overrides_are_the_companys(db: Db) -> None:
    db["crm_category_overrides"].insert_one({"_id": COMPANY, "labels": {"a": "A"}})
    overrides = CategoryOverrides(db)
    assert (overrides.find(COMPANY) or {})["labels"] == {"a": "A"}
    assert overrides.find(OTHER) is None


def test_a_mending_sets_its_fields_of_what_stands_as_it_was_seen(logs: ActivityLogs, db: Db) -> None:
    logs.insert([log(number, actor={"id": ""}, label="x") for number in range(1, 6)])
    collection = db["activity_logs"]
    seen: Document = {"actor": {"id": ""}, "updated_at": None}
    ids = [logs.document_id(number) for number in range(1, 6)]
    collection.update_one({"_id": ids[1]}, {"$set": {"actor": {"id": "somebody"}}})
    collection.update_one({"_id": ids[2]}, {"$set": {"updated_at": NOW}})
    collection.update_one({"_id": ids[3]}, {"$set": {"company_sso_id": OTHER, "external_id": "o"}})
    collection.update_one({"_id": ids[4]}, {"$set": {"source_tag": "else"}})
    before = list(collection.find({}).sort("_id", 1))
    fields = {"actor": {"id": "u"}, "label": None}
    assert logs.mend([Mending(each, fields, seen) for each in ids]) == 1
    after = list(collection.find({}).sort("_id", 1))
    expected = {**before[0], "actor": {"id": "u"}}
    del expected["label"]
    assert after == [expected, *before[1:]]
    # What was seen cannot widen whose document it is.
    assert logs.mend([Mending(ids[3], fields, {**seen, "company_sso_id": OTHER})]) == 0
    assert logs.mend([]) == 0
