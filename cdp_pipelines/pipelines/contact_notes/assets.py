"""The asset of the notes migration, by company: its migrated notes."""

import dagster as dg

from cdp_pipelines.pipelines.contact_notes.checks import EVALUATIONS
from cdp_pipelines.pipelines.contact_notes.config import ASSET_NAME, CONTACT_NOTES
from cdp_pipelines.pipelines.migrations.config import COVERAGE_ASSET_NAME
from cdp_pipelines.pipelines.migrations.steps import steps_of
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS

_STEPS = steps_of(CONTACT_NOTES, EVALUATIONS)


@dg.graph_asset(
    name=ASSET_NAME,
    partitions_def=COMPANY_PARTITIONS,
    group_name="migrations",
    kinds={"postgres", "mongodb", "s3"},
    ins={"coverage": dg.AssetIn(key=COVERAGE_ASSET_NAME, dagster_type=dg.Nothing)},
    description="A company's CRM contact notes in the CDP: cleaned, on the right contact with the right author, their "
    "files in the CDP's bucket, written once and compared with their source. Materialize a company to migrate it or to "
    "go on with it; select many for a backfill. The checks say whether all of it arrived.",
)
def contact_notes(coverage: None) -> None:
    """Wire the steps; see `migrations/steps.py` for what each does."""
    return _STEPS.reconciled(_STEPS.migrated(coverage))  # type: ignore[no-any-return]
