"""The demo data in a real MongoDB: loaded once, left alone, mended, and no other company touched."""

import hashlib
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.database import Database

from cdp_pipelines.local.demo_chinook import load_chinook
from cdp_pipelines.local.demo_companies import BIG, COMPANIES, EMPTY, SMALL
from cdp_pipelines.local.demo_contacts import iter_contacts
from cdp_pipelines.local.demo_data import load_demo_data

pytestmark = pytest.mark.integration

CHINOOK = Path(__file__).resolve().parents[3] / "shared" / "corpora" / "chinook.json"
SCALE = 0.01
COLLECTIONS = ("companies", "layouts", "field_properties", "contacts")

Db = Database[dict[str, Any]]


def _digest(db: Db) -> dict[str, str]:
    digests = {}
    for name in COLLECTIONS:
        digest = hashlib.sha256()
        for document in db[name].find({}).sort("_id", 1):
            digest.update(bson.encode(document))
        digests[name] = digest.hexdigest()
    return digests


def test_loading_twice_leaves_the_same_documents(mongo_db: Db) -> None:
    first = load_demo_data(mongo_db, scale=SCALE)
    before = _digest(mongo_db)
    again = load_demo_data(mongo_db, scale=SCALE)
    assert {company.action for company in first.companies} == {"loaded"}
    assert {company.action for company in again.companies} == {"unchanged"}
    assert _digest(mongo_db) == before
    load_demo_data(mongo_db, scale=SCALE, force=True)
    assert _digest(mongo_db) == before


def test_the_summary_tells_what_stands_there(mongo_db: Db) -> None:
    seen: list[tuple[str, int]] = []
    summary = load_demo_data(mongo_db, scale=SCALE, on_progress=lambda name, count: seen.append((name, count)))
    assert mongo_db["contacts"].count_documents({}) == summary.contacts
    for loaded in summary.companies:
        key = {"company_sso_id": loaded.company_sso_id}
        assert mongo_db["contacts"].count_documents(key) == loaded.contacts
        assert mongo_db["layouts"].count_documents(key) == loaded.layouts
        assert mongo_db["layouts"].count_documents({**key, "is_default": True}) == 1
        assert mongo_db["field_properties"].count_documents(key) == loaded.field_properties
    assert (BIG.name, BIG.contact_count(SCALE)) in seen
    assert mongo_db["contacts"].count_documents({"company_sso_id": EMPTY.company_sso_id}) == 0


def test_what_is_stored_is_what_was_made(mongo_db: Db) -> None:
    load_demo_data(mongo_db, scale=SCALE)
    stored = mongo_db["contacts"].find({"company_sso_id": SMALL.company_sso_id}).sort("_id", 1)
    assert [bson.encode(document) for document in stored] == [
        bson.encode(document) for document in iter_contacts(SMALL, SMALL.contacts)
    ]


def test_a_lost_contact_comes_back_and_no_other_company_is_touched(mongo_db: Db) -> None:
    load_demo_data(mongo_db, scale=SCALE)
    before = _digest(mongo_db)
    stranger = {"_id": bson.ObjectId("f" * 24), "company_sso_id": "somebody-else", "name": "Keep me"}
    mongo_db["contacts"].insert_one(dict(stranger))
    mongo_db["contacts"].delete_one({"company_sso_id": SMALL.company_sso_id})

    again = load_demo_data(mongo_db, scale=SCALE)

    assert [company.name for company in again.companies if company.action == "loaded"] == [SMALL.name]
    assert mongo_db["contacts"].find_one({"_id": stranger["_id"]}) == stranger
    mongo_db["contacts"].delete_one({"_id": stranger["_id"]})
    assert _digest(mongo_db) == before


def test_a_load_that_was_cut_off_is_done_again(mongo_db: Db) -> None:
    def cut_off(name: str, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_demo_data(mongo_db, scale=SCALE, on_progress=cut_off)
    again = load_demo_data(mongo_db, scale=SCALE)
    assert {company.action for company in again.companies} == {"loaded"}
    assert mongo_db["contacts"].count_documents({}) == again.contacts


def test_another_scale_is_loaded_anew(mongo_db: Db) -> None:
    load_demo_data(mongo_db, scale=SCALE)
    larger = load_demo_data(mongo_db, scale=2 * SCALE)
    assert mongo_db["contacts"].count_documents({}) == larger.contacts
    actions = {company.name: company.action for company in larger.companies}
    assert (actions[BIG.name], actions[SMALL.name]) == ("loaded", "unchanged")


def test_only_documents_are_made_no_index(mongo_db: Db) -> None:
    load_demo_data(mongo_db, scale=SCALE)
    assert sorted(mongo_db.list_collection_names()) == sorted(COLLECTIONS)
    assert all(list(mongo_db[name].index_information()) == ["_id_"] for name in COLLECTIONS)
    assert mongo_db["companies"].count_documents({}) == len(COMPANIES)


@pytest.mark.skipif(not CHINOOK.is_file(), reason="shared/corpora/chinook.json is not here")
def test_chinook_is_loaded_beside_the_demo(mongo_db: Db) -> None:
    first, again = (load_chinook(mongo_db, CHINOOK) for _ in range(2))
    assert (first.contacts, first.action, again.action) == (59, "loaded", "unchanged")
    assert mongo_db["contacts"].count_documents({"company_sso_id": first.company_sso_id}) == 59
    company = mongo_db["companies"].find_one({"_id": first.company_sso_id})
    assert company is not None
    assert company["features"]["cdp_export_customer_enabled"] is True
