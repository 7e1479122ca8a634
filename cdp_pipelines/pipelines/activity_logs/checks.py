"""The asset checks of migrated activity logs, by company: together the stewards' dashboard.

Each reads the company's last job and shows its numbers, so that the UI plots them over time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.migrations import COVERAGE_PCT_AT_LEAST, MATCH_PCT_AT_LEAST
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS, ASSET_NAME, CHECKS_JOB_NAME
from cdp_pipelines.pipelines.activity_logs.reconcile import DUPLICATES, OTHERS, SEAM_VIOLATIONS, seam_rows
from cdp_pipelines.pipelines.activity_logs.report import failure_rate_result
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.pipelines.migrations.tables import table
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS
from cdp_pipelines.stores.activity_logs import ActivityLogs

Document = dict[str, Any]
SHOWN_IDS: Final = 20
MATCH_CHECK: Final = "match_pct"


def subject(services: MigrationServices, company_sso_id: str) -> tuple[Document, ActivityLogs]:
    """What the checks look at: the company's last job, and its logs.

    Raises:
        Failure: it was never migrated.
    """
    job = services.jobs.latest(company_sso_id)
    if job is None:
        raise dg.Failure("This company has not been migrated, so there is nothing to check.", allow_retries=False)
    return job, ActivityLogs(services.database, company_sso_id)


def _match_pct(job: Document, _: ActivityLogs) -> dg.AssetCheckResult:
    """Identical of eligible, and the first ids that are missing, extra or different."""
    found = job.get("reconciliation") or {}
    share = job.get("match_pct")
    metadata: Document = {"match_pct": share if share is not None else 0.0, "threshold_pct": MATCH_PCT_AT_LEAST}
    metadata["status"] = job["status"]
    for name in ("accuracy_pct", "source", "skipped_by_rule", "eligible", "identical", "different", "missing", "extra"):
        metadata[name] = found.get(name, 0)
    for name, number in (found.get("notes") or {}).items():
        metadata[f"note_{name}"] = number
    ids = [(verdict, audit) for verdict, listed in (found.get("ids") or {}).items() for audit in listed[:SHOWN_IDS]]
    if ids:
        metadata["not_matching"] = table(("what", "audit"), ids)
    return dg.AssetCheckResult(passed=share is not None and share >= MATCH_PCT_AT_LEAST, metadata=metadata)


def _coverage_pct(job: Document, _: ActivityLogs) -> dg.AssetCheckResult:
    """The coverage that the gate measured."""
    share = float(job.get("coverage_pct") or 0.0)
    metadata = {
        "coverage_pct": share,
        "threshold_pct": COVERAGE_PCT_AT_LEAST,
        "crm_people": job.get("people", 0),
        "covered": job.get("covered", 0),
    }
    return dg.AssetCheckResult(passed=share >= COVERAGE_PCT_AT_LEAST, metadata=metadata)


def _failure_rate(job: Document, _: ActivityLogs) -> dg.AssetCheckResult:
    """The rate, the outcomes, the first failed rows."""
    passed, metadata = failure_rate_result(job)
    return dg.AssetCheckResult(passed=passed, metadata=metadata)


def _no_duplicates(job: Document, logs: ActivityLogs) -> dg.AssetCheckResult:
    """Duplicates that the comparison of all documents met."""
    notes = (job.get("reconciliation") or {}).get("notes") or {}
    enforced = logs.uniqueness_is_enforced()
    found = int(notes.get(DUPLICATES, 0))
    metadata = {
        "duplicates": found,
        "unique_index": enforced,
        "written_by_others": int(notes.get(OTHERS, 0)),
        "already_present": int((job.get("records_skipped") or {}).get("duplicate_external_id", 0)),
    }
    return dg.AssetCheckResult(passed=found == 0 and enforced, metadata=metadata)


def _watermark_seam(job: Document, logs: ActivityLogs) -> dg.AssetCheckResult:
    """Violations among all documents, and for some customers the gap between the two sides of the seam."""
    found = job.get("reconciliation") or {}
    violations = int((found.get("notes") or {}).get(SEAM_VIOLATIONS, 0))
    rows = seam_rows(logs, found.get("seam") or [])
    gaps = sorted(row["gap_seconds"] for row in rows if row["gap_seconds"] is not None)
    metadata: Document = {
        "violations": violations,
        "customers_looked_at": len(rows),
        "with_live_feed": len(gaps),
        "skipped_post_sync_live_feed": int((job.get("records_skipped") or {}).get("post_sync_live_feed", 0)),
    }
    if gaps:
        metadata |= {"smallest_gap_seconds": gaps[0], "median_gap_seconds": gaps[len(gaps) // 2]}
    with_live = [row for row in rows if row["first_live"] is not None] or rows
    names = ("customer_id", "last_migrated", "first_live", "gap_seconds")
    metadata["seam"] = table(names, [[_shown(row[name]) for name in names] for row in with_live[:SHOWN_IDS]])
    return dg.AssetCheckResult(passed=violations == 0, metadata=metadata)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat(timespec="milliseconds") if hasattr(value, "isoformat") else str(value)


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what stewards read of it, and how it is evaluated from a company's job."""

    name: str
    description: str
    evaluate: Callable[[Document, ActivityLogs], dg.AssetCheckResult]


EVALUATIONS: Final = (
    Check(
        MATCH_CHECK,
        f"Of the audits that must be in the CDP, at least {MATCH_PCT_AT_LEAST:.0f} % are, with the same "
        "content. What failed counts as not matching.",
        _match_pct,
    ),
    Check(
        "coverage_pct",
        f"At least {COVERAGE_PCT_AT_LEAST:.0f} % of the company's live CRM people had a contact when its "
        "migration was started.",
        _coverage_pct,
    ),
    Check(
        "failure_rate",
        "Failed of processed rows; above 10 % a migration halts. The failed rows are listed with reasons.",
        _failure_rate,
    ),
    Check(
        "no_duplicates",
        "No audit is in the CDP twice, and the unique index that sees to it is there.",
        _no_duplicates,
    ),
    Check(
        "watermark_seam",
        "Nothing is migrated at or after a contact's watermark (its created_at): from there on the live feed "
        "writes the timeline.",
        _watermark_seam,
    ),
)


def _asset_check(check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(name=check.name, asset=ASSET_NAME, partitions_def=COMPANY_PARTITIONS, description=check.description)
    def evaluate(context: dg.AssetCheckExecutionContext, migrations: MigrationResource) -> dg.AssetCheckResult:
        if not context.has_partition_key:
            raise dg.Failure(
                f"These checks are by company. Run the job {CHECKS_JOB_NAME} for a company, or materialize it.",
                allow_retries=False,
            )
        return check.evaluate(*subject(migrations.services(ACTIVITY_LOGS), context.partition_key))

    return evaluate


CHECKS: Final = tuple(_asset_check(check) for check in EVALUATIONS)
