"""The names and limits of the activity-log migration, and what ops can set on its own step."""

from typing import Any, Final

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.activity_logs.enrichment import TOLERANCE_SECONDS
from cdp_pipelines.domain.companies import FLAG_ACTIVITY_LOGS, Company
from cdp_pipelines.domain.migrations import COMPLETED
from cdp_pipelines.domain.outcomes import DEGRADED_ACTOR
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.source import MigrationSource
from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines.stores.migration_jobs import JobKind

ASSET_NAME: Final = "activity_logs"


class EnrichConfig(dg.Config):
    """How association logs are completed."""

    tolerance_seconds: float = Field(
        default=TOLERANCE_SECONDS,
        ge=0,
        le=60,
        description="How far the time of a live-feed document may be from its audit's, in seconds.",
    )


def _source(services: MigrationServices, company: Company, request_id: object) -> MigrationSource:
    from cdp_pipelines.pipelines.activity_logs.pages import AuditSource

    return AuditSource(services, company, request_id)


def _after_replay(hold: Hold, source: MigrationSource, job: dict[str, Any]) -> dict[str, Any]:
    from cdp_pipelines.pipelines.activity_logs.enrich import enrich
    from cdp_pipelines.pipelines.activity_logs.pages import require_audits

    return enrich(hold, require_audits(source), job, tolerance_seconds=TOLERANCE_SECONDS)


ACTIVITY_LOGS: Final = MigrationKind(
    kind="activity_logs",
    title="activity-log migration",
    row="audit",
    rows="audits",
    flag=FLAG_ACTIVITY_LOGS,
    asset=ASSET_NAME,
    jobs=JobKind("activity_logs", "crm_activity_log_migration_jobs", "last_audit_id"),
    documents=ActivityLogs,
    source=_source,
    completed_status=COMPLETED,
    completed_code="ALREADY_COMPLETED",
    halt_limit=0.10,
    failures_are_errors=True,
    validation_may_be_skipped=False,
    halted_event="crm_activity_logs_migration_halted",
    completed_event="crm_activity_logs_migration_completed",
    rows_a_shard=500_000,
    person="actor",
    degraded_reason=DEGRADED_ACTOR,
    after_replay=_after_replay,
)
