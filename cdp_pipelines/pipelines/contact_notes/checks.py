"""The asset checks of migrated notes, by company: those of every migration, and whether their files arrived."""

from typing import Any, Final

import dagster as dg

from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.pipelines.contact_notes.files import FAILED, STORED, UNCHANGED
from cdp_pipelines.pipelines.migrations.checks import Check, asset_checks, shared_checks
from cdp_pipelines.pipelines.migrations.tables import failure_table
from cdp_pipelines.stores.migrated_documents import MigratedDocuments
from cdp_pipelines.stores.migration_jobs import FAILED_PARTS


def _attachments(job: dict[str, Any], _: MigratedDocuments) -> dg.AssetCheckResult:
    """Files by what became of them, and the first that failed. A warning: their notes have arrived."""
    notes = job.get("notes") or {}
    failed = int(notes.get(FAILED, 0))
    metadata: dict[str, Any] = {name: int(notes.get(name, 0)) for name in (STORED, UNCHANGED, FAILED)}
    if job.get(FAILED_PARTS):
        metadata[FAILED_PARTS] = failure_table(job[FAILED_PARTS], "note/file")
    return dg.AssetCheckResult(passed=failed == 0, severity=dg.AssetCheckSeverity.WARN, metadata=metadata)


EVALUATIONS: Final = (
    *shared_checks(CONTACT_NOTES),
    Check(
        "attachments",
        "Every file of the migrated notes is in the CDP. One that is not is listed with its code, and its note has "
        "arrived without it; `cdp migrate replay contact-notes` fetches it again.",
        _attachments,
    ),
)

CHECKS: Final = asset_checks(CONTACT_NOTES, EVALUATIONS)
