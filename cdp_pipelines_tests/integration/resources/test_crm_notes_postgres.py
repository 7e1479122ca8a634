"""The CRM's notes from a real PostgreSQL: with what hangs on them, window by window, and over cut connections."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
import yaml
from psycopg import sql

from cdp_pipelines.domain.contact_notes.attachments import CrmAttachment
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.resources.crm_mapping import load_mapping
from cdp_pipelines.resources.crm_notes import NotesOverview
from cdp_pipelines.resources.crm_notes_postgres import PostgresNotes
from cdp_pipelines.resources.crm_session import APPLICATION_NAME, CrmSession
from cdp_pipelines_tests.integration.pipelines.migration_harness import Crm
from cdp_pipelines_tests.integration.resources.http_servers import closed_port
from cdp_pipelines_tests.support.waiting import wait_for

CID, OTHER = 7, 8
END: Final = 2**62
MAY = datetime(2024, 5, 1, tzinfo=UTC)
FILE_TABLES = {"image": "crm_note_images", "audio": "crm_note_audios", "document": "crm_note_attachments"}


class Rows:
    """A CRM database of the test's own, and one organization's notes in it as they are read."""

    def __init__(self, dsn: str) -> None:
        self.crm = Crm(dsn)
        self.notes = self.of(CID)

    def of(self, cid: int, mapping: str = "") -> PostgresNotes:
        return PostgresNotes(CrmSession(self.crm.dsn, cid), load_mapping(mapping))

    def insert(self, table: str, **values: Any) -> None:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join([sql.Placeholder()] * len(values)),
        )
        self.crm.connection.execute(statement, list(values.values()))

    def note(self, number: int, *, cid: int = CID, **values: Any) -> None:
        self.insert("crm_notes", id=number, organization_id=cid, **values)

    def file(self, number: int, note: int, kind: str = "image", **values: Any) -> None:
        self.insert(FILE_TABLES[kind], id=number, crm_note_id=note, **values)

    def checkin(self, number: int, note: int) -> None:
        self.insert("crm_checkins", id=number, crm_note_id=note, latitude=-6.2)

    def cut_connections(self) -> int:
        (found,) = self.crm.connection.execute(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = %s AND datname = current_database()",
            (APPLICATION_NAME,),
        ).fetchall()
        return int(found[0])

    def connections(self, condition: str = "true") -> int:
        (found,) = self.crm.connection.execute(
            f"SELECT count(*) FROM pg_stat_activity WHERE {condition} AND application_name = %s "
            "AND datname = current_database()",
            (APPLICATION_NAME,),
        ).fetchall()
        return int(found[0])

    def close(self) -> None:
        self.notes.close()
        self.crm.close()


@pytest.fixture
def rows(stack_env: Mapping[str, str]) -> Iterator[Rows]:
    with closing(Rows(stack_env["CRM_AUDIT_DATABASE_URL"])) as made:
        yield made


def read(
    notes: PostgresNotes, *, after: int = 0, to: int = END, cutoff: datetime | None = None, page_rows: int = 3,
    window_pages: int = 2,
) -> list[list[CrmNote]]:  # fmt: skip
    return list(notes.notes(after=after, to=to, cutoff=cutoff, page_rows=page_rows, window_pages=window_pages))


def ids(pages: Sequence[Sequence[CrmNote]]) -> list[int]:
    return [note.id for page in pages for note in page]


def parts(notes: Sequence[CrmNote]) -> dict[int, tuple[list[tuple[str, int]], bool]]:
    return {note.id: ([(file.source, file.id) for file in note.attachments], note.has_checkin) for note in notes}


@pytest.mark.parametrize("kept_as", ["numeric", "double precision", "text"])
def test_ids_are_ids_however_the_database_keeps_them(rows: Rows, kept_as: str) -> None:
    for column in ("creator_id", "crm_person_id", "crm_note_type_id", "crm_deal_id"):
        rows.crm.connection.execute(f"ALTER TABLE crm_notes ALTER {column} TYPE {kept_as}")
    sizes = "numeric" if kept_as == "text" else kept_as
    rows.crm.connection.execute(f"ALTER TABLE crm_note_images ALTER file_size TYPE {sizes}")
    as_kept = "{}.0" if kept_as == "text" else "{}"
    values: dict[str, int] = {"creator_id": 2, "crm_person_id": 9_310_001, "crm_note_type_id": 6, "crm_deal_id": 5}
    written: dict[str, Any] = {name: as_kept.format(value) for name, value in values.items()}
    rows.note(1, note="<p>x</p>", **written)
    rows.note(2, crm_person_id="-1", crm_note_type_id="1")
    rows.note(3, crm_person_id="3", crm_note_type_id="1.5" if kept_as != "text" else "note")
    rows.note(4, crm_person_id=None, crm_note_type_id=None)
    rows.file(1, 1, url="https://x/a", file_size="5")
    found = [note for page in read(rows.notes) for note in page]
    assert rows.notes.notes_by_id([1, 2, 3, 4]) == found
    first, second, third, fourth = found
    assert (first.creator_id, first.person_id, first.type_id, first.deal_id) == (2, 9_310_001, 6, 5)
    assert all(type(value) is int for value in (first.creator_id, first.person_id, first.type_id, first.deal_id))
    assert first.attachments == (CrmAttachment(1, "image", "https://x/a", None, None, 5),)
    assert type(first.attachments[0].file_size) is int
    assert [note.unreadable for note in (first, fourth)] == [(), ()]
    assert second.unreadable == ("its crm_person_id is not an id",)
    assert third.unreadable == ("its crm_note_type_id is not an id",)


def test_a_note_with_everything(rows: Rows) -> None:
    rows.note(
        1, note="<p>安</p>", creator_id=2, crm_person_id=3, crm_company_id=4, crm_deal_id=5, ticket_id=6,
        crm_note_type_id=6, created_at="2024-05-01 10:00:00.123456", updated_at="2024-05-02", deleted_at="2024-05-03",
    )  # fmt: skip
    rows.file(9, 1, "document", url="https://x/d", file_name="d", content_type="x/y", file_size=2**40)
    rows.file(8, 1, "document")
    rows.file(9, 1, "audio", url="https://x/a", file_name="a")
    rows.file(9, 1, "image", url="https://x/i", content_type="image/png", file_size=0)
    rows.checkin(1, 1)
    expected = CrmNote(
        1, "<p>安</p>", 2, 3, 4, 5, 6, 6, datetime(2024, 5, 1, 10, 0, 0, 123_456, tzinfo=UTC),
        datetime(2024, 5, 2, tzinfo=UTC), deleted=True,
        attachments=(
            CrmAttachment(9, "image", "https://x/i", None, "image/png", 0),
            CrmAttachment(9, "audio", "https://x/a", "a", None, None),
            CrmAttachment(8, "document", "", None, None, None),
            CrmAttachment(9, "document", "https://x/d", "d", "x/y", 2**40),
        ),
        has_checkin=True,
    )  # fmt: skip
    assert read(rows.notes) == [[expected]]
    assert rows.notes.notes_by_id([1]) == [expected]


def test_a_note_with_nothing_but_its_id(rows: Rows) -> None:
    rows.note(1)
    bare = CrmNote(1, None, None, None, None, None, None, None, None, None, deleted=False)
    assert read(rows.notes) == [[bare]]
    assert rows.notes.notes_by_id([1]) == [bare]


@pytest.mark.parametrize("instant", ["infinity", "-infinity", "4713-01-01 BC", "20000-01-01"])
def test_instants_beyond_the_calendar_are_none(rows: Rows, instant: str) -> None:
    rows.note(1, created_at=instant, updated_at=instant)
    ((note,),) = read(rows.notes)
    assert (note.created_at, note.updated_at) == (None, None)
    assert rows.notes.notes_by_id([1]) == [note]


@pytest.mark.parametrize(("page_rows", "window_pages"), [(1, 1), (2, 1), (3, 1), (3, 2), (4, 3), (100, 1)])
def test_parts_stay_with_their_notes_over_windows(rows: Rows, page_rows: int, window_pages: int) -> None:
    wanted: dict[int, tuple[list[tuple[str, int]], bool]] = {}
    for number in range(1, 13):
        rows.note(number * 10)
        files = [("image", 100 * number + each) for each in range(number % 4)]
        for kind, file in reversed(files):
            rows.file(file, number * 10, kind)
        if number % 3 == 0:
            rows.checkin(number, number * 10)
        wanted[number * 10] = (files, number % 3 == 0)
    pages = read(rows.notes, page_rows=page_rows, window_pages=window_pages)
    assert parts([note for page in pages for note in page]) == wanted
    assert max(map(len, pages)) == min(page_rows, 12)
    assert parts(rows.notes.notes_by_id(list(wanted))) == wanted


def test_nothing_of_another_organization(rows: Rows) -> None:
    for number, cid in ((1, CID), (2, OTHER), (3, CID), (4, OTHER)):
        rows.note(number, cid=cid, note=f"of {cid}")
        rows.file(number, number)
        rows.checkin(number, number)
    rows.insert("crm_notes", id=5, organization_id=None)
    rows.file(5, 5)
    for cid, own in ((CID, [1, 3]), (OTHER, [2, 4])):
        with closing(rows.of(cid)) as notes:
            everything = parts([note for page in read(notes) for note in page])
            assert everything == {number: ([("image", number)], True) for number in own}
            assert parts(notes.notes_by_id([1, 2, 3, 4, 5])) == everything
            assert notes.overview(None) == NotesOverview(2, own[0], own[1])


def test_parts_of_notes_that_are_not_there_or_not_asked_for(rows: Rows) -> None:
    rows.note(10, deleted_at="2024-01-01")
    rows.note(20, created_at="2024-06-01")
    rows.note(30)
    for number, note in enumerate((5, 10, 15, 20, 25, 30, 35), start=1):
        rows.file(number, note)
        rows.checkin(number, note)
    rows.insert("crm_note_images", id=99, crm_note_id=None)
    found = [note for page in read(rows.notes) for note in page]
    assert parts(found) == {10: ([("image", 2)], True), 20: ([("image", 4)], True), 30: ([("image", 6)], True)}
    assert found[0].deleted
    assert parts(rows.notes.notes_by_id([20, 25])) == {20: ([("image", 4)], True)}
    assert parts([note for page in read(rows.notes, after=10, to=20) for note in page]) == {20: ([("image", 4)], True)}


def test_from_one_id_to_another(rows: Rows) -> None:
    for number in range(2, 42, 2):
        rows.note(number)
    assert ids(read(rows.notes, after=7, to=31)) == list(range(8, 31, 2))
    assert ids(read(rows.notes, after=8, to=30)) == list(range(10, 31, 2))
    assert read(rows.notes, after=40) == read(rows.notes, to=1) == []


def test_single_notes_as_far_as_they_are_there(rows: Rows) -> None:
    for number in (30, 10, 20):
        rows.note(number)
    assert [note.id for note in rows.notes.notes_by_id([30, 10, 99, 10])] == [10, 30]
    assert rows.notes.notes_by_id([]) == []


def test_cutoff_keeps_the_recent_and_those_without_a_readable_time(rows: Rows) -> None:
    times = {1: "2024-04-30 23:59:59.999999", 2: "2024-05-01", 3: None, 4: "infinity", 5: "-infinity", 6: "2024-05-02"}
    for number, at in times.items():
        rows.note(number, created_at=at)
        rows.file(number, number)
    kept = [2, 3, 4, 6]
    found = [note for page in read(rows.notes, cutoff=MAY) for note in page]
    assert parts(found) == {number: ([("image", number)], False) for number in kept}
    assert rows.notes.overview(MAY) == NotesOverview(4, 2, 6)
    assert rows.notes.overview(None) == NotesOverview(6, 1, 6)


def test_an_empty_organization(rows: Rows) -> None:
    rows.note(1, cid=OTHER)
    assert rows.notes.overview(None) == rows.notes.overview(MAY) == NotesOverview(0, 0, 0)
    assert read(rows.notes) == []


def test_a_note_that_comes_while_a_window_is_opened_takes_no_files_away(rows: Rows) -> None:
    # Its id lies within the window, as that of a slow transaction does, and would push the last note out of it.
    for number in range(2, 14, 2):
        rows.note(number)
        rows.file(number, number)
    with (
        psycopg.connect(rows.crm.dsn) as locking,
        closing(rows.notes.notes(after=0, to=END, cutoff=None, page_rows=6, window_pages=1)) as pages,
        ThreadPoolExecutor(1) as thread,
    ):
        locking.execute("LOCK TABLE crm_note_images")
        first = thread.submit(next, pages)
        wait_for("the statement about files", lambda: rows.connections("wait_event_type = 'Lock'"))
        rows.note(3)
        locking.commit()
        assert parts(first.result()) == {number: ([("image", number)], False) for number in range(2, 14, 2)}


def test_a_connection_that_is_cut_goes_on_after_the_last_page(rows: Rows) -> None:
    for number in range(1, 2_501):
        rows.note(number)
        if number % 5 == 0:
            rows.file(number, number)
    cuts = []
    found: list[CrmNote] = []
    for number, page in enumerate(
        rows.notes.notes(after=0, to=END, cutoff=None, page_rows=100, window_pages=10), start=1
    ):
        found += page
        if number in (2, 3, 14):
            cuts.append(rows.cut_connections())
    assert min(cuts) > 0
    assert [note.id for note in found] == list(range(1, 2_501))
    assert parts(found) == {n: ([("image", n)] if n % 5 == 0 else [], False) for n in range(1, 2_501)}


def test_a_connection_for_lookups_that_is_cut_is_made_anew(rows: Rows) -> None:
    rows.note(1)
    assert rows.notes.overview(None).total == 1
    assert rows.cut_connections() == 1
    assert [note.id for note in rows.notes.notes_by_id([1])] == [1]


def test_leaving_early_gives_the_connection_back(rows: Rows) -> None:
    for number in range(1, 10):
        rows.note(number)
    with closing(rows.notes.notes(after=0, to=END, cutoff=None, page_rows=2)) as pages:
        next(pages)
        assert rows.connections() == 1
    wait_for("the connection's end", lambda: rows.connections() == 0)


def test_nobody_answers() -> None:
    dsn = f"postgresql://cdp:hunter2@127.0.0.1:{closed_port()}/crm"
    notes = PostgresNotes(CrmSession(dsn, CID), load_mapping())
    with pytest.raises(TransientFailure, match="CRM_AUDIT_DATABASE_URL") as caught:
        notes.overview(None)
    assert caught.value.code == "CRM_UNAVAILABLE"
    assert "hunter2" not in str(caught.value)


class TestOtherNames:
    def mapping(self, folder: Path, **changes: Any) -> str:
        def named(table: str, columns: str) -> dict[str, Any]:
            return {"table": table, "columns": {name: f"The {name}" for name in columns.split()}}

        notes = {
            "note": named(
                "desk.Remarks",
                "id organization content creator person company deal ticket type created_at updated_at deleted_at",
            ),
            "image": named("desk.Pictures", "id note url name content_type size"),
            "audio": named("desk.Sounds", "id note url name content_type size"),
            "document": named("desk.Papers", "id note url name content_type size"),
            "checkin": named("desk.Visits", "id note"),
        }
        own = Path(__file__).parents[3] / "cdp_pipelines" / "resources" / "data" / "crm_mapping.yaml"
        file = folder / "mapping.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(own.read_text()), "notes": {**notes, **changes}}))
        return str(file)

    def test_of_tables_and_columns(self, rows: Rows, tmp_path: Path) -> None:
        file_columns = '"The id" bigint, "The note" bigint, "The url" text, "The name" text, "The content_type" text'
        rows.crm.connection.execute(
            'CREATE SCHEMA desk; CREATE TABLE desk."Remarks" ("The id" bigint, "The organization" bigint, '
            '"The content" text, "The creator" bigint, "The person" bigint, "The company" bigint, "The deal" bigint, '
            '"The ticket" bigint, "The type" integer, "The created_at" timestamptz, "The updated_at" timestamptz, '
            '"The deleted_at" timestamptz);'
            + "".join(
                f'CREATE TABLE desk."{name}" ({file_columns}, "The size" integer);'
                for name in ("Pictures", "Sounds", "Papers")
            )
            + 'CREATE TABLE desk."Visits" ("The id" bigint, "The note" bigint);'
            + f"INSERT INTO desk.\"Remarks\" VALUES (1, {CID}, 'x', 2, 3, 4, 5, 6, 7, '2024-05-01 10:00+07', now());"
            + "INSERT INTO desk.\"Papers\" VALUES (4, 1, 'https://x', 'n', 't', 5);"
            + 'INSERT INTO desk."Visits" VALUES (1, 1);'
        )
        with closing(rows.of(CID, self.mapping(tmp_path))) as notes:
            ((note,),) = read(notes)
        assert note._replace(updated_at=None) == CrmNote(
            1, "x", 2, 3, 4, 5, 6, 7, datetime(2024, 5, 1, 3, tzinfo=UTC), None, deleted=False,
            attachments=(CrmAttachment(4, "document", "https://x", "n", "t", 5),), has_checkin=True,
        )  # fmt: skip

    def test_that_are_not_in_the_database(self, rows: Rows, tmp_path: Path) -> None:
        with (
            closing(rows.of(CID, self.mapping(tmp_path))) as notes,
            pytest.raises(ConfigurationError, match="CDP_CRM_MAPPING_FILE") as caught,
        ):
            read(notes)
        assert caught.value.code == "CRM_MAPPING_MISMATCH"

    def test_without_notes(self, rows: Rows, tmp_path: Path) -> None:
        file = tmp_path / "mapping.yaml"
        self.mapping(tmp_path)
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "notes": None}))
        with pytest.raises(ConfigurationError, match="names no tables of notes"):
            rows.of(CID, str(file))
