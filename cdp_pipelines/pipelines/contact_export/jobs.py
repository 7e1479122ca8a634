"""The job `contact_export`: one request, one run, one process."""

import dagster as dg

from cdp_pipelines.pipelines.contact_export.assets import contact_exports
from cdp_pipelines.pipelines.contact_export.config import JOB_NAME

contact_export_job = dg.define_asset_job(
    name=JOB_NAME,
    selection=[contact_exports],
    executor_def=dg.in_process_executor,
    # No automatic second attempt of a whole export (SPEC 3.4): a dead run is swept into `failed` and the user is told.
    # Every step is bounded, so a run of an hour hangs; run monitoring then ends it and frees its place.
    tags={"dagster/max_retries": "0", "dagster/max_runtime": "3600"},
    description="Exports the contacts of one request of one company and sends them to the user.",
)
