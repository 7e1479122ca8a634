"""The job `entity_export`: one request, one run, one process."""

import dagster as dg

from cdp_pipelines.pipelines.entity_export.assets import entity_exports
from cdp_pipelines.pipelines.entity_export.config import JOB_NAME

entity_export_job = dg.define_asset_job(
    name=JOB_NAME,
    selection=[entity_exports],
    executor_def=dg.in_process_executor,
    # No automatic second attempt of a whole export: a dead run is swept into ERROR and the requester is told.
    # Rows without a bound take time without a bound, but every call inside has one: half a day hangs.
    tags={"dagster/max_retries": "0", "dagster/max_runtime": "43200"},
    description="Exports one kind of commerce entity for one request of one company.",
)
