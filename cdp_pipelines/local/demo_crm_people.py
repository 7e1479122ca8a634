"""Who and what the demo CRM's audits are about: people, the records linked to them, and users.

Belongs here: rows of every table but `audits`, and their ids. Not here: audits (`demo_crm_audits.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from cdp_pipelines.local.demo_companies import CRM_IDS_PER_COMPANY
from cdp_pipelines.local.demo_contacts import DEMO_SEED
from cdp_pipelines.local.demo_crm_stories import ENTITY_SHARES, Group
from cdp_pipelines.local.demo_pools import LocalePool, locale_pool
from cdp_pipelines.local.http_apis import UNKNOWN_DOMAIN

Row: TypeAlias = tuple[int | str | None, ...]

ENTITY_TABLES: Final[dict[Group, str]] = {
    "deal": "crm_deals",
    "company": "crm_companies",
    "ticket": "tickets",
    "task": "crm_tasks",
}
_DELETED_AT: Final = "2025-06-30 02:00:00.123456"
_USERS_PER_ORGANIZATION: Final = 1_000
_WORDS: Final[dict[Group, str]] = {"deal": "Paket", "ticket": "Keluhan:", "task": "Hubungi"}


class PersonWatermark(NamedTuple):
    """A CRM person with a contact: its id and the contact's `created_at`, in microseconds since 1970."""

    person_id: int
    watermark: int


@dataclass(frozen=True, slots=True)
class DemoUsers:
    """The users of an organization, number 0 to `count` - 1, and who of them did what."""

    organization_id: int
    count: int

    def user_id(self, number: int) -> int:
        """The id; numbers from `count` on have no row."""
        return self.organization_id * _USERS_PER_ORGANIZATION + number

    def draw(self, chance: float) -> int | None:
        """The user of an audit: none in 6 %, no row any more in 2 %, else one of the rows."""
        if chance < 0.06 or not self.count:
            return None
        if chance < 0.08:
            return self.user_id(self.count + int(chance * 1_000) % 3)
        return self.user_id(int((chance - 0.08) / 0.92 * self.count))

    def name(self, pools: Sequence[LocalePool], number: int) -> str:
        """What user `number` is called."""
        return _pick(pools, number).names[number % 60]

    def known(self) -> list[int]:
        """The ids of those who are neither deleted nor unknown to the launchpad."""
        gone = {number for number in range(self.count) if number == 3 or number % 8 == 5 or number % 10 == 7}
        return [self.user_id(number) for number in range(self.count) if number not in gone]

    def rows(self, pools: Sequence[LocalePool], slug: str) -> Iterator[Row]:
        """Rows of `users`: number 3 has no email, every eighth is deleted, every tenth unknown to the launchpad."""
        for number in range(self.count):
            domain = UNKNOWN_DOMAIN if number % 10 == 7 else f"@{slug}.example"
            email = f"user{number}{domain}"
            yield (
                self.user_id(number),
                None if number == 3 else email.title() if number % 6 == 4 else email,
                self.name(pools, number),
                _DELETED_AT if number % 8 == 5 else None,
                self.organization_id,
            )


def entity_id(organization_id: int, number: int) -> int:
    """The id of an organization's record number `number`, in every table; people and deals share ids, as in life."""
    return organization_id * CRM_IDS_PER_COMPANY + number


def entity_count(group: Group, people: int) -> int:
    """How many records of a group there are, those that are gone included."""
    return max(1, round(people * ENTITY_SHARES[group])) if people else 0


def entity_name(pools: Sequence[LocalePool], group: str, number: int) -> str:
    """What record number `number` is called."""
    pool = _pick(pools, number)
    company = pool.companies[number * 7 % 60]
    if group == "deal":
        return f"{_WORDS['deal']} {company} {number % 12 + 1}"
    if group == "ticket":
        return f"{_WORDS['ticket']} {pool.sentences[number % 60]}"
    return f"{_WORDS['task']} {pool.names[number % 60]}" if group == "task" else company


def entity_rows(pools: Sequence[LocalePool], group: Group, *, organization_id: int, people: int) -> Iterator[Row]:
    """Rows of the group's table: every 23rd is deleted, every 61st is gone without a trace."""
    for number in range(entity_count(group, people)):
        if number % 61 != 37:
            deleted = _DELETED_AT if number % 23 == 11 else None
            yield entity_id(organization_id, number), entity_name(pools, group, number), organization_id, deleted


def person_row(person_id: int, name: str, organization_id: int, *, deleted: bool) -> Row:
    """A row of `crm_people`."""
    return person_id, name, organization_id, _DELETED_AT if deleted else None


def pools_of(locales: Sequence[str]) -> list[LocalePool]:
    """The pools that names are taken from."""
    return [locale_pool(locale, DEMO_SEED) for locale in locales]


def _pick(pools: Sequence[LocalePool], number: int) -> LocalePool:
    return pools[number % len(pools)]
