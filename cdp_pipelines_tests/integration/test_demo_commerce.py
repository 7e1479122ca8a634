"""Demo commerce in a real MongoDB: loaded once, left alone, mended, and no other company touched."""

from typing import Any

import bson
import pytest
from pymongo.database import Database

from cdp_pipelines.local.demo_chinook import chinook_file
from cdp_pipelines.local.demo_commerce import COMMERCE_COLLECTIONS, commerce_documents, commerce_sizes
from cdp_pipelines.local.demo_commerce_chinook import load_chinook_commerce
from cdp_pipelines.local.demo_commerce_load import load_commerce
from cdp_pipelines.local.demo_companies import BIG, RHEINLAND

pytestmark = pytest.mark.integration

Db = Database[dict[str, Any]]
STRANGER = "somebody-else"


def _stored(db: Db, company_sso_id: str) -> dict[str, list[bytes]]:
    rows = {name: db[name].find({"company_sso_id": company_sso_id}).sort("_id", 1) for name in COMMERCE_COLLECTIONS}
    return {name: [bson.encode(document) for document in found] for name, found in rows.items()}


def test_commerce_is_loaded_once_mended_and_touches_no_other_company(mongo_db: Db) -> None:
    for name in COMMERCE_COLLECTIONS:
        mongo_db[name].insert_one({"_id": bson.ObjectId("f" * 24), "company_sso_id": STRANGER, "name": "Keep me"})
    own = {"_id": RHEINLAND.company_sso_id, "cid": RHEINLAND.cid, "name": "As it was", "demo": {"version": "x"}}
    mongo_db["companies"].insert_one(own)
    before = _stored(mongo_db, STRANGER)
    seen: dict[str, int] = {}

    first = load_commerce(mongo_db, scale=0, on_progress=seen.__setitem__)
    made = {
        name: sorted((bson.encode(row) for row in rows), key=lambda raw: bson.decode(raw)["_id"])
        for name, rows in commerce_documents(BIG, scale=0).items()
    }
    assert _stored(mongo_db, BIG.company_sso_id) == made
    assert first.companies[0].counts == commerce_sizes(BIG, 0)
    assert seen[BIG.name] == first.companies[0].documents
    assert {company.action for company in first.companies} == {"loaded"}
    assert {company.action for company in load_commerce(mongo_db, scale=0).companies} == {"unchanged"}

    mongo_db["orders"].delete_one({"company_sso_id": BIG.company_sso_id})
    again = load_commerce(mongo_db, scale=0)
    assert [company.action for company in again.companies] == ["loaded", "unchanged", "unchanged"]
    assert _stored(mongo_db, BIG.company_sso_id) == made
    assert _stored(mongo_db, STRANGER) == before
    kept = mongo_db["companies"].find_one({"_id": RHEINLAND.company_sso_id})
    assert kept is not None
    assert own.items() <= kept.items()
    assert mongo_db["companies"].count_documents({}) == 3


def test_a_load_that_was_cut_off_is_done_again(mongo_db: Db) -> None:
    def cut_off(name: str, count: int) -> None:
        raise KeyboardInterrupt

    load_commerce(mongo_db, scale=0)
    with pytest.raises(KeyboardInterrupt):
        load_commerce(mongo_db, scale=0, force=True, on_progress=cut_off)
    again = load_commerce(mongo_db, scale=0)
    assert [company.action for company in again.companies] == ["loaded", "unchanged", "unchanged"]


@pytest.mark.skipif(chinook_file() is None, reason="shared/corpora/chinook.json is not here")
def test_chinook_stands_beside_the_demo(mongo_db: Db) -> None:
    path = chinook_file()
    assert path is not None
    first, again = (load_chinook_commerce(mongo_db, path) for _ in range(2))
    assert (first.action, again.action) == ("loaded", "unchanged")
    assert first.counts == {"customers": 59, "products": 347, "skus": 3_503, "orders": 412}
    assert mongo_db["skus"].count_documents({"company_sso_id": first.company_sso_id}) == 3_503
