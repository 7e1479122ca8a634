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
        entities.add("redemptions", {"id": "r-1", "customer_id": "c-1", "object": "redemption", "created_at": START})

    def export(self, **parameters: Any) -> Document:
        document = self.e.export("customer", parameters={**FIELDS, **parameters})
        assert document["status"] == "DONE", document.get("error")
        self.e.assert_whole(document)
        return document

    def change(self, collection: str, key: str, **values: Any) -> None:
        changed = self.e.db[collection].update_one({"company_sso_id": self.e.company, "id": key}, {"$set": values})
        assert changed.modified_count == 1


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
    "a row changed that was never dated": lambda shop: shop.change("customers", "c-2", updated_at=None),
    "a row deleted": lambda shop: shop.e.db["customers"].delete_one({"id": "c-2", "company_sso_id": shop.e.company}),
    "an aggregated row changed": lambda shop: shop.change("orders", "o-1", amount=6, updated_at=LATER),
    "an aggregated row inserted": lambda shop: shop.e.add("redemptions", {"id": "r-2", "created_at": START}),
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

    assert entities.run_watched(request, Watcher("getMore", "", 1, change)).success
    anew = entities.export()
    assert not is_cached(anew)
    assert anew["result"]["sha256"] == hashlib.sha256(entities.content(anew)).hexdigest()
    assert anew["result"]["sha256"] != entities.document(export_id)["result"]["sha256"]
    assert is_cached(entities.export())
