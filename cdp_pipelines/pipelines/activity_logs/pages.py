"""A page of audits becomes outcomes: the pure steps of `domain/activity_logs/transform.py` with their lookups between.

The same code serves migrating, reconciling, enriching and replaying, so that they cannot disagree.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.actors import ACTOR_LIVE, ACTOR_NAMED, ACTOR_SYSTEM, is_user, known_actors
from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.activity_logs.categories import CategoryTable, read_category_table
from cdp_pipelines.domain.activity_logs.transform import (
    Draft,
    Settled,
    begin,
    finish,
    settle,
)
from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.failures import RowFailure, excerpt
from cdp_pipelines.domain.outcomes import Outcome, Ready, Skipped
from cdp_pipelines.pipelines.activity_logs.seam import SeamComparing
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.source import MigrationSource, Overview
from cdp_pipelines.pipelines.migrations.users import UserDirectory
from cdp_pipelines.resources.crm_mapping import load_categories
from cdp_pipelines.resources.crm_postgres import CrmDatabase
from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines.stores.category_overrides import CategoryOverrides
from cdp_pipelines.stores.contact_links import ContactLinks

_USUAL: Final = frozenset({ACTOR_LIVE, ACTOR_NAMED, ACTOR_SYSTEM})
"""The cases of actors that nobody needs to be told of."""


class AuditSource(MigrationSource):
    """One company's audits and how they are read; see `migrations.source.MigrationSource`."""

    def __init__(self, services: MigrationServices, company: Company, request_id: object) -> None:
        self.company_sso_id = company.company_sso_id
        self.documents: ActivityLogs = ActivityLogs(services.database, company.company_sso_id)
        self.crm: CrmDatabase = services.crm(company)
        self.table: CategoryTable = read_category_table(
            load_categories(), CategoryOverrides(services.database).find(company.company_sso_id)
        )
        self.contacts = ContactLinks(services.database, company.company_sso_id)
        self.users = UserDirectory(
            self.crm.users, lambda: services.launchpad(company.company_sso_id, request_id=str(request_id or ""))
        )

    def overview(self, job: Mapping[str, Any]) -> Overview:
        """See `MigrationSource.overview`. The job keeps the types and the earliest instant."""
        since = job["options"]["date_range_start"]
        found = self.crm.audit_overview(since)
        facts = {"scope": list(found.auditable_types), "cutoff": since or found.first_created_at}
        return Overview(found.total, found.first_id, found.last_id, facts)

    def pages(
        self, job: Mapping[str, Any], *, after: int, to: int, page_rows: int
    ) -> Generator[list[Audit], None, None]:
        """See `MigrationSource.pages`."""
        cutoff = job["options"]["date_range_start"]
        return self.crm.audits(after=after, to=to, scope=job["scope"], cutoff=cutoff, page_rows=page_rows)

    def rows_by_id(self, ids: Sequence[int]) -> list[Audit]:
        """See `MigrationSource.rows_by_id`."""
        return self.crm.audits_by_id(ids)

    def outcomes(self, audits: Sequence[Audit]) -> list[Outcome]:
        """What each audit of a page becomes, in the order of the page."""
        begun = [begin(audit, self.table) for audit in audits]
        people = {draft.person_id for draft in begun if isinstance(draft, Draft) and draft.person_id is not None}
        contacts = self.contacts.find(people)
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
        users = self.users.users(ids)
        actors = known_actors(users, self.users.sso_ids(users.values()))
        outcomes: list[Outcome] = []
        for item in settled:
            if not isinstance(item, Settled):
                outcomes.append(item)
                continue
            document, case = finish(item, actors)
            outcomes.append(Ready(document, item.notes if case in _USUAL else (case, *item.notes)))
        return outcomes

    def noticed(self) -> Mapping[str, int]:
        """The launchpad's outages, and texts of the CRM that are of no known encoding."""
        return {**self.users.new_outages(), **self.crm.noticed()}

    def evidence(self, row: Audit) -> Mapping[str, Any]:
        """See `MigrationSource.evidence`."""
        changes = row.audited_changes
        return {
            "auditable_type": row.auditable_type,
            "auditable_id": row.auditable_id,
            "action": row.action,
            "created_at": row.created_at,
            "comment": excerpt(row.comment),
            "audited_changes": excerpt(changes),
            "audited_changes_length": len(changes) if isinstance(changes, str) else None,
        }

    def comparing(self, kept: Mapping[str, Any] | None) -> SeamComparing:
        """See `MigrationSource.comparing`."""
        return SeamComparing(kept)

    def close(self) -> None:
        """Give the connection back."""
        self.crm.close()


def require_audits(source: MigrationSource) -> AuditSource:
    """The source of this pipeline's own runs, as its own step needs it."""
    if not isinstance(source, AuditSource):
        raise TypeError("not a source of audits")
    return source
