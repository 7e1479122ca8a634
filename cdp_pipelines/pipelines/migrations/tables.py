"""Small tables for Dagster's UI: rows by outcome, failed rows.

Belongs here: turning parts of a job document into tables. Not here: which figures a migration shows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.failures import LISTED_ON_JOB

SHOWN_FAILURES: Final = 20


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


def failure_table(rows: Sequence[Mapping[str, Any]], what: str) -> dg.TableMetadataValue:
    """The first failed rows: the id of `what` failed, why, and where to look."""
    records = [(str(row["id"]), row["reason_code"], row["details"]) for row in rows[:SHOWN_FAILURES]]
    return table((what, "reason", "details"), records)


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
