"""The demo CRM in PostgreSQL, linked to the demo contacts, the same rows every time.

Belongs here: writing rows and knowing whether they are there already. Not here: making them (`demo_crm_rosters.py`,
`demo_crm_audits.py`, `demo_crm_people.py`, `demo_crm_feed.py`), the tables (`crm_schema.py`), COPY
(`demo_crm_tables.py`), and indexes of MongoDB.
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
)
"""


@dataclass(frozen=True, slots=True)
class LoadedCrm:
    """What stands in the CRM of one company, and whether this load wrote it.

    `people` are those with a row, deleted ones included; `live_feed` the native documents in `activity_logs`.
    """

    company_sso_id: str
    organization_id: int
    name: str
    people: int
    audits: int
    live_feed: int
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


def load_demo_crm(
    dsn: str,
    database: "Database[dict[str, Any]]",
    *,
    scale: float = 1.0,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> CrmSummary:
    """Bring the demo companies' CRM rows into PostgreSQL and their live feed into `activity_logs`.

    Nothing of another organization or company is touched, nor any migrated document. A company that is there already,
    from the same version and scale, is left as it is (`unchanged`) unless `force`; otherwise its rows are deleted and
    written anew, in one transaction.

    Args:
        dsn: of the CRM's database, of a role that may make tables.
        database: the CDP's, in which `load_demo_data` of the same scale has put the contacts.
        scale: share of the people to make, 1.0 for some 60,000 audits.
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
            _load_company(crm, database, company, scale=scale, force=force, on_progress=on_progress)
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


def _load_company(
    crm: Crm,
    database: "Database[dict[str, Any]]",
    company: DemoCompany,
    *,
    scale: float,
    force: bool,
    on_progress: OnProgress | None,
) -> LoadedCrm | None:
    version = roster_version(company, scale)
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
        feed = _write_feed(database, company, roster, late)
        sizes = (len(roster.people), roster.plan.audits, feed)
        crm.execute("INSERT INTO demo_marks VALUES (%s, %s, %s, %s, %s)", (company.cid, version, *sizes))
    return _loaded(company, sizes, "loaded")


def _there_already(
    crm: Crm, database: "Database[dict[str, Any]]", company: DemoCompany, version: str
) -> LoadedCrm | None:
    """What the mark says, if it fits and as many rows and documents are there; edited ones are not noticed."""
    mark = crm.execute(
        "SELECT people, audits, live_feed, (SELECT count(*) FROM audits WHERE organization_id = %(cid)s)"
        " FROM demo_marks WHERE organization_id = %(cid)s AND version = %(version)s",
        {"cid": company.cid, "version": version},
    ).fetchone()
    if mark is None or mark[1] != mark[3]:
        return None
    found = database["activity_logs"].count_documents(_feed_of(company))
    return _loaded(company, mark[:3], "unchanged") if found == mark[2] else None


def _loaded(company: DemoCompany, sizes: tuple[int, ...], action: LoadAction) -> LoadedCrm:
    people, audits, live_feed = sizes
    return LoadedCrm(
        company_sso_id=company.company_sso_id,
        organization_id=company.cid,
        name=company.name,
        people=people,
        audits=audits,
        live_feed=live_feed,
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
