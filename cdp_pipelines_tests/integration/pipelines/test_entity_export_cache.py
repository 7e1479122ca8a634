"""Results that serve again: only for the same request on unchanged data, and only while their files are there."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from cdp_pipelines.pipelines.entity_export.conclude import purge
from cdp_pipelines_tests.integration.pipelines.entity_harness import START, Document, EntityExportsOf, Watcher

LATER = START + timedelta(days=1)
DATED = {"created_at": START, "updated_at": START}
FIELDS = {"fields": ["id", "name", "orders_total_amount", "redemptions_total_redeemed"], "order": "id"}


class Shop:
    """A company with two customers, an order and a redemption, and its exports of customers."""

    def __init__(self, entities: EntityExportsOf) -> None:
        self.e = entities
        for number in (1, 2):
            entities.add("customers", {"id": f"c-{number}", "name": "Ani", "created_at": START, "updated_at": START})
        entities.add(
            "orders", {"id": "o-1", "customer_id": "c-1", "amount": 5, "created_at": START, "updated_at": START}
        )
        entities.add("redemptions", {"id": "r-1", "customer_id": "c-1", "object": "redemption", **DATED})

    def export(self, **parameters: Any) -> Document:
        document = self.e.export("customer", parameters={**FIELDS, **parameters})
        assert document["status"] == "DONE", document.get("error")
        self.e.assert_whole(document)
        return document

    def change(self, collection: str, key: str, **values: Any) -> None:
        changed = self.e.db[collection].update_one({"company_sso_id": self.e.company, "id": key}, {"$set": values})
        assert changed.modified_count == 1

    def replace(self, collection: str, key: str, by: str) -> None:
        self.e.db[collection].delete_one({"company_sso_id": self.e.company, "id": key})
        self.e.add(collection, {"id": by, "name": "Another", **DATED})


@pytest.fixture
def shop(entities: EntityExportsOf) -> Shop:
    return Shop(entities)


def is_cached(document: Document) -> bool:
    return bool(document.get("cached_from"))


def test_the_same_request_on_unchanged_data_is_served_again(shop: Shop) -> None:
    first = shop.export()
    objects = shop.e.objects()
    again = shop.export()
    assert again["cached_from"] == first["id"]
    assert shop.e.objects() == objects == [first["result"]["key"]]
    same = ("key", "file_name", "record_count", "size_bytes", "sha256", "total_bytes")
    assert [again["result"][name] for name in same] == [first["result"][name] for name in same]
    assert again["result"]["token"] != first["result"]["token"]
    # It says so, and since when the file is.
    assert (first["result"]["cached"], again["result"]["cached"]) == (False, True)
    assert again["result"]["made_at"] == first["ended_at"]
    assert httpx.get(again["result"]["url"]).content == shop.e.content(first)
    assert (again["progress"], again["total"]) == (2, 2)
    # It never had files of its own, so neither its end nor its purge is theirs by time.
    assert "files_expire_at" not in again
    # A third is served by the first, not by a chain.
    assert shop.export()["cached_from"] == first["id"]
    asked_differently: list[Document] = [
                         {"fields": ["id"]}, {"order": "-id"}, {"format": "JSON"}, {"timezone": "Asia/Jakarta"},
                         {"filters": {"name": {"conditions": {"$is": ["Ani"]}}}}, {"compression": "gzip"}]  # fmt: skip
    assert [is_cached(shop.export(**other)) for other in asked_differently] == [False] * 6
    assert not is_cached(shop.export(fresh=True))
    assert is_cached(shop.export())


CHANGES: dict[str, Callable[[Shop], object]] = {
    "a row inserted": lambda shop: shop.e.add("customers", {"id": "c-3", "created_at": START, "updated_at": START}),
    "a row changed": lambda shop: shop.change("customers", "c-1", name="Budi", updated_at=LATER),
    "a row changed back to an older date": lambda shop: shop.change(
        "customers", "c-2", updated_at=START - timedelta(days=1)
    ),
    "a row deleted": lambda shop: shop.e.db["customers"].delete_one({"id": "c-2", "company_sso_id": shop.e.company}),
    "an aggregated row changed": lambda shop: shop.change("orders", "o-1", amount=6, updated_at=LATER),
    "an aggregated row inserted": lambda shop: shop.e.add("redemptions", {"id": "r-2", **DATED}),
    "an aggregated row changed that keeps its creation": lambda shop: shop.change(
        "redemptions", "r-1", result="FAILURE", updated_at=LATER
    ),
    "a row replaced by one of the same date": lambda shop: shop.replace("customers", "c-3", "c-4"),
    "an aggregated row deleted": lambda shop: shop.e.db["redemptions"].delete_one({"id": "r-1"}),
}


def test_changed_data_is_exported_anew(shop: Shop) -> None:
    shop.export()
    assert is_cached(shop.export())
    for what, change in CHANGES.items():
        change(shop)
        assert not is_cached(shop.export()), what
        assert is_cached(shop.export()), what
    # What the export does not read may change as it likes.
    shop.e.add("vouchers", {"id": "v", "holder_id": "c-1"})
    shop.e.add("campaigns", {"id": "camp"})
    assert is_cached(shop.export())


UNPROVEN: dict[str, Callable[[Shop], object]] = {
    "a row without a date": lambda shop: shop.change("customers", "c-2", updated_at=None),
    "a row whose date is a text": lambda shop: shop.change("customers", "c-2", updated_at="2024-05-01T00:00:00Z"),
    "a row whose date is a number": lambda shop: shop.change("customers", "c-2", updated_at=1_714_521_600_000),
    "an aggregated row without a date": lambda shop: shop.e.add("redemptions", {"id": "r", "created_at": START}),
    "a row of this very second": lambda shop: shop.change("customers", "c-2", updated_at=shop.e.services().now()),
    "a row of the future": lambda shop: shop.change(
        "customers", "c-2", updated_at=shop.e.services().now() + timedelta(days=4_000)
    ),
}


@pytest.mark.any_mongo
@pytest.mark.parametrize("what", UNPROVEN)
def test_what_dates_do_not_prove_is_never_served_again(shop: Shop, what: str) -> None:
    UNPROVEN[what](shop)
    first = shop.export()
    assert not first.get("cache")
    assert not is_cached(shop.export())


@pytest.mark.any_mongo
def test_points_that_expire_without_a_date_of_change_are_never_an_old_file(entities: EntityExportsOf) -> None:
    entities.add("points_expirations", {"id": "p", "status": "ACTIVE", "points": 5, "expires_at": LATER})
    before = entities.export("points_expiration", parameters={"fields": ["id", "status"]})
    entities.db["points_expirations"].update_one(
        {"id": "p", "company_sso_id": entities.company}, {"$set": {"status": "EXPIRED"}}
    )
    after = entities.export("points_expiration", parameters={"fields": ["id", "status"]})
    assert not is_cached(after)
    assert (b"ACTIVE" in entities.content(before), b"EXPIRED" in entities.content(after)) == (True, True)


@pytest.mark.any_mongo
def test_what_filters_and_joins_read_counts_too(entities: EntityExportsOf) -> None:
    entities.add("campaigns", {"id": "camp", "name": "Summer", **DATED})
    entities.add("vouchers", {"id": "v", "code": "A", "campaign_id": "camp", **DATED})
    asked = {"fields": ["code"], "filters": {"campaign": "Summer"}}

    def export() -> Document:
        return entities.export("voucher", parameters=asked)

    assert export()["result"]["record_count"] == 1
    assert is_cached(export())
    named = {"$set": {"name": "Winter", "updated_at": LATER}}
    entities.db["campaigns"].update_one({"id": "camp", "company_sso_id": entities.company}, named)
    anew = export()
    assert (is_cached(anew), anew["result"]["record_count"]) == (False, 0)
    # A campaign changed in place: without a date of its change nothing is proven.
    gone = {"$set": {"name": "Summer"}, "$unset": {"updated_at": ""}}
    entities.db["campaigns"].update_one({"id": "camp", "company_sso_id": entities.company}, gone)
    assert [is_cached(export()), is_cached(export())] == [False, False]


@pytest.mark.any_mongo
def test_a_row_that_came_and_went_while_the_file_was_written_is_served_to_nobody(
    make_entities: Callable[..., EntityExportsOf],
) -> None:
    entities = make_entities(page_rows=2)
    entities.add_orders(6)
    export_id = entities.queue()
    (request,) = entities.tick()
    late = {"company_sso_id": entities.company, "id": "ord_late", "updated_at": LATER}

    def come(number: int) -> None:
        entities.db["orders"].update_one({"id": "ord_late"}, {"$set": late}, upsert=True)

    assert entities.run_watched(request, Watcher("getMore", "", 1, come)).success
    assert not entities.document(export_id).get("cache")
    entities.db["orders"].delete_one({"id": "ord_late"})
    assert not is_cached(entities.export())
    assert is_cached(entities.export())


def test_no_company_is_served_by_anothers_result(make_entities: Callable[..., EntityExportsOf]) -> None:
    ours, theirs = make_entities(), make_entities()
    assert theirs.export()["status"] == ours.export()["status"] == "DONE"
    assert not is_cached(ours.document(ours.db["exports"].find_one({"company_sso_id": ours.company})["id"]))  # type: ignore[index]


@pytest.mark.any_mongo
def test_files_that_are_gone_or_going_do_not_serve_again(shop: Shop) -> None:
    entities = shop.e
    store = entities.resource.object_store.open()

    def removed(document: Document) -> None:
        store.delete(document["result"]["key"])

    def truncated(document: Document) -> None:
        client: Any = store._client
        client.put_object(Bucket=store._bucket, Key=document["result"]["key"], Body=b"half")

    def soon_expired(document: Document) -> None:
        end = entities.services().now() + timedelta(seconds=3_500)
        entities.db["exports"].update_one({"id": document["id"]}, {"$set": {"files_expire_at": end}})

    def purged(document: Document) -> None:
        purge(entities.services(), document, by="steward-1")
        left = entities.document(document["id"])
        assert not left.keys() & {"result", "object_keys", "cache", "email"}

    document = shop.export()
    for spoil in (removed, truncated, soon_expired, purged):
        spoil(document)
        anew = shop.export()
        assert not is_cached(anew), spoil.__name__
        document = anew


@pytest.mark.any_mongo
def test_a_purge_takes_the_files_and_every_link_to_them(shop: Shop) -> None:
    first = shop.export()
    again = shop.export()
    url = again["result"]["url"]
    purge(shop.e.services(), again, by="steward-1")
    assert shop.e.objects() == []
    assert httpx.get(url).status_code == 404
    assert not shop.e.document(first["id"])["result"].keys() & {"url", "token"}
    assert not is_cached(shop.export())


@pytest.mark.any_mongo
def test_files_go_after_their_time_and_served_again_does_not_lengthen_it(
    make_entities: Callable[..., EntityExportsOf],
) -> None:
    shop = Shop(make_entities(kept_seconds=7_200, part_bytes=1, page_rows=1))
    first = shop.export()
    again = shop.export()
    other = shop.export(fields=["id"])
    assert len(first["object_keys"]) == 3
    assert again["cached_from"] == first["id"]
    # The document that was served from the cache goes first, as by its TTL.
    shop.e.db["exports"].delete_one({"id": again["id"]})
    shop.e.sweep(ahead=timedelta(seconds=7_000))
    assert sorted(shop.e.objects()) == sorted(first["object_keys"] + other["object_keys"])
    shop.e.db["exports"].update_one(
        {"id": other["id"]}, {"$set": {"files_expire_at": other["files_expire_at"] + timedelta(hours=1)}}
    )
    shop.e.sweep(ahead=timedelta(seconds=7_300))
    assert sorted(shop.e.objects()) == sorted(other["object_keys"])
    assert httpx.get(first["result"]["url"]).status_code == 404
    left = shop.e.document(first["id"])
    assert (left["status"], left["result"]["record_count"]) == ("DONE", 2)
    assert not left["result"].keys() & {"url", "token", "parts"}
    assert not is_cached(shop.export())


@pytest.mark.any_mongo
def test_a_row_that_changes_while_it_is_read_is_seen_by_the_next(make_entities: Callable[..., EntityExportsOf]) -> None:
    """The state of the data is taken before the first row is read, so the next request does not get the old file."""
    entities = make_entities(page_rows=2)
    entities.add_orders(6)
    export_id = entities.queue()
    (request,) = entities.tick()

    def change(number: int) -> None:
        moved = {"$set": {"status": "CANCELED", "updated_at": LATER}}
        entities.db["orders"].update_one({"company_sso_id": entities.company, "id": "ord_000000"}, moved)

    # The first one brings the first rows; by the second they have been read.
    assert entities.run_watched(request, Watcher("getMore", "", 2, change)).success
    anew = entities.export()
    assert not is_cached(anew)
    assert anew["result"]["sha256"] == hashlib.sha256(entities.content(anew)).hexdigest()
    assert anew["result"]["sha256"] != entities.document(export_id)["result"]["sha256"]
    assert is_cached(entities.export())
