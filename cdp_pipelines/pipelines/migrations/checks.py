"""The asset checks of a migration, by company: together the stewards' dashboard.

Each reads the company's last job and shows its numbers, so that the UI plots them over time. Belongs here: the checks
that every migration has. Not here: those of a single one (each pipeline's `checks.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.migrations import COVERAGE_PCT_AT_LEAST, MATCH_PCT_AT_LEAST
from cdp_pipelines.domain.outcomes import DEGRADED_MENDED
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.reconcile import DUPLICATES, OTHERS, has_nothing_to_compare
from cdp_pipelines.pipelines.migrations.report import failure_tables
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.pipelines.migrations.tables import failure_table, table
from cdp_pipelines.pipelines.migrations.users import LAUNCHPAD_OUTAGES
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS
from cdp_pipelines.stores.migrated_documents import MigratedDocuments
from cdp_pipelines.stores.migration_jobs import DEGRADED_ROWS

Document = dict[str, Any]
SHOWN_IDS: Final = 20
MATCH_CHECK: Final = "match_pct"
_COMPARED: Final = (
    "source", "skipped_by_rule", "eligible", "identical", "changed_since", "different", "missing", "extra",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what stewards read of it, and how it is evaluated from a company's job."""

    name: str
    description: str
    evaluate: Callable[[Document, MigratedDocuments], dg.AssetCheckResult]


def subject(services: MigrationServices, company_sso_id: str) -> tuple[Document, MigratedDocuments]:
    """What the checks look at: the company's last job, and its documents.

    Raises:
        Failure: it was never migrated.
    """
    job = services.jobs.latest(company_sso_id)
    if job is None:
        raise dg.Failure("This company has not been migrated, so there is nothing to check.", allow_retries=False)
    return job, services.kind.documents(services.database, company_sso_id)


def shared_checks(kind: MigrationKind) -> tuple[Check, ...]:
    """Match, coverage, failure rate, duplicates, and people whom an outage left unknown."""

    def match_pct(job: Document, _: MigratedDocuments) -> dg.AssetCheckResult:
        """Identical of eligible, and the first ids that are missing, extra or different."""
        return _match_pct(kind, job)

    def failure_rate(job: Document, _: MigratedDocuments) -> dg.AssetCheckResult:
        """The rate, the outcomes, the first failed rows."""
        return _failure_rate(kind, job)

    def degraded_people(job: Document, _: MigratedDocuments) -> dg.AssetCheckResult:
        """How many there are, and the first of them."""
        return _degraded_people(kind, job)

    return (
        Check(
            MATCH_CHECK,
            f"Of the {kind.rows} that must be in the CDP, at least {MATCH_PCT_AT_LEAST:.0f} % are, with the same "
            "content, or as people in the CDP changed it since. What failed counts as not matching. A warning where "
            "there is nothing to compare.",
            match_pct,
        ),
        Check(
            "coverage_pct",
            f"At least {COVERAGE_PCT_AT_LEAST:.0f} % of the company's live CRM people had a contact when its "
            "migration was started.",
            _coverage_pct,
        ),
        Check(
            "failure_rate",
            f"Failed of processed rows; above {kind.halt_limit:.0%} a migration halts. The failed rows are listed with "
            "reasons.",
            failure_rate,
        ),
        Check(
            "no_duplicates",
            f"No {kind.row} is in the CDP twice, and the unique index that sees to it is there.",
            _no_duplicates,
        ),
        Check(
            "degraded_people",
            f"The {kind.person} of every migrated {kind.row} could be looked up. A warning while some were written "
            "without, because the launchpad did not answer: they are listed, and `cdp migrate replay "
            f"{kind.command_name}` or a forced run sets them right.",
            degraded_people,
        ),
    )


def asset_checks(kind: MigrationKind, checks: Sequence[Check]) -> tuple[dg.AssetChecksDefinition, ...]:
    """The checks of a migration's asset."""
    return tuple(_asset_check(kind, check) for check in checks)


def _asset_check(kind: MigrationKind, check: Check) -> dg.AssetChecksDefinition:
    @dg.asset_check(name=check.name, asset=kind.asset, partitions_def=COMPANY_PARTITIONS, description=check.description)
    def evaluate(context: dg.AssetCheckExecutionContext, migrations: MigrationResource) -> dg.AssetCheckResult:
        if not context.has_partition_key:
            raise dg.Failure(
                f"These checks are by company. Run the job {kind.checks_job} for a company, or materialize it.",
                allow_retries=False,
            )
        return check.evaluate(*subject(migrations.services(kind), context.partition_key))

    return evaluate


def _match_pct(kind: MigrationKind, job: Document) -> dg.AssetCheckResult:
    found = job.get("reconciliation") or {}
    share = job.get("match_pct")
    metadata: Document = {"match_pct": plotted(share), "threshold_pct": MATCH_PCT_AT_LEAST, "status": job["status"]}
    metadata["accuracy_pct"] = plotted(found.get("accuracy_pct"))
    for name in _COMPARED:
        metadata[name] = found.get(name, 0)
    for name, number in (found.get("notes") or {}).items():
        metadata[f"note_{name}"] = number
    ids = [(verdict, row) for verdict, listed in (found.get("ids") or {}).items() for row in listed[:SHOWN_IDS]]
    if ids:
        metadata["not_identical"] = table(("what", kind.row), ids)
    if has_nothing_to_compare(job):
        return nothing_to_compare(f"None of the company's {kind.rows} has to be in the CDP.", metadata)
    return dg.AssetCheckResult(passed=share is not None and share >= MATCH_PCT_AT_LEAST, metadata=metadata)


def plotted(share: object) -> Any:
    """A share as metadata; null, which is no point in a plot, where there is none."""
    return dg.MetadataValue.null() if share is None else share


def nothing_to_compare(why: str, metadata: Document, *, name: str | None = None) -> dg.AssetCheckResult:
    """A share of nothing is neither good nor bad: a warning, never green."""
    return dg.AssetCheckResult(
        check_name=name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Nothing to compare: {why}",
        metadata={"nothing_to_compare": True, **metadata},
    )


def _coverage_pct(job: Document, _: MigratedDocuments) -> dg.AssetCheckResult:
    share = job.get("coverage_pct")
    metadata: Document = {
        "coverage_pct": plotted(share),
        "threshold_pct": COVERAGE_PCT_AT_LEAST,
        "crm_people": job.get("people", 0),
        "covered": job.get("covered", 0),
    }
    if share is None and job.get("people") == 0:
        return nothing_to_compare("the CRM has no live people of this company.", metadata)
    return dg.AssetCheckResult(passed=share is not None and share >= COVERAGE_PCT_AT_LEAST, metadata=metadata)


def _degraded_people(kind: MigrationKind, job: Document) -> dg.AssetCheckResult:
    found = job.get("reconciliation") or {}
    notes = job.get("notes") or {}
    listed, seen = int(notes.get(kind.degraded_reason, 0)), int(found.get("degraded") or 0)
    metadata: Document = {
        kind.degraded_reason: max(listed, seen),
        "listed": listed,
        "known_by_now": seen,
        "mended": int(notes.get(DEGRADED_MENDED, 0)),
        "launchpad_outages": int(notes.get(LAUNCHPAD_OUTAGES, 0)),
    }
    if job.get(DEGRADED_ROWS):
        metadata[DEGRADED_ROWS] = failure_table(job[DEGRADED_ROWS], f"{kind.row}/{kind.person}")
    passed = max(listed, seen) == 0
    told = "" if passed else f"To set them right: cdp migrate replay {kind.command_name} --company {_key(job)}"
    return dg.AssetCheckResult(
        passed=passed, severity=dg.AssetCheckSeverity.WARN, description=told or None, metadata=metadata
    )


def _key(job: Document) -> str:
    return str(job.get("company_sso_id"))


def _failure_rate(kind: MigrationKind, job: Document) -> dg.AssetCheckResult:
    rate = float(job.get("failure_rate") or 0.0)
    metadata: Document = {
        "failure_rate": rate,
        "limit": kind.halt_limit,
        "records_failed": job["records_failed"],
        "records_processed": job["records_processed"],
        "status": job["status"],
        **failure_tables(kind, job),
    }
    return dg.AssetCheckResult(passed=rate <= kind.halt_limit, metadata=metadata)


def _no_duplicates(job: Document, documents: MigratedDocuments) -> dg.AssetCheckResult:
    """Duplicates that the comparison of all documents met."""
    notes = (job.get("reconciliation") or {}).get("notes") or {}
    enforced = documents.uniqueness_is_enforced()
    found = int(notes.get(DUPLICATES, 0))
    metadata = {
        "duplicates": found,
        "unique_index": enforced,
        "written_by_others": int(notes.get(OTHERS, 0)),
        "already_present": int((job.get("records_skipped") or {}).get(documents.kind.present_reason, 0)),
    }
    return dg.AssetCheckResult(passed=found == 0 and enforced, metadata=metadata)
