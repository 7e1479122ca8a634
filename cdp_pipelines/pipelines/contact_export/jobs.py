"""The job `contact_export`: one request, one run, one process."""

import dagster as dg

from cdp_pipelines.pipelines.contact_export.assets import contact_exports
from cdp_pipelines.pipelines.contact_export.config import JOB_NAME

contact_export_job = dg.define_asset_job(
    name=JOB_NAME,
    selection=[contact_exports],
    executor_def=dg.in_process_executor,
    # No automatic second attempt of a whole export (SPEC 3.4): a dead run is swept into `failed` and the user is told.
    tags={"dagster/max_retries": "0"},
    description="Exports the contacts of one request of one company and sends them to the user.",
)
