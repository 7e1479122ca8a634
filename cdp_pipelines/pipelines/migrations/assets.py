"""The asset that every migration looks at first, by company: how ready it is."""

from typing import Any

import dagster as dg

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.domain.migrations import COVERAGE_PCT_AT_LEAST
from cdp_pipelines.pipelines.migrations.checks import nothing_to_compare, plotted
from cdp_pipelines.pipelines.migrations.config import COVERAGE_ASSET_NAME, POOL
from cdp_pipelines.pipelines.migrations.coverage import Coverage, measure_coverage
from cdp_pipelines.pipelines.migrations.opening import fail_before_opening
from cdp_pipelines.pipelines.migrations.patience import outwaiting
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.pipelines.migrations.tables import table
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS


@dg.asset(
    name=COVERAGE_ASSET_NAME,
    partitions_def=COMPANY_PARTITIONS,
    group_name="migrations",
    kinds={"postgres", "mongodb"},
    pool=POOL,
    check_specs=[
        dg.AssetCheckSpec(
            "coverage_pct",
            asset=COVERAGE_ASSET_NAME,
            partitions_def=COMPANY_PARTITIONS,
            description=f"At least {COVERAGE_PCT_AT_LEAST:.0f} % of the company's live CRM people have a contact with "
            "that crm_data.id. Below, the migration is refused.",
        )
    ],
    description="Which share of a company's live CRM people has a contact in the CDP (Phase A). Reads only; look at "
    "it before a migration is started. Missing contacts are synced by the CRM's own backfill, never made here.",
)
def crm_contact_coverage(context: dg.AssetExecutionContext, migrations: MigrationResource) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads the annotation and knows only the bare class
    """Count both sides and show the first people that are missing."""
    services = migrations.shared_services()
    try:
        coverage = outwaiting(
            services.patience_seconds(),
            lambda: measure_coverage(services, services.company(context.partition_key)),
        )
    except CdpError as exc:
        raise fail_before_opening(context, services, exc) from exc
    if coverage is None:
        raise dg.Failure("The coverage could not be measured.")
    metadata = coverage_metadata(coverage)
    return dg.MaterializeResult(
        metadata={**metadata, "dagster/row_count": coverage.covered}, check_results=[_check(coverage, metadata)]
    )


def _check(coverage: Coverage, metadata: dict[str, Any]) -> dg.AssetCheckResult:
    share = coverage.pct
    if share is None:
        known = "" if coverage.cid_is_known else " It has no users of it either: is the company's cid right?"
        return nothing_to_compare(f"the CRM has no live people of this company.{known}", metadata, name="coverage_pct")
    return dg.AssetCheckResult(check_name="coverage_pct", passed=share >= COVERAGE_PCT_AT_LEAST, metadata=metadata)


def coverage_metadata(coverage: Coverage) -> dict[str, Any]:
    """Counts, share, threshold, and the ids of the first CRM people without a contact."""
    return {
        "coverage_pct": plotted(coverage.pct),
        "threshold_pct": COVERAGE_PCT_AT_LEAST,
        "crm_people": coverage.people,
        "covered": coverage.covered,
        "missing": coverage.people - coverage.covered,
        "missing_people": table(("crm_person_id",), [(person,) for person in coverage.missing_ids]),
    }
