"""A job's figures as Dagster shows them: numbers that the UI plots, and small tables.

Belongs here: turning a job document into metadata. Not here: counting.
"""

from collections.abc import Mapping
from typing import Any

from cdp_pipelines.pipelines.migrations.conclude import summary_of
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.tables import failure_table, outcome_table
from cdp_pipelines.stores.migration_jobs import FAILED_PARTS, FAILED_ROWS

MetadataDict = dict[str, Any]


def report_metadata(kind: MigrationKind, job: Mapping[str, Any], *, seconds: float) -> MetadataDict:
    """Everything a steward asks of a finished job."""
    metadata: MetadataDict = dict(summary_of(job))
    metadata["dagster/row_count"] = job["records_migrated"]
    metadata["seconds"] = seconds
    for name, number in sorted((job.get("notes") or {}).items()):
        metadata[f"note_{name}"] = number
    for name, number in sorted(((job.get("enrichment") or {}).get("counts") or {}).items()):
        metadata[name if name.startswith("enrich") else f"enrich_{name}"] = number
    return metadata | failure_tables(kind, job)


def failure_tables(kind: MigrationKind, job: Mapping[str, Any]) -> MetadataDict:
    """The outcomes, and the first failed rows and parts of rows, where there are any."""
    tables: MetadataDict = {"outcomes": outcome_table(job)}
    for name, what in ((FAILED_ROWS, kind.row), (FAILED_PARTS, f"{kind.row}/{kind.part}")):
        if job.get(name):
            tables[name] = failure_table(job[name], what)
    return tables
