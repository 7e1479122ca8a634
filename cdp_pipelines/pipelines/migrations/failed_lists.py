"""What a job says of its failures, taken anew from the quarantine, which a run that died in the middle cannot falsify.

A page is written before it is counted. Its failed rows fail again when a killed run's page is gone through again, but
its failed parts do not: their rows are there by then, and nobody looks at their parts. For the same reason a later job
takes over the failed parts of earlier ones.
"""

from collections.abc import Mapping
from typing import Any

from cdp_pipelines.domain.failures import LISTED_ON_JOB, RowFailure
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.stores.migration_jobs import FAILED_PARTS, FAILED_ROWS

Document = dict[str, Any]


def lists_anew(hold: Hold, job: Mapping[str, Any]) -> Document:
    """Changes to the job: both lists, and the number of failed parts."""
    return {FAILED_ROWS: _listed(hold, part=False), **parts_anew(hold, job)}


def parts_anew(hold: Hold, job: Mapping[str, Any]) -> Document:
    """Changes to the job: the list of failed parts and their number; none where the number is right."""
    name = hold.services.kind.failed_parts_note
    if name is None:
        return {}
    hold.services.failures.adopt_parts(hold.owned.job_id, hold.owned.company_sso_id)
    number = hold.services.failures.count_parts(hold.owned.job_id, hold.owned.company_sso_id)
    changes: Document = {FAILED_PARTS: _listed(hold, part=True)}
    if number != int((job.get("notes") or {}).get(name, 0)):
        changes[f"notes.{name}"] = number
    return changes


def _listed(hold: Hold, *, part: bool) -> list[Document]:
    owned = hold.owned
    found = hold.services.failures.first(owned.job_id, owned.company_sso_id, part=part, size=LISTED_ON_JOB)
    return [RowFailure(row["source_id"], row["reason_code"], row["details"]).as_document() for row in found]
