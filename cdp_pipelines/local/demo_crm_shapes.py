"""How much of what the demo's CRM holds: one `CrmShape` a company.

Belongs here: numbers. Not here: how rows are made from them (`demo_crm_rows.py`, `demo_crm_audits.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdp_pipelines.local.demo_companies import BIG, FLAG_OFF, MEDIUM, NO_FEATURES, RHEINLAND, SMALL

CRM_SEED: Final = 20_240_917


@dataclass(frozen=True, slots=True, kw_only=True)
class CrmShape:
    """Shares are of all audits unless they say otherwise; what is left is an ordinary audit of a person with a contact.

    people_without_contact: share of the live people that the CDP has no contact of; coverage is 1 less this.
    deleted_people: share of the people with a contact that are deleted in the CRM; half as many are gone altogether.
    audits_per_person: audits for each person, with or without a contact.
    after_watermark: audits at or after their contact's `created_at`.
    live_feed: share of those that the live feed wrote to the CDP.
    unreadable: texts that no reader reads.
    unmapped: audits of types outside the table.
    strangers: audits of people without a contact, if there are such people.
    nobody: audits that name no person at all.
    foreign: number of audits that name a person of another company.
    invalid_timestamps: number of audits whose `created_at` is null or infinite.
    whole_stories: each record's history begins with its creation; else in the middle, as after an old purge.
    users: rows of `users`; every tenth or so is deleted, unknown to the launchpad, or without an email.
    """

    people_without_contact: float = 0.005
    deleted_people: float = 0.02
    audits_per_person: float = 2.0
    after_watermark: float = 0.06
    live_feed: float = 0.5
    unreadable: float = 0.003
    unmapped: float = 0.015
    strangers: float = 0.005
    nobody: float = 0.004
    foreign: int = 5
    invalid_timestamps: int = 6
    whole_stories: bool = False
    users: int = 24
    seed: int = CRM_SEED


DEFAULT_SHAPE: Final = CrmShape()

COMPANY_SHAPES: Final[Mapping[str, CrmShape]] = {
    BIG.slug: CrmShape(people_without_contact=0.004, audits_per_person=1.8, users=60),
    MEDIUM.slug: CrmShape(audits_per_person=3.0, unreadable=0.005),
    # So much is missing that the coverage gate refuses the company.
    RHEINLAND.slug: CrmShape(people_without_contact=0.08, audits_per_person=0.5, strangers=0.08),
    FLAG_OFF.slug: CrmShape(audits_per_person=0.05, foreign=1, invalid_timestamps=0),
    NO_FEATURES.slug: CrmShape(audits_per_person=0.1, foreign=1, invalid_timestamps=0),
    # Small and clean, with long timelines to look at.
    SMALL.slug: CrmShape(
        people_without_contact=0.0,
        deleted_people=0.0,
        audits_per_person=40.0,
        unreadable=0.0,
        unmapped=0.0,
        strangers=0.0,
        nobody=0.0,
        foreign=0,
        invalid_timestamps=0,
        whole_stories=True,
        users=8,
    ),
}
"""By the company's slug; a company that is not here has no CRM rows."""
