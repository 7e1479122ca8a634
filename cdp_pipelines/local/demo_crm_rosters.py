"""Which people the demo CRM has, company by company, and the plan of their audits.

Belongs here: people with and without a contact, and how ids of the companies interleave. Not here: rows of audits
(`demo_crm_audits.py`) and writing (`demo_crm.py`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cdp_pipelines.local.demo_companies import BIG, COMPANIES, SMALL, DemoCompany
from cdp_pipelines.local.demo_contacts import DEMO_SEED, iter_contact_keys
from cdp_pipelines.local.demo_crm_audits import AuditPlan
from cdp_pipelines.local.demo_crm_clock import microseconds
from cdp_pipelines.local.demo_crm_people import PersonWatermark, Row, entity_name, person_row, pools_of
from cdp_pipelines.local.demo_crm_shapes import COMPANY_SHAPES
from cdp_pipelines.local.demo_data import DEMO_VERSION
from cdp_pipelines.local.demo_pools import pools_version

# Raise it when any row would come out otherwise, so that a database with older rows is loaded anew.
CRM_VERSION: Final = 1
FIRST_AUDIT_ID: Final = 1_000_000
_ID_STEP: Final = 16
_FOREIGN_PEOPLE: Final = 40
_DELETED_STRANGERS: Final = 5
"""For so many live people without a contact there is a deleted one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The CRM's people of one company, ready to be written.

    contacts: contact id and name by person id. strangers: people without a contact, live ones first.
    """

    plan: AuditPlan
    people: Sequence[Row]
    contacts: Mapping[int, str]
    names: Mapping[int, str]


def demo_roster(company: DemoCompany, scale: float) -> Roster | None:
    """The people of a demo company, and the plan of its audits; None when it has no contacts or no CRM.

    Made from the contacts' generator, so MongoDB is not asked.
    """
    shape = COMPANY_SHAPES.get(company.slug)
    count = company.contact_count(scale)
    if shape is None or not count:
        return None
    keys = [key for key in iter_contact_keys(company, count) if key.crm_id is not None]
    locales = tuple(locale for locale, _ in company.locales)
    pools = pools_of(locales)
    contacts = {int(key.crm_id or 0): key.contact_id for key in keys}
    names = {person: key.name or pools[0].names[person % 60] for person, key in zip(contacts, keys, strict=True)}
    people, live = _known_people(names, company.cid, shape.deleted_people)
    strangers = _strangers(live, shape.people_without_contact, first_id=company.crm_id(count))
    people += [
        person_row(person, entity_name(pools, "company", place), company.cid, deleted=deleted)
        for place, (person, deleted) in enumerate(strangers.items())
    ]
    watermarks = [PersonWatermark(int(key.crm_id or 0), microseconds(key.created_at)) for key in keys]
    plan = AuditPlan(
        organization_id=company.cid,
        people=sorted(watermarks, key=lambda person: (person.watermark, person.person_id)),
        audits=round((len(keys) + len(strangers)) * shape.audits_per_person),
        shape=shape,
        strangers=tuple(strangers),
        foreign_people=_people_of(BIG if company is SMALL else SMALL, scale),
        locales=locales,
        first_audit_id=FIRST_AUDIT_ID + COMPANIES.index(company),
        id_step=_ID_STEP,
        spread=max(_most_audits(other, scale) for other in COMPANIES),
    )
    return Roster(plan=plan, people=people, contacts=contacts, names=names)


def roster_version(company: DemoCompany, scale: float) -> str:
    """What the company's rows depend on; the audit ids of each depend on the sizes of all."""
    made_from = f"{company}/{COMPANY_SHAPES}/{scale}/{DEMO_SEED}/{DEMO_VERSION}/{pools_version()}"
    return f"{CRM_VERSION}/{hashlib.blake2b(made_from.encode(), digest_size=8).hexdigest()}"


def without_contact(live: int, share: float) -> int:
    """How many more live people there must be for that share of all to have no contact."""
    return round(live * share / (1 - share))


def most_people(company: DemoCompany, scale: float) -> float:
    """More than any company of that size can have, without making its people."""
    shape = COMPANY_SHAPES.get(company.slug)
    return 0 if shape is None else company.contact_count(scale) * (1 + 2 * shape.people_without_contact) + 1


def _known_people(names: Mapping[int, str], cid: int, deleted_share: float) -> tuple[list[Row], int]:
    """Rows of the people with a contact, and how many of them are live; some have no row at all any more."""
    rows: list[Row] = []
    live = 0
    for place, (person, name) in enumerate(names.items()):
        deleted = _is_due(place, deleted_share)
        if deleted or not _is_due(place + 7, deleted_share / 2):
            rows.append(person_row(person, name, cid, deleted=deleted))
            live += not deleted
    return rows, live


def _is_due(place: int, share: float) -> bool:
    return int((place + 1) * share) > int(place * share)


def _strangers(live: int, share: float, *, first_id: int) -> dict[int, bool]:
    """Ids of people without a contact, and whether they are deleted; deleted ones do not count for coverage."""
    count = without_contact(live, share)
    return {first_id + place: place >= count for place in range(count + count // _DELETED_STRANGERS)}


def _people_of(company: DemoCompany, scale: float) -> tuple[int, ...]:
    keys = iter_contact_keys(company, min(company.contact_count(scale), _FOREIGN_PEOPLE))
    return tuple(key.crm_id for key in keys if key.crm_id is not None)


def _most_audits(company: DemoCompany, scale: float) -> int:
    shape = COMPANY_SHAPES.get(company.slug)
    return 0 if shape is None else int(most_people(company, scale) * shape.audits_per_person) + 1
