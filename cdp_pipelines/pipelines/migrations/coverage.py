"""Phase A: which share of a company's live CRM people has a contact in the CDP (SPEC 5.3, coverage gate).

Reads both sides in batches and writes neither.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.domain.migrations import percent
from cdp_pipelines.pipelines.migrations.services import SharedServices
from cdp_pipelines.resources.crm_postgres import CrmDatabase
from cdp_pipelines.resources.crm_session import TIMEOUT
from cdp_pipelines.stores.contact_links import ContactLinks

LISTED_PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Coverage:
    """`missing_ids` are the first of the CRM people without a contact.

    `cid_is_known`: the CRM has anything of an organization with the company's cid.
    """

    people: int
    covered: int
    missing_ids: tuple[str, ...]
    cid_is_known: bool = True

    @property
    def pct(self) -> float | None:
        """Covered of all, in percent; None for a company without people, where there is nothing to compare."""
        return percent(self.covered, self.people)

    def as_document(self) -> dict[str, Any]:
        """As kept on the job."""
        return {"people": self.people, "covered": self.covered, "coverage_pct": self.pct}


def measure_coverage(
    services: SharedServices, company: Company, *, within_seconds: float | None = None
) -> Coverage | None:
    """Measure; None when it would take longer than `within_seconds`, however slow the CRM is."""
    deadline = None if within_seconds is None else time.monotonic() + within_seconds
    try:
        with closing(services.crm(company, within_seconds=within_seconds)) as crm:
            return _measure(services, company, crm, deadline)
    except TransientFailure as exc:
        if within_seconds is not None and exc.code == TIMEOUT:
            return None
        raise


def _measure(services: SharedServices, company: Company, crm: CrmDatabase, deadline: float | None) -> Coverage | None:
    links = ContactLinks(services.database, company.company_sso_id)
    people = covered = 0
    missing: list[str] = []
    with closing(crm.live_people()) as batches:
        for batch in batches:
            existing = links.existing(batch)
            people += len(batch)
            covered += len(existing)
            if len(missing) < LISTED_PEOPLE:
                missing += [person for person in batch if person not in existing][: LISTED_PEOPLE - len(missing)]
            if deadline is not None and time.monotonic() > deadline:
                return None
    # Only a company without people costs this question: whoever has people is known.
    return Coverage(people, covered, tuple(missing), cid_is_known=people > 0 or crm.knows_organization())
