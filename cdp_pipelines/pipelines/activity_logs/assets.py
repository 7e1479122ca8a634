"""The asset of the activity-log migration, by company: its migrated logs."""

import dagster as dg

from cdp_pipelines.pipelines.activity_logs.checks import EVALUATIONS
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS, ASSET_NAME
from cdp_pipelines.pipelines.activity_logs.ops import enrich_associations
from cdp_pipelines.pipelines.migrations.config import COVERAGE_ASSET_NAME
from cdp_pipelines.pipelines.migrations.steps import steps_of
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS

_STEPS = steps_of(ACTIVITY_LOGS, EVALUATIONS)


@dg.graph_asset(
    name=ASSET_NAME,
    partitions_def=COMPANY_PARTITIONS,
    group_name="migrations",
    kinds={"postgres", "mongodb"},
    ins={"coverage": dg.AssetIn(key=COVERAGE_ASSET_NAME, dagster_type=dg.Nothing)},
    description="A company's CRM activity logs in the CDP: audits since before each contact's sync, written once, "
    "completed and compared with their source. Materialize a company to migrate it or to go on with it; select many "
    "for a backfill. The checks say whether all of it arrived.",
)
def activity_logs(coverage: None) -> None:
    """Wire the steps; see `migrations/steps.py` and `ops.py` for what each does."""
    return _STEPS.reconciled(enrich_associations(_STEPS.migrated(coverage)))  # type: ignore[no-any-return]
