"""What the code relies on in MongoDB, as MongoDB documents it; runs on every MongoDB server that is found.

A difference of the embedded server is not written into a test: code must do without, or `local.mongo` names it.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId, Regex
from pymongo import ASCENDING, DESCENDING, InsertOne, MongoClient, ReturnDocument, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, WriteError

from cdp_pipelines.local.mongo import expire_now
from cdp_pipelines_tests.support.waiting import wait_for

Document = dict[str, Any]
NOW = datetime(2024, 5, 1, 10, 0, 0, 123_000, tzinfo=UTC)
DUPLICATE_KEY = 11000
DOCUMENT_INVALID = 121


@pytest.fixture
def things(mongo_db: Database[Document]) -> Collection[Document]:
    return mongo_db["things"]


def ids(found: Any) -> list[Any]:
    return [document["_id"] for document in found]


# --- unique and partial indexes -------------------------------------------------------------------------------------


def test_a_unique_index_refuses_a_second_document(things: Collection[Document]) -> None:
    things.create_index("job_id", name="uniq_job_id", unique=True)
    things.insert_one({"_id": 1, "job_id": "a"})
    with pytest.raises(DuplicateKeyError) as refused:
        things.insert_one({"_id": 2, "job_id": "a"})
    assert refused.value.code == DUPLICATE_KEY
    assert (refused.value.details or {})["keyPattern"] == {"job_id": 1}
    with pytest.raises(DuplicateKeyError):
        things.insert_one({"_id": 1, "job_id": "b"})
    with pytest.raises(DuplicateKeyError):
        things.update_one({"_id": 3}, {"$set": {"job_id": "a"}}, upsert=True)
    assert ids(things.find()) == [1]


def test_a_unique_index_cannot_be_made_over_duplicates(things: Collection[Document]) -> None:
    things.insert_many([{"_id": 1, "job_id": "a"}, {"_id": 2, "job_id": "a"}])
    with pytest.raises(OperationFailure) as refused:
        things.create_index("job_id", unique=True)
    assert refused.value.code == DUPLICATE_KEY
    assert list(things.index_information()) == ["_id_"]


def test_a_unique_index_takes_missing_for_null(things: Collection[Document]) -> None:
    things.create_index("job_id", unique=True)
    things.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError):
        things.insert_one({"_id": 2, "job_id": None})


def test_a_sparse_index_leaves_out_what_lacks_the_field(things: Collection[Document]) -> None:
    things.create_index("cleanup_pending", sparse=True, unique=True)
    things.insert_many([{"_id": 1}, {"_id": 2}, {"_id": 3, "cleanup_pending": True}])
    assert ids(things.find({"cleanup_pending": True})) == [3]
    assert sorted(ids(things.find({"cleanup_pending": {"$exists": False}}))) == [1, 2]


PARTIAL: list[tuple[Document, list[Document], list[Document]]] = [
    (
        {"status": "in_progress"},
        [{"c": "a", "status": "in_progress"}, {"c": "a", "status": "done"}, {"c": "a", "status": "done"}, {"c": "a"}],
        [{"c": "a", "status": "in_progress"}],
    ),
    ({"c": {"$exists": True}}, [{"c": "a"}, {}, {}, {"c": None}], [{"c": "a"}, {"c": None}]),
    ({"c": {"$type": "string"}}, [{"c": "a"}, {"c": 5}, {"c": 5}, {"c": None}, {"c": None}, {}, {}], [{"c": "a"}]),
]


@pytest.mark.parametrize(("only", "fine", "refused"), PARTIAL, ids=["equality", "exists", "type"])
def test_a_partial_unique_index_holds_for_its_part_alone(
    things: Collection[Document], only: Document, fine: list[Document], refused: list[Document]
) -> None:
    things.create_index("c", name="uniq_c", unique=True, partialFilterExpression=only)
    things.insert_many([dict(document) for document in fine])
    for document in refused:
        with pytest.raises(DuplicateKeyError):
            things.insert_one(dict(document))
    # Documents outside the part are found all the same.
    assert things.count_documents({}) == len(fine)
    assert things.count_documents({"c": "a"}) == sum(document.get("c") == "a" for document in fine)


def test_moving_into_the_part_of_a_unique_index_is_refused(things: Collection[Document]) -> None:
    things.create_index("c", unique=True, partialFilterExpression={"status": "in_progress"})
    things.insert_many([{"_id": 1, "c": "a", "status": "in_progress"}, {"_id": 2, "c": "a", "status": "failed"}])
    with pytest.raises(DuplicateKeyError):
        things.update_one({"_id": 2}, {"$set": {"status": "in_progress"}})
    things.update_one({"_id": 1}, {"$set": {"status": "done"}})
    assert things.update_one({"_id": 2}, {"$set": {"status": "in_progress"}}).modified_count == 1


def test_indexes_are_listed_kept_and_dropped_by_name(things: Collection[Document]) -> None:
    keys = [("company_sso_id", ASCENDING), ("job_type", ASCENDING), ("created_at", DESCENDING)]
    assert things.create_index(keys, name="idx_company") == "idx_company"
    assert things.create_index(keys, name="idx_company") == "idx_company"
    things.create_index("expires_at", name="ttl", expireAfterSeconds=0, partialFilterExpression={"job_type": "export"})
    listed = things.index_information()
    assert list(listed["idx_company"]["key"]) == keys
    assert listed["ttl"]["expireAfterSeconds"] == 0
    assert listed["ttl"]["partialFilterExpression"] == {"job_type": "export"}
    with pytest.raises(OperationFailure):
        things.create_index([("other", ASCENDING)], name="idx_company")
    things.drop_index("idx_company")
    assert set(things.index_information()) == {"_id_", "ttl"}
    with pytest.raises(OperationFailure) as refused:
        things.drop_index("idx_company")
    assert refused.value.code == 27  # IndexNotFound


def test_a_compound_index_serves_queries_and_sorts(things: Collection[Document]) -> None:
    things.create_index([("c", 1), ("t", 1), ("at", -1)], name="idx")
    things.insert_many([{"_id": n, "c": "ab"[n % 2], "t": "export", "at": NOW + timedelta(hours=n)} for n in range(6)])
    things.insert_one({"_id": 9, "c": "a"})
    assert ids(things.find({"c": "a", "t": "export"}).sort([("at", -1)])) == [4, 2, 0]
    assert sorted(ids(things.find({"c": "a"}))) == [0, 2, 4, 9]
    assert ids(things.find({"c": "a", "at": {"$gte": NOW + timedelta(hours=2)}}).sort([("at", 1)])) == [2, 4]


# --- writing --------------------------------------------------------------------------------------------------------


def test_an_unordered_insert_goes_on_after_duplicates(things: Collection[Document]) -> None:
    things.create_index("key", unique=True)
    things.insert_one({"_id": 100, "key": 3})
    with pytest.raises(BulkWriteError) as partly:
        things.insert_many([{"_id": n, "key": n // 2} for n in range(10)], ordered=False)
    details = partly.value.details
    assert details["nInserted"] == 4
    assert [error["index"] for error in details["writeErrors"]] == [1, 3, 5, 6, 7, 9]
    assert {error["code"] for error in details["writeErrors"]} == {DUPLICATE_KEY}
    assert sorted(ids(things.find())) == [0, 2, 4, 8, 100]


def test_an_ordered_insert_stops_at_the_first_duplicate(things: Collection[Document]) -> None:
    with pytest.raises(BulkWriteError):
        things.insert_many([{"_id": 1}, {"_id": 1}, {"_id": 2}])
    assert ids(things.find()) == [1]


def test_a_bulk_write_counts(things: Collection[Document]) -> None:
    result = things.bulk_write(
        [
            InsertOne({"_id": 1}),
            UpdateOne({"_id": 1}, {"$set": {"a": 1}}),
            UpdateOne({"_id": 2}, {"$setOnInsert": {"a": 2}}, upsert=True),
            UpdateOne({"_id": 1}, {"$set": {"a": 1}}),
        ],
        ordered=False,
    )
    assert (result.inserted_count, result.matched_count, result.modified_count, result.upserted_count) == (1, 2, 1, 1)


def test_matched_and_modified_are_told_apart(things: Collection[Document]) -> None:
    things.insert_one({"_id": 1, "a": 1})
    same = things.update_one({"_id": 1}, {"$set": {"a": 1}})
    assert (same.matched_count, same.modified_count) == (1, 0)
    none = things.update_one({"_id": 2}, {"$set": {"a": 1}})
    assert (none.matched_count, none.modified_count) == (0, 0)
    many = things.update_many({}, {"$set": {"a": 2}, "$unset": {"b": ""}, "$inc": {"n": 2}})
    assert (many.matched_count, many.modified_count) == (1, 1)
    assert things.find_one() == {"_id": 1, "a": 2, "n": 2}
    assert things.delete_many({"a": {"$gte": 2}}).deleted_count == 1


def test_push_keeps_the_last_and_set_on_insert_the_first(things: Collection[Document]) -> None:
    for n in range(5):
        things.update_one(
            {"_id": 1},
            {"$push": {"rows": {"$each": [n], "$slice": -3}}, "$setOnInsert": {"first": n}, "$max": {"top": n}},
            upsert=True,
        )
    assert things.find_one() == {"_id": 1, "rows": [2, 3, 4], "first": 0, "top": 4}


# --- compare and set ------------------------------------------------------------------------------------------------

FREE: Document = {"$or": [{"lease": {"$exists": False}}, {"lease.expires_at": {"$lte": NOW}}]}


@pytest.mark.parametrize(
    ("lease", "taken"),
    [
        (None, True),
        ({"owner": "x", "expires_at": NOW}, True),
        ({"owner": "x", "expires_at": NOW + timedelta(milliseconds=1)}, False),
    ],
)
def test_a_lease_is_taken_when_free_or_run_out(
    things: Collection[Document], lease: Document | None, taken: bool
) -> None:
    things.insert_one({"_id": 1, "status": "queued", **({"lease": lease} if lease else {})})
    change = {"$set": {"lease": {"owner": "me", "expires_at": NOW + timedelta(minutes=5)}}}
    before = things.find_one_and_update({"_id": 1, "status": {"$nin": ["done"]}, **FREE}, change, projection={"_id": 1})
    assert before == ({"_id": 1} if taken else None)
    after = things.find_one_and_update({"_id": 1}, {"$set": {"seen": True}}, return_document=ReturnDocument.AFTER)
    assert after is not None
    assert (after["lease"]["owner"] == "me") is taken
    assert after["seen"] is True


def test_of_many_who_compare_and_set_one_wins(things: Collection[Document]) -> None:
    workers = 8
    for round_number in range(10):
        things.insert_one({"_id": round_number})
        together = Barrier(workers)

        def claim(name: int, number: int = round_number, together: Barrier = together) -> bool:
            together.wait(10)
            found = things.find_one_and_update(
                {"_id": number, **FREE}, {"$set": {"lease": {"owner": name, "expires_at": NOW + timedelta(hours=1)}}}
            )
            return found is not None

        with ThreadPoolExecutor(workers) as pool:
            assert list(pool.map(claim, range(workers))).count(True) == 1


def test_of_many_who_insert_one_wins(things: Collection[Document]) -> None:
    workers = 8
    together = Barrier(workers)

    def insert(_: int) -> bool:
        together.wait(10)
        try:
            things.insert_one({"_id": "job:failed"})
        except DuplicateKeyError:
            return False
        return True

    with ThreadPoolExecutor(workers) as pool:
        assert list(pool.map(insert, range(workers))).count(True) == 1


def take_slot(counters: Collection[Document], company: str, job: str, at: datetime, limit: int = 5) -> bool:
    """A rolling window in one document: the upsert meets its own `_id` when the document is there but full."""
    counters.update_one({"_id": company}, {"$pull": {"slots": {"at": {"$lte": at - timedelta(hours=1)}}}})
    room = {"_id": company, f"slots.{limit - 1}": {"$exists": False}, "slots.job_id": {"$ne": job}}
    try:
        counters.update_one(room, {"$push": {"slots": {"job_id": job, "at": at}}}, upsert=True)
    except DuplicateKeyError:
        return counters.count_documents({"_id": company, "slots.job_id": job}) == 1
    return True


def test_a_rolling_window_in_one_document(things: Collection[Document]) -> None:
    assert [take_slot(things, "a", f"job-{n}", NOW + timedelta(minutes=n)) for n in range(6)] == [True] * 5 + [False]
    assert take_slot(things, "a", "job-4", NOW + timedelta(minutes=7))
    assert take_slot(things, "b", "job-9", NOW)
    assert take_slot(things, "a", "job-6", NOW + timedelta(hours=1))
    (document,) = things.find({"_id": "a"})
    assert [slot["job_id"] for slot in document["slots"]] == ["job-1", "job-2", "job-3", "job-4", "job-6"]


def test_a_rolling_window_under_many_at_once(things: Collection[Document]) -> None:
    workers = 16
    together = Barrier(workers)

    def take(number: int) -> bool:
        together.wait(10)
        return take_slot(things, "a", f"job-{number}", NOW)

    with ThreadPoolExecutor(workers) as pool:
        took = list(pool.map(take, range(workers)))
    # An upsert that lost the race for the first insert counts as full; that is safe, and asking again repairs it.
    (document,) = things.find({"_id": "a"})
    assert len(document["slots"]) == took.count(True) <= 5


# --- retention and validators ---------------------------------------------------------------------------------------


def test_what_ran_out_is_removed_and_nothing_else(
    mongo_client: MongoClient[Document], things: Collection[Document]
) -> None:
    things.create_index("expires_at", expireAfterSeconds=0, partialFilterExpression={"job_type": "export"})
    now = datetime.now(UTC)
    past, future = now - timedelta(minutes=1), now + timedelta(hours=1)
    things.insert_many(
        [
            {"_id": "gone", "job_type": "export", "expires_at": past},
            {"_id": "later", "job_type": "export", "expires_at": future},
            {"_id": "never", "job_type": "export"},
            {"_id": "no date", "job_type": "export", "expires_at": "2001-01-01"},
            {"_id": "null", "job_type": "export", "expires_at": None},
            {"_id": "other", "job_type": "import", "expires_at": past},
        ]
    )

    def removed() -> bool:
        expire_now(mongo_client)
        return things.count_documents({"_id": "gone"}) == 0

    wait_for("a document that ran out to be removed", removed, seconds=120)
    assert sorted(ids(things.find())) == ["later", "never", "no date", "null", "other"]


def test_a_validator_refuses_and_can_be_changed(mongo_db: Database[Document]) -> None:
    schema: Document = {
        "bsonType": "object",
        "required": ["company_sso_id"],
        "properties": {"company_sso_id": {"bsonType": "string"}, "status": {"enum": ["queued", "done"]}},
    }
    validated = mongo_db.create_collection("validated", validator={"$jsonSchema": schema})
    validated.insert_one({"_id": 1, "company_sso_id": "a", "status": "queued"})
    for wrong in ({"_id": 2}, {"_id": 2, "company_sso_id": 5}, {"_id": 2, "company_sso_id": "a", "status": "no"}):
        with pytest.raises(WriteError) as refused:
            validated.insert_one(wrong)
        assert refused.value.code == DOCUMENT_INVALID
    with pytest.raises(WriteError) as refused:
        validated.update_one({"_id": 1}, {"$set": {"status": "no"}})
    assert refused.value.code == DOCUMENT_INVALID
    mongo_db.command("collMod", "validated", validator={}, validationLevel="off")
    validated.insert_one({"_id": 2})
    assert validated.count_documents({}) == 2


# --- reading --------------------------------------------------------------------------------------------------------

MIXED: list[Any] = [None, -5, 2.5, Int64(7), Decimal128("7.5"), "A", "a", "é", {"x": 1}, ObjectId(), True, NOW]


def test_sorting_mixed_types_is_the_documented_order_and_stable(things: Collection[Document]) -> None:
    documents = [{"_id": n, "v": value} for n, value in enumerate(MIXED)]
    documents += [{"_id": 20}, {"_id": 21, "v": None}, {"_id": 22, "v": "a"}, {"_id": 23, "v": 7}]
    things.insert_many(reversed(documents))
    # Missing counts as null; numbers compare by value whatever their type; strings by their UTF-8 bytes.
    expected = [0, 20, 21, 1, 2, 3, 23, 4, 5, 6, 22, 7, 8, 9, 10, 11]
    assert ids(things.find().sort([("v", 1), ("_id", 1)])) == expected
    groups = [[11], [10], [9], [8], [7], [6, 22], [5], [4], [3, 23], [2], [1], [0, 20, 21]]
    assert ids(things.find().sort([("v", -1), ("_id", 1)])) == [n for group in groups for n in group]
    assert ids(things.find({}, {"_id": 1}).sort([("v", 1), ("_id", 1)]).skip(4).limit(3)) == [2, 3, 23]


def test_sorting_by_an_indexed_field_gives_the_same_order(things: Collection[Document]) -> None:
    things.insert_many([{"_id": n, "c": "a", "v": (n * 7) % 5} for n in range(50)])
    plain = ids(things.find({"c": "a"}).sort([("v", -1), ("_id", -1)]).limit(20))
    things.create_index([("c", 1), ("v", -1), ("_id", -1)])
    assert ids(things.find({"c": "a"}).sort([("v", -1), ("_id", -1)]).limit(20)) == plain
    assert plain == sorted(range(50), key=lambda n: (-((n * 7) % 5), -n))[:20]


def test_ranges_keep_to_their_type(things: Collection[Document]) -> None:
    things.insert_many([{"_id": n, "v": value} for n, value in enumerate(MIXED)])
    things.insert_one({"_id": 20})
    assert sorted(ids(things.find({"v": {"$gte": 0}}))) == [2, 3, 4]
    assert sorted(ids(things.find({"v": {"$lt": "b"}}))) == [5, 6]
    assert sorted(ids(things.find({"v": {"$lte": NOW}}))) == [11]
    assert sorted(ids(things.find({"v": None}))) == [0, 20]
    assert sorted(ids(things.find({"v": {"$exists": False}}))) == [20]
    assert sorted(ids(things.find({"v": {"$type": "date"}}))) == [11]
    assert sorted(ids(things.find({"v": {"$type": "number"}}))) == [1, 2, 3, 4]


def test_ne_and_nin_include_what_lacks_the_field(things: Collection[Document]) -> None:
    things.insert_many([{"_id": 1, "v": "a"}, {"_id": 2, "v": "b"}, {"_id": 3, "v": None}, {"_id": 4}])
    things.insert_one({"_id": 5, "v": ["a", "c"]})
    assert sorted(ids(things.find({"v": {"$nin": ["a"]}}))) == [2, 3, 4]
    assert sorted(ids(things.find({"v": {"$ne": "a"}}))) == [2, 3, 4]
    assert sorted(ids(things.find({"v": {"$nin": ["a", None]}}))) == [2]
    assert sorted(ids(things.find({"v": {"$in": ["a", None]}}))) == [1, 3, 4, 5]
    assert sorted(ids(things.find({"v": {"$not": {"$regex": "^a"}}}))) == [2, 3, 4]


def test_ids_in_batches(things: Collection[Document]) -> None:
    keys = [ObjectId() for _ in range(1_200)]
    things.insert_many([{"_id": key, "c": "ab"[n % 2], "n": n} for n, key in enumerate(keys)])
    found: list[int] = []
    for start in range(0, len(keys), 500):
        batch = keys[start : start + 500]
        found += [document["n"] for document in things.find({"c": "a", "_id": {"$in": batch}}, {"n": 1})]
    assert sorted(found) == list(range(0, 1_200, 2))


def test_a_cursor_over_many_batches_gives_every_document_once(things: Collection[Document]) -> None:
    things.insert_many([{"_id": n, "text": "x" * 200} for n in range(2_345)])
    with things.find({}, {"_id": 1}, batch_size=500).sort([("_id", 1)]) as cursor:
        assert ids(cursor) == list(range(2_345))
    assert things.count_documents({}) == 2_345
    assert things.count_documents({"_id": {"$lt": 100}}) == 100
    assert things.count_documents({}, limit=10) == 10
    assert things.estimated_document_count() == 2_345


def test_an_open_cursor_bears_writes_beside_it(things: Collection[Document]) -> None:
    things.insert_many([{"_id": n} for n in range(1_000)])
    seen: list[int] = []
    with things.find({}, batch_size=100).sort([("_id", 1)]) as cursor:
        for document in cursor:
            seen.append(document["_id"])
            if len(seen) == 150:
                things.delete_many({"_id": {"$gte": 900}})
                things.insert_many([{"_id": n} for n in range(2_000, 2_100)])
    assert len(seen) == len(set(seen))
    assert set(range(900)) <= set(seen)


def test_a_projection_picks_fields_and_arrays(things: Collection[Document]) -> None:
    fields = [{"key": "city", "value": "Bandung"}, {"key": "age", "value": 5, "currency_code": "IDR"}]
    things.insert_one({"_id": 1, "name": "n", "email": "e", "crm_data": {"id": "7", "x": 1}, "custom_fields": fields})
    assert things.find_one({}, {"name": 1, "custom_fields": 1}) == {"_id": 1, "name": "n", "custom_fields": fields}
    assert things.find_one({}, {"_id": 0, "crm_data.id": 1}) == {"crm_data": {"id": "7"}}
    assert things.find_one({}, {"custom_fields.key": 1, "_id": 0}) == {
        "custom_fields": [{"key": "city"}, {"key": "age"}]
    }
    assert things.find_one({}, {"email": 0, "custom_fields": 0, "crm_data": 0}) == {"_id": 1, "name": "n"}


def custom(key: str, condition: Any) -> Document:
    return {"custom_fields": {"$elemMatch": {"key": key, "value": condition}}}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (custom("city", "Bandung"), [1]),
        (custom("city", {"$in": ["Bandung", "Jakarta (Pusat)"]}), [1, 2]),
        (custom("age", {"$gte": 30}), [2]),
        (custom("age", {"$gt": 10, "$lt": 30}), [1]),
        (custom("city", {"$regex": re.escape("a (p"), "$options": "i"}), [2]),
        (custom("city", Regex("^" + re.escape("Jakarta"))), [2]),
        (custom("tags", "vip"), [3]),
        (custom("since", {"$lt": NOW}), [3]),
        ({"custom_fields": {"$elemMatch": {"key": "age", "value": {"$exists": True, "$ne": None}}}}, [1, 2]),
        ({"custom_fields": {"$not": {"$elemMatch": {"key": "city", "value": {"$nin": [None, ""]}}}}}, [3, 4, 5, 6]),
        ({"$nor": [custom("city", "Bandung")]}, [2, 3, 4, 5, 6]),
        ({"$and": [custom("city", {"$exists": True}), {"$or": [custom("age", 20), custom("age", 40)]}]}, [1, 2]),
        # Key and value must stand in one and the same element.
        (custom("city", 20), []),
    ],
)
def test_element_match_on_custom_fields(things: Collection[Document], query: Document, expected: list[int]) -> None:
    things.insert_many(
        [
            {"_id": 1, "custom_fields": [{"key": "city", "value": "Bandung"}, {"key": "age", "value": 20}]},
            {"_id": 2, "custom_fields": [{"key": "city", "value": "Jakarta (Pusat)"}, {"key": "age", "value": 40.0}]},
            {
                "_id": 3,
                "custom_fields": [
                    {"key": "tags", "value": ["vip", "new"]},
                    {"key": "since", "value": NOW - timedelta(days=1)},
                    {"key": "age", "value": None},
                ],
            },
            {"_id": 4, "custom_fields": []},
            {"_id": 5},
            {"_id": 6, "custom_fields": None},
        ]
    )
    assert sorted(ids(things.find(query))) == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("a.b", "", [1]),
        ("A.B", "i", [1, 2]),
        ("a.b", "i", [1, 2]),
        ("(x)*+?[y]{1}^$|\\", "", [3]),
        ("é", "", [4]),
        ("É", "i", [4]),
        ("line\ntwo", "", [5]),
        (" -#&~", "", [6]),
    ],
)
def test_an_escaped_text_is_found_literally(
    things: Collection[Document], text: str, options: str, expected: list[int]
) -> None:
    names = ["xa.bx", "xA.Bx", "<(x)*+?[y]{1}^$|\\>", "café", "line\ntwo", "a -#&~b", "axb", None, 5]
    things.insert_many([{"_id": n, "name": name} for n, name in enumerate(names, 1)])
    assert sorted(ids(things.find({"name": {"$regex": re.escape(text), "$options": options}}))) == expected


def test_an_aggregation_reshapes_filters_sorts_and_limits(things: Collection[Document]) -> None:
    things.insert_many(
        [
            {"_id": n, "c": "ab"[n % 2], "n": n, "custom_fields": [{"key": "x", "value": n}, {"key": "y", "value": 0}]}
            for n in range(20)
        ]
    )
    pick = {"$filter": {"input": "$custom_fields", "as": "f", "cond": {"$in": ["$$f.key", ["x"]]}}}
    pipeline: list[Document] = [
        {"$match": {"c": "a", "n": {"$gte": 4}}},
        {"$set": {"custom_fields": pick}},
        {"$project": {"n": 1, "custom_fields": 1}},
        {"$sort": {"n": -1, "_id": 1}},
        {"$limit": 3},
    ]
    with things.aggregate(pipeline, batchSize=2) as cursor:
        assert list(cursor) == [{"_id": n, "n": n, "custom_fields": [{"key": "x", "value": n}]} for n in (18, 16, 14)]
    counted = things.aggregate([{"$group": {"_id": "$c", "count": {"$sum": 1}}}, {"$sort": {"_id": 1}}])
    assert list(counted) == [{"_id": "a", "count": 10}, {"_id": "b", "count": 10}]


def test_distinct_looks_into_arrays(things: Collection[Document]) -> None:
    things.insert_many([{"source": "email"}, {"source": ["ads", "email"]}, {}, {"source": None}])
    assert sorted(map(str, things.distinct("source"))) == ["None", "ads", "email"]


# --- values ---------------------------------------------------------------------------------------------------------


def test_dates_are_utc_in_milliseconds(things: Collection[Document]) -> None:
    jakarta = timezone(timedelta(hours=7))
    things.insert_one({"_id": 1, "at": datetime(2024, 5, 1, 17, 0, 0, 123_999, tzinfo=jakarta)})
    (found,) = things.find({"at": NOW})
    assert found["at"] == NOW
    assert found["at"].utcoffset() == timedelta(0)
    assert things.find_one({"at": {"$gt": NOW}}) is None


@pytest.mark.parametrize(
    "value",
    [
        Decimal128("12345678901234567890.123456789"),
        Int64(2**60 + 1),
        2**31,
        1e308,
        -0.0,
        "😀 مرحبا\u0000\n",
        b"\x00\xff",
        ObjectId("0123456789abcdef01234567"),
        {"b": 1, "a": [1, {"c": None}]},
        [],
        {},
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
    ],
    ids=repr,
)
def test_values_come_back_as_they_were(things: Collection[Document], value: Any) -> None:
    things.insert_one({"_id": 1, "v": value})
    found = things.find_one()
    assert found is not None
    assert found["v"] == value
    assert repr(found["v"]) == repr(value) or isinstance(value, datetime)


def test_keys_keep_their_order(things: Collection[Document]) -> None:
    things.insert_one({"_id": 1, "z": 1, "a": {"y": 1, "b": 2}})
    things.update_one({"_id": 1}, {"$set": {"m": 1}})
    found = things.find_one()
    assert found is not None
    assert [list(found), list(found["a"])] == [["_id", "z", "a", "m"], ["y", "b"]]


def test_embedded_documents_match_by_path(things: Collection[Document]) -> None:
    things.insert_many([{"_id": 1, "crm_data": {"id": "7", "x": 1}}, {"_id": 2, "crm_data": {"id": 7}}, {"_id": 3}])
    things.create_index([("company_sso_id", 1), ("crm_data.id", 1)])
    assert ids(things.find({"crm_data.id": "7"})) == [1]
    assert sorted(ids(things.find({"crm_data.id": {"$in": ["7", 7]}}))) == [1, 2]


@pytest.mark.parametrize(
    "broken", [lambda c: c.find_one({"$nope": 1}), lambda c: c.find_one({"a": {"$nope": 1}})], ids=["top", "field"]
)
def test_an_unknown_operator_is_an_error(things: Collection[Document], broken: Callable[[Any], object]) -> None:
    things.insert_one({"_id": 1, "a": 1})
    with pytest.raises(OperationFailure) as refused:
        broken(things)
    assert refused.value.code == 2  # BadValue
