"""The asset `entity_exports`: the exports of one company, each materialization one export."""

import dagster as dg

from cdp_pipelines.pipelines.entity_export.config import ASSET_NAME
from cdp_pipelines.pipelines.entity_export.ops import finish_export, load_export, notify, write_rows
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS


@dg.graph_asset(
    name=ASSET_NAME,
    partitions_def=COMPANY_PARTITIONS,
    group_name="exports",
    kinds={"mongodb", "s3", "csv", "json"},
    description="An export of one kind of commerce entity of one company, as CSV, JSON, NDJSON or XLSX in the bucket. "
    "Requests wait in exports; the sensor entity_export_requests launches one run each.",
)
def entity_exports() -> None:
    """Wire the steps; see `ops.py` for what each does."""
    return notify(finish_export(write_rows(load_export())))  # type: ignore[no-any-return]
