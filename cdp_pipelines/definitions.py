"""What Dagster loads: `build_defs()` composes the pipelines; `defs` is the code location.

Loading reads no environment and contacts nothing; settings are read by the work that needs them.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from cdp_pipelines.pipelines.activity_logs.assets import activity_logs
from cdp_pipelines.pipelines.activity_logs.checks import CHECKS as ACTIVITY_LOG_CHECKS
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.activity_logs.jobs import (
    activity_logs_checks_job,
    activity_logs_migration_job,
    activity_logs_rollback_job,
)
from cdp_pipelines.pipelines.companies.sensors import company_partitions
from cdp_pipelines.pipelines.contact_export.assets import contact_exports
from cdp_pipelines.pipelines.contact_export.jobs import contact_export_job
from cdp_pipelines.pipelines.contact_export.kind import CONTACT_EXPORT
from cdp_pipelines.pipelines.contact_export.sensors import contact_export_requests
from cdp_pipelines.pipelines.contact_export.services import from_environment
from cdp_pipelines.pipelines.contact_notes.assets import contact_notes
from cdp_pipelines.pipelines.contact_notes.checks import CHECKS as CONTACT_NOTE_CHECKS
from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.pipelines.contact_notes.jobs import (
    contact_notes_checks_job,
    contact_notes_migration_job,
    contact_notes_rollback_job,
)
from cdp_pipelines.pipelines.entity_export.assets import entity_exports
from cdp_pipelines.pipelines.entity_export.jobs import entity_export_job
from cdp_pipelines.pipelines.entity_export.kind import ENTITY_EXPORT
from cdp_pipelines.pipelines.entity_export.sensors import entity_export_requests
from cdp_pipelines.pipelines.entity_export.services import from_environment as entity_export_from_environment
from cdp_pipelines.pipelines.exports.config import PASSING
from cdp_pipelines.pipelines.exports.sensors import export_run_failures_sensor
from cdp_pipelines.pipelines.migrations.assets import crm_contact_coverage
from cdp_pipelines.pipelines.migrations.sensors import migration_requests_sensor, migration_run_failures_sensor
from cdp_pipelines.pipelines.migrations.services import from_environment as migrations_from_environment
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.resources.work_directory import WorkDirectoryResource


def default_resources() -> dict[str, Any]:
    """Fresh resources that take every setting from the environment when they need it."""
    cdp_mongo = CdpMongoResource()
    return {
        "cdp_mongo": cdp_mongo,
        "contact_export": from_environment(cdp_mongo),
        "entity_export": entity_export_from_environment(cdp_mongo),
        "migrations": migrations_from_environment(cdp_mongo),
        "work_directory": WorkDirectoryResource(),
        PASSING: dg.mem_io_manager,
    }


def build_defs(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Fresh definitions; `resources` replace the default ones by key, so tests and tools never patch anything."""
    kinds = {kind.kind: kind for kind in (ACTIVITY_LOGS, CONTACT_NOTES)}
    migration_jobs: list[Any] = [
        activity_logs_migration_job,
        activity_logs_rollback_job,
        contact_notes_migration_job,
        contact_notes_rollback_job,
    ]
    return dg.Definitions(
        assets=[contact_exports, entity_exports, crm_contact_coverage, activity_logs, contact_notes],
        asset_checks=[*ACTIVITY_LOG_CHECKS, *CONTACT_NOTE_CHECKS],
        jobs=[
            contact_export_job,
            entity_export_job,
            *migration_jobs,
            activity_logs_checks_job,
            contact_notes_checks_job,
        ],
        sensors=[
            company_partitions,
            contact_export_requests,
            entity_export_requests,
            export_run_failures_sensor([CONTACT_EXPORT, ENTITY_EXPORT]),
            migration_requests_sensor(kinds, migration_jobs),
            migration_run_failures_sensor(kinds),
        ],
        resources={**default_resources(), **(resources or {})},
        # What ops launch from an asset's page runs in one process, as the jobs do by themselves.
        executor=dg.in_process_executor,
    )


defs = build_defs()
