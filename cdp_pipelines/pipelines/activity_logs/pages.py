"""A page of audits becomes outcomes: the pure steps of `domain/activity_logs/transform.py` with their lookups between.

The same code serves migrating, reconciling, enriching and replaying, so that they cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cdp_pipelines.domain.activity_logs.actors import ACTOR_LIVE, ACTOR_SYSTEM, is_user, known_actors
from cdp_pipelines.domain.activity_logs.audits import Audit, Document
from cdp_pipelines.domain.activity_logs.categories import CategoryTable, read_category_table
from cdp_pipelines.domain.activity_logs.transform import (
    UNMAPPED_REFINEMENT,
    Draft,
    Settled,
    Skipped,
    begin,
    finish,
    settle,
)
from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.pipelines.activity_logs.lookups import ActorDirectory, Lookups
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.resources.crm_mapping import load_categories
from cdp_pipelines.resources.crm_postgres import CrmDatabase
from cdp_pipelines.stores.category_overrides import CategoryOverrides
from cdp_pipelines.stores.contact_links import ContactLinks

EVIDENCE_CHARACTERS: Final = 2_000
_USUAL: Final = frozenset({ACTOR_LIVE, ACTOR_SYSTEM})
"""The cases of actors that nobody needs to be told of."""


@dataclass(slots=True)
class Ready:
    """A finished document, and what is to be counted of it beside its outcome."""

    document: Document
    notes: tuple[str, ...] = ()


Outcome: TypeAlias = Ready | Skipped | RowFailure


class Source:
    """One company's audits and how they are read; used by one step of one run."""

    def __init__(self, services: MigrationServices, company: Company, request_id: object) -> None:
        self.company_sso_id = company.company_sso_id
        self.crm: CrmDatabase = services.crm(company)
        self.table: CategoryTable = read_category_table(
            load_categories(), CategoryOverrides(services.database).find(company.company_sso_id)
        )
        self.lookups = Lookups(
            ContactLinks(services.database, company.company_sso_id),
            ActorDirectory(
                self.crm,
                lambda: services.launchpad(company.company_sso_id, request_id=str(request_id or "")),
            ),
        )

    def outcomes(self, audits: Sequence[Audit]) -> list[Outcome]:
        """What each audit of a page becomes, in the order of the page."""
        begun = [begin(audit, self.table) for audit in audits]
        people = {draft.person_id for draft in begun if isinstance(draft, Draft) and draft.person_id is not None}
        contacts = self.lookups.contacts.find(people)
        settled = [
            settle(draft, contacts.get(draft.person_id or ""), self.table, self.company_sso_id)
            if isinstance(draft, Draft)
            else draft
            for draft in begun
        ]
        return self._with_actors(settled)

    def _with_actors(self, settled: Sequence[Settled | Skipped | RowFailure]) -> list[Outcome]:
        ids = {
            item.audit.user_id
            for item in settled
            if isinstance(item, Settled) and item.audit.user_id is not None and is_user(item.audit)
        }
        users = self.lookups.actors.users(ids)
        actors = known_actors(users, self.lookups.actors.sso_ids(users.values()))
        outcomes: list[Outcome] = []
        for item in settled:
            if not isinstance(item, Settled):
                outcomes.append(item)
                continue
            document, case = finish(item, actors)
            notes: tuple[str, ...] = () if case in _USUAL else (case,)
            if item.classified.unmapped_refinement:
                notes = (*notes, UNMAPPED_REFINEMENT)
            outcomes.append(Ready(document, notes))
        return outcomes

    def close(self) -> None:
        """Give the connection back."""
        self.crm.close()


def evidence(audit: Audit) -> Mapping[str, Any]:
    """What a developer needs to see why a row failed, bounded; for the quarantine only, never for a log."""
    changes = audit.audited_changes
    return {
        "auditable_type": audit.auditable_type,
        "auditable_id": audit.auditable_id,
        "action": audit.action,
        "created_at": audit.created_at,
        "comment": _excerpt(audit.comment),
        "audited_changes": _excerpt(changes),
        "audited_changes_length": len(changes) if isinstance(changes, str) else None,
    }


def _excerpt(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    return text[:EVIDENCE_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
