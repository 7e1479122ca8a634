"""What a job says of its failures, taken anew from the quarantine, which a run that died in the middle cannot falsify.

A page is written before it is counted. Its failed rows fail again when a killed run's page is gone through again, but
its failed parts do not: their rows are there by then, and nobody looks at their parts. For the same reason a later job
takes over the failed parts of earlier ones.
"""

from collections.abc import Mapping
from typing import Any

from cdp_pipelines.domain.failures import LISTED_ON_JOB, RowFailure
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.stores.migration_jobs import DEGRADED_ROWS, FAILED_PARTS, FAILED_ROWS

Document = dict[str, Any]


def lists_anew(hold: Hold, job: Mapping[str, Any]) -> Document:
    """Changes to the job: all its lists, and the numbers of failed parts and of rows without their author."""
    return {FAILED_ROWS: _listed(hold, part=False), **parts_anew(hold, job)}


def parts_anew(hold: Hold, job: Mapping[str, Any]) -> Document:
    """Changes to the job: the lists of parts and their numbers; none of a number that is right."""
    owned, services = hold.owned, hold.services
    services.failures.adopt_parts(owned.job_id, owned.company_sso_id)
    changes: Document = {DEGRADED_ROWS: _listed(hold, part=True, degraded=True)}
    if services.kind.failed_parts_note is not None:
        changes[FAILED_PARTS] = _listed(hold, part=True)
    notes = job.get("notes") or {}
    counted = parts_now(services, {"_id": owned.job_id, "company_sso_id": owned.company_sso_id})
    changes |= {f"notes.{name}": number for name, number in counted.items() if number != int(notes.get(name, 0))}
    return changes


def parts_now(services: MigrationServices, job: Mapping[str, Any]) -> dict[str, int]:
    """How many failed parts of rows and rows without their author the quarantine holds of a job, by their notes."""
    failures, key = services.failures, (job["_id"], job["company_sso_id"])
    counted = {services.kind.degraded_reason: failures.count_parts(*key, degraded=True)}
    if services.kind.failed_parts_note is not None:
        counted[services.kind.failed_parts_note] = failures.count_parts(*key)
    return counted


def _listed(hold: Hold, *, part: bool, degraded: bool = False) -> list[Document]:
    owned = hold.owned
    found = hold.services.failures.first(
        owned.job_id, owned.company_sso_id, part=part, size=LISTED_ON_JOB, degraded=degraded
    )
    return [RowFailure(row["source_id"], row["reason_code"], row["details"]).as_document() for row in found]
