"""The asset checks of migrated activity logs, by company: those of every migration, and the seam to the live feed."""

from typing import Any, Final

import dagster as dg

from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.activity_logs.seam import NOT_IN_LIVE_FEED, SEAM_VIOLATIONS, seam_rows
from cdp_pipelines.pipelines.migrations.checks import SHOWN_IDS, Check, asset_checks, shared_checks
from cdp_pipelines.pipelines.migrations.tables import table
from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines.stores.migrated_documents import MigratedDocuments

Document = dict[str, Any]


def _watermark_seam(job: Document, documents: MigratedDocuments) -> dg.AssetCheckResult:
    """Violations among all documents, and for some customers the gap between the two sides of the seam."""
    found = job.get("reconciliation") or {}
    violations = int((found.get("notes") or {}).get(SEAM_VIOLATIONS, 0))
    unfed = int(found.get(NOT_IN_LIVE_FEED) or 0)
    rows = seam_rows(documents, found.get("seam") or []) if isinstance(documents, ActivityLogs) else []
    gaps = sorted(row["gap_seconds"] for row in rows if row["gap_seconds"] is not None)
    metadata: Document = {
        "violations": violations,
        NOT_IN_LIVE_FEED: unfed,
        "customers_looked_at": len(rows),
        "with_live_feed": len(gaps),
        "skipped_post_sync_live_feed": int((job.get("records_skipped") or {}).get("post_sync_live_feed", 0)),
    }
    if gaps:
        metadata |= {"smallest_gap_seconds": gaps[0], "median_gap_seconds": gaps[len(gaps) // 2]}
    with_live = [row for row in rows if row["first_live"] is not None] or rows
    names = ("customer_id", "last_migrated", "first_live", "gap_seconds")
    metadata["seam"] = table(names, [[_shown(row[name]) for name in names] for row in with_live[:SHOWN_IDS]])
    if unfed:
        ids = found.get(f"{NOT_IN_LIVE_FEED}_ids") or []
        metadata["missing_in_live_feed"] = table(("audit",), [(row,) for row in ids[:SHOWN_IDS]])
    if violations or not unfed:
        return dg.AssetCheckResult(passed=violations == 0, metadata=metadata)
    return dg.AssetCheckResult(
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{unfed:,} audits at or after their contact's watermark are in no timeline: the live feed has no "
        "record of them. See docs/activity-logs.md, The seam.",
        metadata=metadata,
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat(timespec="milliseconds") if hasattr(value, "isoformat") else str(value)


EVALUATIONS: Final = (
    *shared_checks(ACTIVITY_LOGS),
    Check(
        "watermark_seam",
        "Nothing is migrated at or after a contact's watermark (its created_at): from there on the live feed "
        "writes the timeline. A warning where audits left to the live feed have no record there.",
        _watermark_seam,
    ),
)

CHECKS: Final = asset_checks(ACTIVITY_LOGS, EVALUATIONS)
