"""The asset `contact_exports`: the exports of one company, each materialization one file that a user was sent."""

import dagster as dg

from cdp_pipelines.pipelines.contact_export.config import ASSET_NAME
from cdp_pipelines.pipelines.contact_export.ops import deliver, finish, load_request, render_file
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS


@dg.graph_asset(
    name=ASSET_NAME,
    partitions_def=COMPANY_PARTITIONS,
    group_name="exports",
    kinds={"mongodb", "s3", "excel", "csv"},
    description="A customer export of one company: contacts as XLSX or CSV, in the bucket for two days, sent to the "
    "user by email. Requests wait in bulk_upload_jobs; the sensor contact_export_requests launches one run each.",
)
def contact_exports() -> None:
    """Wire the steps; see `ops.py` for what each does."""
    return finish(deliver(render_file(load_request())))  # type: ignore[no-any-return]
