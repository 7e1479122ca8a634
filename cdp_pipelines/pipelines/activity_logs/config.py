"""What ops can set on a run of the activity-log migration, and the names it goes by."""

from typing import Any, Final

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.activity_logs.enrichment import TOLERANCE_SECONDS
from cdp_pipelines.domain.companies import FLAG_ACTIVITY_LOGS
from cdp_pipelines.domain.migration_requests import DEFAULT_PAGE_ROWS, MOST_SHARDS, PAGE_ROWS, MigrationRequest
from cdp_pipelines.domain.migrations import COMPLETED
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.stores.migration_jobs import JobKind

JOB_NAME: Final = "activity_logs_migration"
ROLLBACK_JOB_NAME: Final = "activity_logs_rollback"
CHECKS_JOB_NAME: Final = "activity_logs_checks"
ASSET_NAME: Final = "activity_logs"
COVERAGE_ASSET_NAME: Final = "crm_contact_coverage"
ROLLBACK_OP_NAME: Final = "roll_back_activity_logs"
POOL: Final = "crm_read"
CURSOR: Final = "last_audit_id"

HALT_LIMIT: Final = 0.10
ROWS_A_SHARD: Final = 500_000
"""Left to itself, a company gets a shard for so many audits: below that, a second process costs more than it saves."""
AUTOMATIC_SHARDS: Final = 8


class StartConfig(dg.Config):
    """How to migrate the company of this partition."""

    request_id: str = Field(
        default="",
        description="_id of the document in migration_requests that asked for this; the sensor sets it. Empty: the "
        "settings below count.",
    )
    force: bool = Field(
        default=False,
        description="Go over everything again: also a company that is completed, and from the first audit instead of "
        "where an interrupted or halted job stopped. What is there already is skipped, never written twice.",
    )
    dry_run: bool = Field(
        default=False, description="Do everything but write, and report in the run what a migration would do."
    )
    date_range_start: str = Field(
        default="", description="Only audits since this instant, such as 2024-01-31T00:00:00Z. Empty: all."
    )
    page_rows: int = Field(
        default=DEFAULT_PAGE_ROWS, description=f"Audits a page, {PAGE_ROWS[0]} to {PAGE_ROWS[-1]:,}."
    )
    shards: int = Field(
        default=0,
        description=f"Ranges of ids that may run side by side, at most {MOST_SHARDS}. 0: one for every "
        f"{ROWS_A_SHARD:,} audits. They run in parallel under the multiprocess executor (execution: config: "
        "multiprocess), else one after the other.",
    )

    def as_order(self) -> dict[str, Any]:
        """The request document that these settings stand for, without its company."""
        return {
            "action": "start",
            "requested_by": "dagster-ui",
            "options": {
                "force": self.force,
                "dry_run": self.dry_run,
                "date_range_start": self.date_range_start or None,
                "page_rows": self.page_rows,
                "shards": self.shards,
            },
        }


class EnrichConfig(dg.Config):
    """How association logs are completed."""

    tolerance_seconds: float = Field(
        default=TOLERANCE_SECONDS,
        ge=0,
        le=60,
        description="How far the time of a live-feed document may be from its audit's, in seconds.",
    )


class RollbackConfig(dg.Config):
    """Confirmation of a rollback."""

    request_id: str = Field(default="", description="_id of the document in migration_requests; the sensor sets it.")
    confirm: str = Field(
        default="",
        description="To delete this company's migrated activity logs, type its company_sso_id (the partition) here.",
    )

    def as_order(self) -> dict[str, Any]:
        """The request document that these settings stand for, without its company."""
        return {"action": "rollback", "requested_by": "dagster-ui", "confirm": self.confirm}


def _start_config(request_id: Any, request: MigrationRequest) -> dg.RunConfig:
    gates = {"gates": {"config": {"request_id": str(request_id)}}}
    # One shard needs one process; several run side by side.
    executor = "multiprocess" if request.options.shards > 1 else "in_process"
    return dg.RunConfig(ops={ASSET_NAME: {"ops": gates}}, execution={"config": {executor: {}}})


def _rollback_config(request_id: Any, request: MigrationRequest) -> dg.RunConfig:
    return dg.RunConfig(ops={ROLLBACK_OP_NAME: {"config": {"request_id": str(request_id), "confirm": request.confirm}}})


ACTIVITY_LOGS: Final = MigrationKind(
    kind="activity_logs",
    title="activity-log migration",
    flag=FLAG_ACTIVITY_LOGS,
    jobs=JobKind("activity_logs", "crm_activity_log_migration_jobs", CURSOR),
    start_job=JOB_NAME,
    rollback_job=ROLLBACK_JOB_NAME,
    completed_status=COMPLETED,
    completed_code="ALREADY_COMPLETED",
    halt_limit=HALT_LIMIT,
    halted_event="crm_activity_logs_migration_halted",
    completed_event="crm_activity_logs_migration_completed",
    start_config=_start_config,
    rollback_config=_rollback_config,
)
