"""Notes of the demo CRM on their way into PostgreSQL: whose they are, how many, and the tables they go to.

Belongs here: plans of notes, writing and counting them. Not here: single rows (`demo_crm_notes.py`,
`demo_crm_note_files.py`), the rest of the CRM and marks (`demo_crm.py`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cdp_pipelines.local.crm_notes_schema import (
    CHECKIN_COLUMNS,
    CHECKINS,
    FILE_COLUMNS,
    FILE_TABLES,
)
from cdp_pipelines.local.crm_schema import ENTITY_COLUMNS, USER_COLUMNS
from cdp_pipelines.local.demo_companies import COMPANIES, DemoCompany
from cdp_pipelines.local.demo_crm_audits import DEFAULT_LOCALES
from cdp_pipelines.local.demo_crm_clock import microseconds
from cdp_pipelines.local.demo_crm_note_files import note_file_rows, spread_file_rows
from cdp_pipelines.local.demo_crm_note_shapes import CLEAN_NOTES, NOTES_SHAPES, NotesShape
from cdp_pipelines.local.demo_crm_notes import NotesPlan, iter_note_rows, lay_out
from cdp_pipelines.local.demo_crm_people import DemoUsers, Row, person_row, pools_of
from cdp_pipelines.local.demo_crm_rosters import Roster, most_people
from cdp_pipelines.local.demo_crm_shapes import DEFAULT_SHAPE
from cdp_pipelines.local.demo_crm_tables import Crm, add_rows, copy_notes, copy_rows

# Raise it when any note or file would come out otherwise, so that a database with older rows is loaded anew.
NOTES_VERSION: Final = 1
FIRST_NOTE_ID: Final = 5_000_000
DEFAULT_FILES_ROOT_URL: Final = "https://files.crm.example"
"""Where nothing is served: for who loads notes but fetches no files."""

_ID_STEP: Final = 16
_SPAN: Final = (microseconds(datetime(2019, 1, 7, tzinfo=UTC)), microseconds(datetime(2025, 12, 20, tzinfo=UTC)))
_BULK_SPAN: Final = timedelta(days=3 * 365)
_CREATOR_DRAWS: Final = 1_000
_NO_NOTES: Final = NotesShape(notes_per_person=0)
_FILES_COUNT: Final = (
    "SELECT count(*) FROM {} WHERE crm_note_id IN (SELECT id FROM crm_notes WHERE organization_id = %s)"
)


def notes_version(root_url: str) -> str:
    """What the notes of all companies depend on, besides the people."""
    made_from = f"{NOTES_SHAPES}/{root_url}"
    return f"{NOTES_VERSION}/{hashlib.blake2b(made_from.encode(), digest_size=8).hexdigest()}"


def demo_notes_plan(company: DemoCompany, roster: Roster, scale: float) -> NotesPlan:
    """The notes of a demo company's people."""
    shape = NOTES_SHAPES.get(company.slug, _NO_NOTES)
    audits = roster.plan
    return NotesPlan(
        organization_id=company.cid,
        people=list(roster.contacts),
        notes=round((len(roster.contacts) + len(audits.strangers)) * shape.notes_per_person),
        shape=shape,
        locales=tuple(locale for locale, share in company.locales for _ in range(share)),
        users=audits.users,
        creators=[audits.users.draw(number / _CREATOR_DRAWS) for number in range(_CREATOR_DRAWS)],
        span=_SPAN,
        strangers=audits.strangers,
        foreign_people=audits.foreign_people,
        first_note_id=FIRST_NOTE_ID + COMPANIES.index(company),
        id_step=_ID_STEP,
        spread=max(_most_notes(other, scale) for other in COMPANIES),
    )


def bulk_notes_plan(
    organization_id: int, people: Sequence[tuple[int, datetime]], notes: int, *, seed: int, first_note_id: int
) -> NotesPlan:
    """Good notes of people, see `demo_crm.bulk_load_notes`.

    Raises:
        ValueError: notes without people.
    """
    if not people:
        raise ValueError("notes need people to be about")
    last = max(at for _, at in people)
    users = DemoUsers(organization_id, DEFAULT_SHAPE.users)
    return NotesPlan(
        organization_id=organization_id,
        people=[person for person, _ in people],
        notes=notes,
        shape=replace(CLEAN_NOTES, seed=seed),
        locales=DEFAULT_LOCALES,
        users=users,
        creators=users.known(),
        span=(microseconds(last - _BULK_SPAN), microseconds(last)),
        first_note_id=first_note_id,
    )


def write_demo_notes(crm: Crm, company: DemoCompany, roster: Roster, *, scale: float, root_url: str) -> tuple[int, int]:
    """Write a demo company's notes, where there are none yet, and say how many notes and files; the caller commits."""
    plan = demo_notes_plan(company, roster, scale)
    checkins: list[Row] = []
    copy_notes(crm, iter_note_rows(plan, checkins=checkins))
    copy_rows(crm, CHECKINS, CHECKIN_COLUMNS, checkins)
    files = note_file_rows(plan, lay_out(plan), root_url)
    for table, rows in files.items():
        copy_rows(crm, table, FILE_COLUMNS, rows)
    return plan.notes, sum(map(len, files.values()))


def write_bulk_notes(crm: Crm, plan: NotesPlan, files: int, root_url: str) -> None:
    """Write any number of notes and files, and the users and people that are missing; the caller commits."""
    pools = pools_of(plan.locales)
    add_rows(crm, "users", USER_COLUMNS, plan.users.rows(pools, f"crm{plan.organization_id}"))
    people = (
        person_row(person, pools[person % len(pools)].names[person % 60], plan.organization_id, deleted=False)
        for person in plan.people
    )
    add_rows(crm, "crm_people", ENTITY_COLUMNS, people)
    copy_notes(crm, iter_note_rows(plan))
    for table in FILE_TABLES:
        rows = (row for kind, row in spread_file_rows(plan, files, root_url) if kind == table)
        copy_rows(crm, table, FILE_COLUMNS, rows)


def count_notes(crm: Crm, organization_id: int) -> tuple[int, int]:
    """How many notes and files of the organization are there."""
    from psycopg.sql import SQL, Identifier

    notes = crm.execute("SELECT count(*) FROM crm_notes WHERE organization_id = %s", (organization_id,))
    files = [crm.execute(SQL(_FILES_COUNT).format(Identifier(table)), (organization_id,)) for table in FILE_TABLES]
    return _count(notes.fetchone()), sum(_count(found.fetchone()) for found in files)


def _count(row: tuple[int, ...] | None) -> int:
    return row[0] if row is not None else 0


def _most_notes(company: DemoCompany, scale: float) -> int:
    shape = NOTES_SHAPES.get(company.slug, _NO_NOTES)
    return int(most_people(company, scale) * shape.notes_per_person) + 1
