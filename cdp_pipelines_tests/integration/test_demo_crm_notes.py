"""The demo CRM's notes on real servers: loaded once, left alone, mended, moved with their server; and in bulk."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pymongo.database import Database

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.local.crm_notes_schema import CHECKINS, FILE_TABLES, NOTE_CHILD_TABLES, NOTES
from cdp_pipelines.local.crm_schema import create_crm_schema, empty_organization
from cdp_pipelines.local.demo_companies import BIG, SMALL
from cdp_pipelines.local.demo_crm import CrmSummary, bulk_load, bulk_load_notes, load_demo_crm

pytestmark = pytest.mark.integration

SCALE = 0.02
ROOT = "http://127.0.0.1:8080"
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
Db = Database[dict[str, Any]]
Crm = psycopg.Connection[tuple[Any, ...]]


def _digests(crm: Crm) -> dict[str, str]:
    return {table: _digest(crm, table) for table in (NOTES, *NOTE_CHILD_TABLES)}


def _digest(crm: Crm, table: str) -> str:
    digest = hashlib.sha256()
    statement = SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT").format(Identifier(table))
    with crm.cursor() as cursor, cursor.copy(statement) as copy:
        for block in copy:
            digest.update(block)
    return digest.hexdigest()


def _one(crm: Crm, statement: str, *values: object) -> Any:
    row = crm.execute(statement.encode(), values).fetchone()
    assert row is not None
    return row[0]


def _loaded(summary: CrmSummary) -> set[str]:
    return {company.name for company in summary.companies if company.action == "loaded"}


def _files(crm: Crm, cid: int) -> int:
    return sum(
        _one(
            crm,
            f"SELECT count(*) FROM {table} WHERE crm_note_id IN (SELECT id FROM crm_notes WHERE organization_id = %s)",
            cid,
        )
        for table in FILE_TABLES
    )


def test_the_summary_tells_what_stands_there(dsn: str, crm: Crm, mongo_db: Db) -> None:
    summary = load_demo_crm(dsn, mongo_db, scale=SCALE, files_root_url=ROOT)
    assert _one(crm, "SELECT count(*) FROM crm_notes") == summary.notes > 400
    assert sum(_one(crm, f"SELECT count(*) FROM {table}") for table in FILE_TABLES) == summary.attachments > 100
    for loaded in summary.companies:
        notes = _one(crm, "SELECT count(*) FROM crm_notes WHERE organization_id = %s", loaded.organization_id)
        assert (notes, _files(crm, loaded.organization_id)) == (loaded.notes, loaded.attachments)
    assert {loaded.attachments for loaded in summary.companies if loaded.name == SMALL.name} == {12}
    assert _one(crm, "SELECT count(*) FROM crm_checkins") > 0


def test_loading_again_leaves_the_same_rows(dsn: str, crm: Crm, mongo_db: Db) -> None:
    first = load_demo_crm(dsn, mongo_db, scale=SCALE, files_root_url=ROOT)
    before = _digests(crm)
    again = load_demo_crm(dsn, mongo_db, scale=SCALE, files_root_url=ROOT)
    assert (_loaded(again), _digests(crm)) == (set(), before)
    forced = load_demo_crm(dsn, mongo_db, scale=SCALE, files_root_url=ROOT, force=True)
    assert (_loaded(forced), _digests(crm)) == (_loaded(first), before)
    assert (forced.notes, forced.attachments) == (first.notes, first.attachments) == (again.notes, again.attachments)


def test_files_move_with_their_server(dsn: str, crm: Crm, mongo_db: Db) -> None:
    load_demo_crm(dsn, mongo_db, scale=SCALE, files_root_url=ROOT)
    before = _digests(crm)
    moved = load_demo_crm(dsn, mongo_db, scale=SCALE, files_root_url="http://127.0.0.1:9090")
    assert SMALL.name in _loaded(moved)
    after = _digests(crm)
    assert {table for table in before if before[table] != after[table]} == set(FILE_TABLES)
    assert _one(crm, "SELECT count(*) FROM crm_note_images WHERE url LIKE %s", f"{ROOT}/%") == 0
    for table in FILE_TABLES:
        crm.execute(
            SQL("UPDATE {} SET url = replace(url, 'http://127.0.0.1:9090', {})").format(Identifier(table), ROOT)
        )
    assert _digests(crm) == before


@pytest.mark.parametrize("table", [NOTES, *FILE_TABLES])
def test_what_was_lost_comes_back(table: str, dsn: str, crm: Crm, mongo_db: Db) -> None:
    load_demo_crm(dsn, mongo_db, scale=SCALE)
    before = _digests(crm)
    crm.execute(SQL("DELETE FROM {} WHERE id = (SELECT max(id) FROM {})").format(Identifier(table), Identifier(table)))
    assert len(_loaded(load_demo_crm(dsn, mongo_db, scale=SCALE))) == 1
    assert _digests(crm) == before


def test_notes_of_nobody_else_are_touched(dsn: str, crm: Crm, mongo_db: Db) -> None:
    create_crm_schema(crm)
    crm.execute("INSERT INTO crm_notes (id, organization_id, note) VALUES (1, 77, 'keep me')")
    for table in NOTE_CHILD_TABLES:
        crm.execute(SQL("INSERT INTO {} (id, crm_note_id) VALUES (1, 1)").format(Identifier(table)))
    load_demo_crm(dsn, mongo_db, scale=SCALE)
    load_demo_crm(dsn, mongo_db, scale=SCALE, force=True)
    assert _one(crm, "SELECT note FROM crm_notes WHERE organization_id = 77") == "keep me"
    empty_organization(crm, BIG.cid)
    assert _files(crm, BIG.cid) == 0
    for table in NOTE_CHILD_TABLES:
        assert _one(crm, f"SELECT count(*) FROM {table} WHERE crm_note_id = 1") == 1
        orphans = f"SELECT count(*) FROM {table} WHERE crm_note_id NOT IN (SELECT id FROM crm_notes)"
        assert _one(crm, orphans) == 0
    assert empty_organization(crm, 77) == 1 + len(NOTE_CHILD_TABLES)


def test_marks_of_a_version_without_notes_are_taken_over(dsn: str, crm: Crm, mongo_db: Db) -> None:
    crm.execute(
        "CREATE TABLE demo_marks (organization_id bigint PRIMARY KEY, version text NOT NULL, people bigint NOT NULL,"
        " audits bigint NOT NULL, live_feed bigint NOT NULL)"
    )
    crm.execute("INSERT INTO demo_marks VALUES (%s, 'old', 1, 2, 3)", (SMALL.cid,))
    assert SMALL.name in _loaded(load_demo_crm(dsn, mongo_db, scale=SCALE))
    assert _loaded(load_demo_crm(dsn, mongo_db, scale=SCALE)) == set()


def test_times_are_those_that_were_made(dsn: str, crm: Crm, mongo_db: Db) -> None:
    # At a larger scale, for there to be one without a time.
    load_demo_crm(dsn, mongo_db, scale=0.1)
    assert _one(crm, "SELECT count(*) FROM crm_notes WHERE created_at = 'infinity'") == 1
    first, last = crm.execute(
        "SELECT min(created_at), max(greatest(updated_at, deleted_at)) FROM crm_notes WHERE isfinite(created_at)"
    ).fetchone() or (None, None)
    assert datetime(2019, 1, 1) < first < datetime(2019, 2, 1)  # noqa: DTZ001 a column without zone
    assert datetime(2025, 11, 1) < last <= datetime(2025, 12, 20)  # noqa: DTZ001
    assert _one(crm, f"SELECT count(*) FROM {CHECKINS} c JOIN crm_notes n ON n.id = c.crm_note_id"
                     " WHERE c.created_at <> n.created_at AND isfinite(n.created_at)") == 0  # fmt: skip


class TestBulk:
    @staticmethod
    def _load(dsn: str, cid: int, notes: int = 3_000, attachments: int = 90) -> None:
        people = [(cid * 10_000 + number, FIRST + timedelta(hours=number)) for number in range(200)]
        bulk_load_notes(
            dsn, organization_id=cid, people=people, notes=notes, seed=5, first_note_id=cid * 100_000,
            attachments_root_url=ROOT, attachments=attachments,
        )  # fmt: skip

    def test_it_makes_what_was_asked_for_two_organizations(self, dsn: str, crm: Crm) -> None:
        for cid in (31, 32):
            self._load(dsn, cid)
        for cid in (31, 32):
            found = crm.execute("SELECT min(id), max(id), count(*) FROM crm_notes WHERE organization_id = %s", (cid,))
            assert found.fetchone() == (cid * 100_000, cid * 100_000 + 2_999, 3_000)
            assert _files(crm, cid) == 90
            assert _one(crm, "SELECT count(*) FROM crm_people WHERE organization_id = %s", cid) == 200
        assert (
            _one(
                crm,
                "SELECT count(*) FROM crm_notes n JOIN users u ON u.id = n.creator_id AND u.organization_id ="
                " n.organization_id JOIN crm_people p ON p.id = n.crm_person_id WHERE u.deleted_at IS NULL",
            )
            == 6_000
        )
        assert _one(crm, "INSERT INTO crm_notes DEFAULT VALUES RETURNING id") == 3_203_000
        assert _one(crm, "INSERT INTO crm_note_images DEFAULT VALUES RETURNING id") > 3 * 3_200_000
        assert empty_organization(crm, 31) > 3_290
        assert _files(crm, 31) == 0
        assert _files(crm, 32) == 90

    def test_it_goes_with_audits_of_the_same_organization(self, dsn: str, crm: Crm) -> None:
        people = [(310_000 + number, FIRST + timedelta(hours=number)) for number in range(200)]
        bulk_load(dsn, organization_id=31, people=people, audits=500, seed=5, first_audit_id=1)
        users, persons = (_digest(crm, table) for table in ("users", "crm_people"))
        self._load(dsn, 31, notes=500)
        assert (_digest(crm, "users"), _digest(crm, "crm_people")) == (users, persons)
        assert _one(crm, "SELECT count(*) FROM crm_notes") == 500

    def test_the_same_arguments_give_the_same_rows(self, dsn: str, crm: Crm) -> None:
        self._load(dsn, 31)
        before = _digests(crm)
        empty_organization(crm, 31)
        self._load(dsn, 31)
        assert _digests(crm) == before

    def test_more_files_than_notes_are_refused(self, dsn: str) -> None:
        with pytest.raises(ValueError, match="one each"):
            self._load(dsn, 31, notes=10, attachments=11)
        with pytest.raises(ValueError, match="attachments_root_url"):
            bulk_load_notes(
                dsn, organization_id=1, people=[(1, FIRST)], notes=1, seed=1, first_note_id=1, attachments=1
            )

    def test_rows_in_the_way_are_an_error_and_nothing_is_written(self, dsn: str, crm: Crm) -> None:
        self._load(dsn, 31, notes=300)
        before = _digests(crm)
        with pytest.raises(TransientFailure, match="demo CRM could not be written"):
            self._load(dsn, 31, notes=400)
        assert _digests(crm) == before
