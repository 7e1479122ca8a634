"""The demo CRM in PostgreSQL, linked to the demo contacts, the same rows every time.

Belongs here: writing rows and knowing whether they are there already. Not here: making them (`demo_crm_rosters.py`,
`demo_crm_audits.py`, `demo_crm_people.py`, `demo_crm_feed.py`), notes (`demo_crm_notes_load.py`), the tables
(`crm_schema.py`), COPY (`demo_crm_tables.py`), and indexes of MongoDB.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.local.crm_schema import create_crm_schema, empty_organization
from cdp_pipelines.local.demo_companies import COMPANIES, DemoCompany
from cdp_pipelines.local.demo_crm_audits import DEFAULT_LOCALES, AuditPlan, LateAudit, iter_audit_rows
from cdp_pipelines.local.demo_crm_clock import microseconds
from cdp_pipelines.local.demo_crm_feed import FEED_SOURCE, feed_documents
from cdp_pipelines.local.demo_crm_notes_load import (
    DEFAULT_FILES_ROOT_URL,
    bulk_notes_plan,
    count_notes,
    notes_version,
    write_bulk_notes,
    write_demo_notes,
)
from cdp_pipelines.local.demo_crm_people import PersonWatermark, entity_name, person_row, pools_of
from cdp_pipelines.local.demo_crm_rosters import Roster, demo_roster, roster_version, without_contact
from cdp_pipelines.local.demo_crm_shapes import DEFAULT_SHAPE, CrmShape
from cdp_pipelines.local.demo_crm_tables import Crm, connected, copy_audits, settle, write_surroundings
from cdp_pipelines.local.demo_data import LoadAction, OnProgress

if TYPE_CHECKING:
    from pymongo.database import Database

_MARKS: Final = """
CREATE TABLE IF NOT EXISTS demo_marks (
    organization_id bigint PRIMARY KEY,
    version text NOT NULL,
    people bigint NOT NULL,
    audits bigint NOT NULL,
    live_feed bigint NOT NULL
);
ALTER TABLE demo_marks
    ADD COLUMN IF NOT EXISTS notes bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS attachments bigint NOT NULL DEFAULT 0
"""
_MARK: Final = (
    "INSERT INTO demo_marks (organization_id, version, people, audits, live_feed, notes, attachments)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s)"
)


@dataclass(frozen=True, slots=True)
class LoadedCrm:
    """What stands in the CRM of one company, and whether this load wrote it.

    `people` are those with a row, deleted ones included; `live_feed` the native documents in `activity_logs`; `notes`
    all notes, whatever becomes of them; `attachments` their files.
    """

    company_sso_id: str
    organization_id: int
    name: str
    people: int
    audits: int
    live_feed: int
    notes: int
    attachments: int
    action: LoadAction


@dataclass(frozen=True, slots=True)
class CrmSummary:
    """The whole load; `seconds` is wall time."""

    companies: tuple[LoadedCrm, ...]
    seconds: float

    @property
    def audits(self) -> int:
        """Audits of all demo companies together."""
        return sum(company.audits for company in self.companies)

    @property
    def notes(self) -> int:
        """Notes of all demo companies together."""
        return sum(company.notes for company in self.companies)

    @property
    def attachments(self) -> int:
        """Files on those notes."""
        return sum(company.attachments for company in self.companies)


def load_demo_crm(
    dsn: str,
    database: "Database[dict[str, Any]]",
    *,
    scale: float = 1.0,
    files_root_url: str = DEFAULT_FILES_ROOT_URL,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> CrmSummary:
    """Bring the demo companies' CRM rows into PostgreSQL and their live feed into `activity_logs`.

    Nothing of another organization or company is touched, nor any migrated document. A company that is there already,
    from the same version, scale and file server, is left as it is (`unchanged`) unless `force`; otherwise its rows are
    deleted and written anew, in one transaction.

    Args:
        dsn: of the CRM's database, of a role that may make tables.
        database: the CDP's, in which `load_demo_data` of the same scale has put the contacts.
        scale: share of the people to make, 1.0 for some 60,000 audits and 24,000 notes.
        files_root_url: where the notes' files are served, `crm_files` being what serves them.
        force: write even what seems to be there.
        on_progress: called with the company's name and its audits written so far.

    Raises:
        TransientFailure: one of the databases did not take it (`DEMO_LOAD_FAILED`).
    """
    started = time.monotonic()

    def load(crm: Crm) -> tuple[LoadedCrm, ...]:
        with crm.transaction():
            create_crm_schema(crm)
            crm.execute(_MARKS)
        loaded = [
            _load_company(
                crm, database, company, scale=scale, root_url=files_root_url, force=force, on_progress=on_progress
            )
            for company in COMPANIES
        ]
        done = tuple(company for company in loaded if company is not None)
        if any(company.action == "loaded" for company in done):
            settle(crm)
        return done

    return CrmSummary(companies=connected(dsn, load), seconds=time.monotonic() - started)


def bulk_load(
    dsn: str,
    *,
    organization_id: int,
    people: Sequence[tuple[int, datetime]],
    audits: int,
    seed: int,
    first_audit_id: int,
    shape: CrmShape = DEFAULT_SHAPE,
) -> None:
    """Write a CRM of any size for one organization, for benchmarks and tests: constant memory but for the people.

    The tables are made if they are not there. Rows of an earlier load are in the way: `empty_organization` first.

    Args:
        dsn: of the CRM's database, of a role that may make tables.
        organization_id: the company's `cid`; ids of users and records are made from it.
        people: the CRM ids and the contacts' aware `created_at` of those with a contact. Some more people without one
            get the ids after the largest.
        audits: how many; their ids are `first_audit_id` and the next ones.
        seed: of everything random; the same arguments give the same rows.
        shape: shares and numbers; its `audits_per_person`, `live_feed` and `seed` do not count.

    Raises:
        TransientFailure: the database did not take it (`DEMO_LOAD_FAILED`).
    """
    watermarks = [PersonWatermark(person, microseconds(at)) for person, at in people]
    pools = pools_of(DEFAULT_LOCALES)
    first_stranger = max((person for person, _ in people), default=0) + 1
    strangers = range(first_stranger, first_stranger + without_contact(len(people), shape.people_without_contact))
    plan = AuditPlan(
        organization_id=organization_id,
        people=sorted(watermarks, key=lambda person: (person.watermark, person.person_id)),
        audits=audits,
        shape=replace(shape, seed=seed),
        strangers=strangers,
        first_audit_id=first_audit_id,
    )
    rows = [
        person_row(person, pools[person % len(pools)].names[person % 60], organization_id, deleted=False)
        for person in (*(person for person, _ in people), *strangers)
    ]

    def load(crm: Crm) -> None:
        with crm.transaction():
            create_crm_schema(crm)
            write_surroundings(crm, plan, rows, pools, f"crm{organization_id}")
            copy_audits(crm, iter_audit_rows(plan))
        settle(crm)

    connected(dsn, load)


def bulk_load_notes(
    dsn: str,
    *,
    organization_id: int,
    people: Sequence[tuple[int, datetime]],
    notes: int,
    seed: int,
    first_note_id: int,
    attachments_root_url: str = "",
    attachments: int = 0,
) -> None:
    """Write any number of notes of one organization, for benchmarks and tests: constant memory but for the people.

    Every note is in scope, of a person with a contact and of a live user, some 600 characters long on average. The
    tables are made if they are not there, and so are the rows of the people and users that are missing: call it alone,
    or after `bulk_load`. Notes of an earlier load are in the way: `empty_organization` first.

    Args:
        dsn: of the CRM's database, of a role that may make tables.
        organization_id: the company's `cid`.
        people: the CRM ids and the contacts' aware `created_at`; the notes are of the three years before the last.
        notes: how many; their ids are `first_note_id` and the next ones.
        seed: of everything random; the same arguments give the same rows.
        first_note_id: see `notes`.
        attachments_root_url: where the files are served, see `load_demo_crm`.
        attachments: how many files, at most one a note, evenly spread, all of them good.

    Raises:
        ValueError: notes without people, or more files than notes.
        TransientFailure: the database did not take it (`DEMO_LOAD_FAILED`).
    """
    plan = bulk_notes_plan(organization_id, people, notes, seed=seed, first_note_id=first_note_id)
    if attachments > notes or (attachments and not attachments_root_url):
        raise ValueError("attachments need notes, one each, and attachments_root_url")

    def load(crm: Crm) -> None:
        with crm.transaction():
            create_crm_schema(crm)
            write_bulk_notes(crm, plan, attachments, attachments_root_url)
        settle(crm)

    connected(dsn, load)


def _load_company(
    crm: Crm,
    database: "Database[dict[str, Any]]",
    company: DemoCompany,
    *,
    scale: float,
    root_url: str,
    force: bool,
    on_progress: OnProgress | None,
) -> LoadedCrm | None:
    version = f"{roster_version(company, scale)}/{notes_version(root_url)}"
    if not force and (there := _there_already(crm, database, company, version)) is not None:
        return there
    roster = demo_roster(company, scale)
    if roster is None:
        return None
    late: list[LateAudit] = []

    def report(written: int) -> None:
        if on_progress is not None:
            on_progress(company.name, written)

    # The rows stand only if the live feed does too.
    with crm.transaction():
        crm.execute("DELETE FROM demo_marks WHERE organization_id = %s", (company.cid,))
        empty_organization(crm, company.cid)
        write_surroundings(crm, roster.plan, roster.people, pools_of(roster.plan.locales), company.slug)
        copy_audits(crm, iter_audit_rows(roster.plan, late=late), report)
        notes = write_demo_notes(crm, company, roster, scale=scale, root_url=root_url)
        feed = _write_feed(database, company, roster, late)
        sizes = (len(roster.people), roster.plan.audits, feed, *notes)
        crm.execute(_MARK, (company.cid, version, *sizes))
    return _loaded(company, sizes, "loaded")


def _there_already(
    crm: Crm, database: "Database[dict[str, Any]]", company: DemoCompany, version: str
) -> LoadedCrm | None:
    """What the mark says, if it fits and as many rows and documents are there; edited ones are not noticed."""
    mark = crm.execute(
        "SELECT people, audits, live_feed, notes, attachments FROM demo_marks"
        " WHERE organization_id = %(cid)s AND version = %(version)s",
        {"cid": company.cid, "version": version},
    ).fetchone()
    if mark is None:
        return None
    audits = crm.execute("SELECT count(*) FROM audits WHERE organization_id = %s", (company.cid,)).fetchone()
    feed = database["activity_logs"].count_documents(_feed_of(company))
    found = (*(audits or ()), feed, *count_notes(crm, company.cid))
    return _loaded(company, mark, "unchanged") if found == mark[1:] else None


def _loaded(company: DemoCompany, sizes: tuple[int, ...], action: LoadAction) -> LoadedCrm:
    people, audits, live_feed, notes, attachments = sizes
    return LoadedCrm(
        company_sso_id=company.company_sso_id,
        organization_id=company.cid,
        name=company.name,
        people=people,
        audits=audits,
        live_feed=live_feed,
        notes=notes,
        attachments=attachments,
        action=action,
    )


def _write_feed(
    database: "Database[dict[str, Any]]",
    company: DemoCompany,
    roster: Roster,
    late: Sequence[LateAudit],
) -> int:
    plan = roster.plan
    pools = pools_of(plan.locales)

    def name_of(audit: LateAudit) -> str:
        if audit.entity_type == "person":
            return roster.names[audit.person_id]
        return entity_name(pools, audit.entity_type, audit.entity_id - company.crm_id(0))

    documents = list(
        feed_documents(
            late,
            company_sso_id=company.company_sso_id,
            share=plan.shape.live_feed,
            contact_of=roster.contacts.__getitem__,
            name_of=name_of,
            actor={"id": company.company_sso_id, "name": company.name},
        )
    )
    logs = database["activity_logs"]
    logs.delete_many(_feed_of(company))
    if documents:
        logs.insert_many(documents, ordered=False)
    return len(documents)


def _feed_of(company: DemoCompany) -> dict[str, str]:
    return {"company_sso_id": company.company_sso_id, "source": FEED_SOURCE}
