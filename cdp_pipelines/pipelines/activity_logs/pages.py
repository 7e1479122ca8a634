"""A page of audits becomes outcomes: the pure steps of `domain/activity_logs/transform.py` with their lookups between.

The same code serves migrating, reconciling, enriching and replaying, so that they cannot disagree.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.actors import (
    ACTOR_LIVE,
    ACTOR_NAMED,
    ACTOR_SYSTEM,
    ACTOR_UNRESOLVED,
    is_user,
    known_actors,
)
from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.activity_logs.categories import CategoryTable, read_category_table
from cdp_pipelines.domain.activity_logs.transform import (
    POST_SYNC_LIVE_FEED,
    Draft,
    Settled,
    begin,
    describe,
    finish,
    settle,
)
from cdp_pipelines.domain.activity_logs.watermark import FeedMark, feed_mark
from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.failures import RowFailure, excerpt
from cdp_pipelines.domain.outcomes import DEGRADED_ACTOR, Outcome, Ready, Skipped
from cdp_pipelines.pipelines.activity_logs.seam import SeamComparing, unrecorded
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
_DEGRADED: Final = (ACTOR_UNRESOLVED, DEGRADED_ACTOR)


class AuditSource(MigrationSource):
    """One company's audits and how they are read; see `migrations.source.MigrationSource`."""

    def __init__(self, services: MigrationServices, company: Company, request_id: object) -> None:
        self.company_sso_id = company.company_sso_id
        self._jobs = services.jobs
        self.documents: ActivityLogs = ActivityLogs(services.database, company.company_sso_id)
        self.crm: CrmDatabase = services.crm(company)
        self.table: CategoryTable = read_category_table(
            load_categories(), CategoryOverrides(services.database).find(company.company_sso_id)
        )
        self.contacts = ContactLinks(services.database, company.company_sso_id)
        self.users = UserDirectory(
            self.crm.users,
            lambda: services.launchpad(company.company_sso_id, request_id=str(request_id or "")),
            memory=services.user_memory,
        )

    def overview(self, job: Mapping[str, Any], *, after: int = 0) -> Overview:
        """See `MigrationSource.overview`. The job keeps the types and the earliest instant."""
        since = job["options"]["date_range_start"]
        found = self.crm.audit_overview(since, after=after)
        facts = {
            "scope": sorted({*(job.get("scope") or ()), *found.auditable_types}),
            "cutoff": since or job.get("cutoff") or found.first_created_at,
        }
        return Overview(found.total, found.first_id, found.last_id, facts)

    def edges(self, job: Mapping[str, Any], overview: Overview, shards: int) -> Sequence[int]:
        """See `MigrationSource.edges`."""
        cutoff = job["options"]["date_range_start"]
        return self.crm.audit_edges(cutoff, first=overview.first_id, last=overview.last_id, parts=shards)

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
        sso_ids = self.users.sso_ids(users.values())
        actors = known_actors(users, sso_ids, self.users.unanswered(users.values(), sso_ids))
        outcomes: list[Outcome] = []
        for item in settled:
            if not isinstance(item, Settled):
                outcomes.append(item)
                continue
            document, case = finish(item, actors)
            degraded = case == DEGRADED_ACTOR
            of_actor: tuple[str, ...] = () if case in _USUAL else _DEGRADED if degraded else (case,)
            outcomes.append(Ready(document, (*of_actor, *item.notes), DEGRADED_ACTOR if degraded else None))
        return outcomes

    def unfed(self, rows: Sequence[Audit], outcomes: Sequence[Outcome]) -> Collection[int]:
        """Of the audits left to the live feed, those of which it has no record; one query a page at most."""
        late = [
            row
            for row, outcome in zip(rows, outcomes, strict=True)
            if isinstance(outcome, Skipped) and outcome.reason == POST_SYNC_LIVE_FEED
        ]
        if not late or not self._has_live_feed:
            return {row.id for row in late}
        marks = [mark for row in late if (mark := self._mark_of(row)) is not None]
        return unrecorded(self.documents, marks)

    @cached_property
    def _has_live_feed(self) -> bool:
        return self.documents.has_live_feed()

    def _mark_of(self, audit: Audit) -> FeedMark | None:
        draft = begin(audit, self.table)
        if not isinstance(draft, Draft) or draft.person_id is None or audit.created_at is None:
            return None
        contact = self.contacts.find({draft.person_id}).get(draft.person_id)
        if contact is None:
            return None
        described = describe(draft, contact, self.table, self.company_sso_id)
        document = described.document if isinstance(described, Settled) else None
        return feed_mark(audit.id, contact.customer_id, audit.created_at, document)

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
        return SeamComparing(kept, self._migrated_since)

    def _migrated_since(self) -> datetime | None:
        """When the company's first migration began, asked once and only for documents that somebody wrote since."""
        return self._first_began

    @cached_property
    def _first_began(self) -> datetime | None:
        return self._jobs.first_began(self.company_sso_id)

    def close(self) -> None:
        """Give the connection back."""
        self.crm.close()


def require_audits(source: MigrationSource) -> AuditSource:
    """The source of this pipeline's own runs, as its own step needs it."""
    if not isinstance(source, AuditSource):
        raise TypeError("not a source of audits")
    return source
