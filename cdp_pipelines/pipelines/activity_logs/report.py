"""A job's figures as Dagster shows them: numbers that the UI plots, and small tables.

Belongs here: turning a job document into metadata. Not here: counting.
"""

from collections.abc import Mapping
from typing import Any

from cdp_pipelines.pipelines.activity_logs.config import HALT_LIMIT
from cdp_pipelines.pipelines.migrations.conclude import summary_of
from cdp_pipelines.pipelines.migrations.tables import failure_table, outcome_table

MetadataDict = dict[str, Any]


def report_metadata(job: Mapping[str, Any], *, seconds: float) -> MetadataDict:
    """Everything a steward asks of a finished job."""
    metadata: MetadataDict = dict(summary_of(job))
    metadata["dagster/row_count"] = job["records_migrated"]
    metadata["seconds"] = seconds
    metadata["outcomes"] = outcome_table(job)
    for name, number in sorted((job.get("notes") or {}).items()):
        metadata[f"note_{name}"] = number
    for name, number in sorted(((job.get("enrichment") or {}).get("counts") or {}).items()):
        metadata[name if name.startswith("enrich") else f"enrich_{name}"] = number
    if job.get("failed_rows"):
        metadata["failed_rows"] = failure_table(job["failed_rows"])
    return metadata


def failure_rate_result(job: Mapping[str, Any]) -> tuple[bool, MetadataDict]:
    """Whether the failure rate is within its limit, and the numbers that say so."""
    rate = float(job.get("failure_rate") or 0.0)
    metadata: MetadataDict = {
        "failure_rate": rate,
        "limit": HALT_LIMIT,
        "records_failed": job["records_failed"],
        "records_processed": job["records_processed"],
        "status": job["status"],
        "outcomes": outcome_table(job),
    }
    if job.get("failed_rows"):
        metadata["failed_rows"] = failure_table(job["failed_rows"])
    return rate <= HALT_LIMIT, metadata
