"""The jobs `activity_logs_migration`, `activity_logs_rollback` and `activity_logs_checks`, by company."""

import dagster as dg

from cdp_pipelines.pipelines.activity_logs.assets import activity_logs, crm_contact_coverage
from cdp_pipelines.pipelines.activity_logs.config import CHECKS_JOB_NAME, JOB_NAME, ROLLBACK_JOB_NAME
from cdp_pipelines.pipelines.activity_logs.rechecking import check_activity_logs
from cdp_pipelines.pipelines.activity_logs.rollback import roll_back_activity_logs
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS

activity_logs_migration_job = dg.define_asset_job(
    name=JOB_NAME,
    selection=dg.AssetSelection.assets(crm_contact_coverage, activity_logs),
    executor_def=dg.multi_or_in_process_executor,
    # A company costs one process; ops choose `multiprocess` in the launchpad for a large one, so that shards overlap.
    config={"execution": {"config": {"in_process": {}}}},
    description="Moves one company's CRM activity logs into the CDP and proves that all of them arrived. Interrupted "
    "or halted, the next run goes on.",
)


@dg.job(
    name=ROLLBACK_JOB_NAME,
    partitions_def=COMPANY_PARTITIONS,
    executor_def=dg.in_process_executor,
    description="Deletes a company's migrated activity logs, and nothing else. Needs its company_sso_id typed into "
    "`confirm`.",
)
def activity_logs_rollback_job() -> None:
    """One step."""
    roll_back_activity_logs()


@dg.job(
    name=CHECKS_JOB_NAME,
    partitions_def=COMPANY_PARTITIONS,
    executor_def=dg.in_process_executor,
    description="Evaluates one company's checks anew from its last migration, and nothing else. `cdp migrate replay` "
    "does this by itself where it reaches Dagster.",
)
def activity_logs_checks_job() -> None:
    """One step."""
    check_activity_logs()
