"""A job's figures as Dagster shows them: numbers that the UI plots, and small tables.

Belongs here: turning a job document into metadata. Not here: counting.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.failures import LISTED_ON_JOB
from cdp_pipelines.pipelines.activity_logs.config import HALT_LIMIT
from cdp_pipelines.pipelines.migrations.conclude import summary_of

SHOWN_FAILURES: Final = 20
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


def outcome_table(job: Mapping[str, Any]) -> dg.TableMetadataValue:
    """Rows by outcome and reason; they add up to the processed rows."""
    reasons: dict[str, int] = {}
    for row in job.get("failed_rows") or []:
        reasons[row["reason_code"]] = reasons.get(row["reason_code"], 0) + 1
    complete = job["records_failed"] <= LISTED_ON_JOB
    records: list[tuple[str, str, int]] = [("migrated", "", job["records_migrated"])]
    records += [("skipped", reason, number) for reason, number in sorted((job["records_skipped"] or {}).items())]
    if complete:
        records += [("failed", reason, number) for reason, number in sorted(reasons.items())]
    elif job["records_failed"]:
        records.append(("failed", "see migration_failures", job["records_failed"]))
    return table(("outcome", "reason", "rows"), records)


def failure_table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """The first failed rows: the audit's id, why, and where to look."""
    records = [(str(row["id"]), row["reason_code"], row["details"]) for row in rows[:SHOWN_FAILURES]]
    return table(("audit", "reason", "details"), records)


def table(columns: Sequence[str], records: Sequence[Sequence[Any]]) -> dg.TableMetadataValue:
    """A table for the UI; numbers stay numbers, all else is text."""
    rows = []
    for record in records:
        values = (value if isinstance(value, int | float) else str(value) for value in record)
        rows.append(dg.TableRecord(dict(zip(columns, values, strict=True))))
    kinds = {
        column: "int" if records and isinstance(records[0][number], int) else "string"
        for number, column in enumerate(columns)
    }
    schema = dg.TableSchema([dg.TableColumn(column, kind) for column, kind in kinds.items()])
    return dg.MetadataValue.table(rows, schema=schema)


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
