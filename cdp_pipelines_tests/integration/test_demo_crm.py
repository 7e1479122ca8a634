"""The demo CRM on real servers: loaded once, left alone, mended, and nobody else's rows or documents touched."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pymongo.database import Database

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.local.crm_notes_schema import NOTE_CHILD_TABLES, NOTES
from cdp_pipelines.local.crm_schema import ENTITY_TABLES, ORGANIZATION_TABLES, create_crm_schema, empty_organization
from cdp_pipelines.local.demo_companies import BIG, COMPANIES, EMPTY, RHEINLAND, SMALL, DemoCompany
from cdp_pipelines.local.demo_crm import CrmSummary, bulk_load, load_demo_crm
from cdp_pipelines.local.demo_data import load_demo_data

pytestmark = pytest.mark.integration

SCALE = 0.01
FEED = {"source": "crm"}
Db = Database[dict[str, Any]]
Crm = psycopg.Connection[tuple[Any, ...]]


def _digest(crm: Crm, db: Db) -> dict[str, str]:
    digests = {}
    for table in ORGANIZATION_TABLES:
        digest = hashlib.sha256()
        with crm.cursor() as cursor, cursor.copy(SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT").format(
            Identifier(table)
        )) as copy:  # fmt: skip
            for block in copy:
                digest.update(block)
        digests[table] = digest.hexdigest()
    feed = hashlib.sha256()
    for document in db["activity_logs"].find({}).sort("_id", 1):
        feed.update(bson.encode(document))
    return {**digests, "feed": feed.hexdigest()}


def _one(crm: Crm, statement: str, *values: object) -> Any:
    row = crm.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0]


def _actions(summary: CrmSummary) -> set[str]:
    return {company.action for company in summary.companies}


def test_loading_twice_leaves_the_same_rows_and_documents(dsn: str, crm: Crm, mongo_db: Db) -> None:
    first = load_demo_crm(dsn, mongo_db, scale=SCALE)
    before = _digest(crm, mongo_db)
    assert _actions(first) == {"loaded"}
    assert _actions(load_demo_crm(dsn, mongo_db, scale=SCALE)) == {"unchanged"}
    assert _digest(crm, mongo_db) == before
    forced = load_demo_crm(dsn, mongo_db, scale=SCALE, force=True)
    assert _actions(forced) == {"loaded"}
    assert _digest(crm, mongo_db) == before
    assert [(company.people, company.audits, company.live_feed) for company in forced.companies] == [
        (company.people, company.audits, company.live_feed) for company in first.companies
    ]


def test_the_summary_tells_what_stands_there(dsn: str, crm: Crm, mongo_db: Db) -> None:
    seen: list[tuple[str, int]] = []
    summary = load_demo_crm(dsn, mongo_db, scale=SCALE, on_progress=lambda name, rows: seen.append((name, rows)))
    assert _one(crm, "SELECT count(*) FROM audits") == summary.audits > 2_000
    for loaded in summary.companies:
        cid = loaded.organization_id
        assert _one(crm, "SELECT count(*) FROM audits WHERE organization_id = %s", cid) == loaded.audits
        assert _one(crm, "SELECT count(*) FROM crm_people WHERE organization_id = %s", cid) == loaded.people
        feed = {"company_sso_id": loaded.company_sso_id, **FEED}
        assert mongo_db["activity_logs"].count_documents(feed) == loaded.live_feed
        assert (loaded.name, loaded.audits) in seen
    assert EMPTY.cid not in {loaded.organization_id for loaded in summary.companies}
    assert len(summary.companies) == len(COMPANIES) - 1


def test_rows_fit_the_contacts_in_mongo(dsn: str, crm: Crm, mongo_db: Db) -> None:
    load_demo_data(mongo_db, scale=SCALE)
    load_demo_crm(dsn, mongo_db, scale=SCALE)
    live, covered = _coverage(crm, mongo_db, SMALL)
    assert live == covered > 30
    live, covered = _coverage(crm, mongo_db, RHEINLAND)
    assert 0.85 < covered / live < 0.99
    contacts = {str(contact["_id"]): contact for contact in mongo_db["contacts"].find({}, {"custom_fields": 0})}
    documents = list(mongo_db["activity_logs"].find({}))
    assert documents
    for document in documents:
        contact = contacts[document["customer_id"]]
        assert contact["company_sso_id"] == document["company_sso_id"]
        assert contact["crm_data"]["id"] == document["metadata"].get("crm_person_id", contact["crm_data"]["id"])
        assert document["timestamp"] >= contact["created_at"] - timedelta(milliseconds=750)


def _coverage(crm: Crm, db: Db, company: DemoCompany) -> tuple[int, int]:
    """Live people, and how many of them are contacts."""
    rows = crm.execute("SELECT id FROM crm_people WHERE organization_id = %s AND deleted_at IS NULL", (company.cid,))
    ids = [str(row[0]) for row in rows]
    wanted = {"company_sso_id": company.company_sso_id, "crm_data.id": {"$in": ids}}
    return len(ids), db["contacts"].count_documents(wanted)


def test_times_are_those_that_were_made(dsn: str, crm: Crm, mongo_db: Db) -> None:
    load_demo_crm(dsn, mongo_db, scale=SCALE)
    odd = crm.execute(
        "SELECT count(*) FILTER (WHERE created_at IS NULL), count(*) FILTER (WHERE created_at = 'infinity'),"
        " count(*) FILTER (WHERE created_at = '-infinity') FROM audits"
    )
    assert odd.fetchone() == (6, 6, 6)
    first, last = crm.execute(
        "SELECT min(created_at), max(created_at) FROM audits WHERE isfinite(created_at)"
    ).fetchone() or (None, None)
    assert datetime(2022, 1, 1) < first < datetime(2023, 1, 1)  # noqa: DTZ001 a column without zone
    assert datetime(2025, 1, 1) < last < datetime(2026, 1, 10)  # noqa: DTZ001


def test_what_was_lost_comes_back_and_nobody_else_is_touched(dsn: str, crm: Crm, mongo_db: Db) -> None:
    load_demo_crm(dsn, mongo_db, scale=SCALE)
    before = _digest(crm, mongo_db)
    crm.execute("INSERT INTO audits (id, organization_id, comment) VALUES (1, 77, 'keep me')")
    migrated = {"company_sso_id": SMALL.company_sso_id, "source": "crm_migration", "external_id": "crm_audit:1"}
    mongo_db["activity_logs"].insert_one(dict(migrated))
    crm.execute("DELETE FROM audits WHERE id = (SELECT max(id) FROM audits WHERE organization_id = %s)", (SMALL.cid,))
    mongo_db["activity_logs"].delete_one({"company_sso_id": BIG.company_sso_id, **FEED})

    again = load_demo_crm(dsn, mongo_db, scale=SCALE)

    assert {company.name for company in again.companies if company.action == "loaded"} == {SMALL.name, BIG.name}
    assert _one(crm, "SELECT comment FROM audits WHERE organization_id = 77") == "keep me"
    assert mongo_db["activity_logs"].find_one(migrated) is not None
    crm.execute("DELETE FROM audits WHERE organization_id = 77")
    mongo_db["activity_logs"].delete_one(migrated)
    assert _digest(crm, mongo_db) == before


def test_a_load_that_was_cut_off_is_done_again(dsn: str, crm: Crm, mongo_db: Db) -> None:
    def cut_off(name: str, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_demo_crm(dsn, mongo_db, scale=SCALE, on_progress=cut_off)
    assert _one(crm, "SELECT count(*) FROM audits") == 0
    assert _actions(load_demo_crm(dsn, mongo_db, scale=SCALE)) == {"loaded"}


def test_a_server_that_does_not_answer_is_told_without_its_password(mongo_db: Db) -> None:
    with pytest.raises(TransientFailure) as caught:
        load_demo_crm("postgresql://postgres:secret@127.0.0.1:1/crm", mongo_db, scale=SCALE)
    assert caught.value.code == "DEMO_LOAD_FAILED"
    assert "secret" not in f"{caught.value}{caught.value.details}"


def test_the_schema_can_be_made_twice_and_has_primary_keys_only(crm: Crm) -> None:
    create_crm_schema(crm)
    create_crm_schema(crm)
    indexes = crm.execute("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'").fetchall()
    assert {table for table, _ in indexes} == {"audits", "users", *ENTITY_TABLES, NOTES, *NOTE_CHILD_TABLES}
    assert all("UNIQUE" in definition and definition.endswith("(id)") for _, definition in indexes)
    assert len(indexes) == len(ORGANIZATION_TABLES) + len(NOTE_CHILD_TABLES)


def test_bulk_load_makes_what_was_asked_for_two_organizations(dsn: str, crm: Crm) -> None:
    first = datetime(2024, 1, 1, tzinfo=UTC)
    for cid in (31, 32):
        people = [(cid * 10_000 + number, first + timedelta(hours=number)) for number in range(200)]
        bulk_load(dsn, organization_id=cid, people=people, audits=3_000, seed=5, first_audit_id=cid * 100_000)
    for cid in (31, 32):
        found = crm.execute("SELECT min(id), max(id), count(*) FROM audits WHERE organization_id = %s", (cid,))
        assert found.fetchone() == (cid * 100_000, cid * 100_000 + 2_999, 3_000)
        assert _one(crm, "SELECT count(*) FROM crm_people WHERE organization_id = %s", cid) == 201
        assert _one(crm, "SELECT count(*) FROM users WHERE organization_id = %s", cid) > 10
    assert _one(crm, "INSERT INTO audits DEFAULT VALUES RETURNING id") == 3_203_000
    assert empty_organization(crm, 31) > 3_000
    counts = [_one(crm, f"SELECT count(*) FROM {table} WHERE organization_id = 31") for table in ORGANIZATION_TABLES]
    assert counts == [0] * len(ORGANIZATION_TABLES)
    assert _one(crm, "SELECT count(*) FROM audits WHERE organization_id = 32") == 3_000
