"""The job that migrates one company: its coverage, then the migration's asset."""

from typing import Any

import dagster as dg

from cdp_pipelines.pipelines.migrations.config import COVERAGE_ASSET_NAME
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind


def migration_job(kind: MigrationKind) -> Any:
    """The job of one kind of migration; Dagster exports no name for its type."""
    return dg.define_asset_job(
        name=kind.start_job,
        selection=dg.AssetSelection.assets(COVERAGE_ASSET_NAME, kind.asset),
        executor_def=dg.multi_or_in_process_executor,
        # A company costs one process; ops choose `multiprocess` in the launchpad for a large one, so shards overlap.
        config={"execution": {"config": {"in_process": {}}}},
        description=f"Moves one company's CRM {kind.rows} into the CDP and proves that all of them arrived. "
        "Interrupted or halted, the next run goes on.",
    )
