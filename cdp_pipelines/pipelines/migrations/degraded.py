"""Rows that an outage of the launchpad left without their author: listed when written, mended later (SPEC 5.2).

They are kept in the quarantine as parts of their rows, `{row}/actor` or `{row}/owner`. Mending sets the author's fields
and no other, and only where the document is as its row says in everything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import DEGRADED_MENDED, Outcome, Ready
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.source import MigrationSource, Quarantined
from cdp_pipelines.stores.migrated_documents import Mending

Document = dict[str, Any]

BATCH_ROWS: Final = 500
WHY: Final = "the launchpad did not answer"


@dataclass(frozen=True, slots=True)
class Settled:
    """`looked_at` listed rows, of which `mended` have their author now; of `unknown` nobody can say yet."""

    looked_at: int = 0
    mended: int = 0
    unknown: int = 0


def degraded_rows(
    kind: MigrationKind, source: MigrationSource, rows: Sequence[Any], outcomes: Sequence[Outcome]
) -> list[Quarantined]:
    """Those of a page that are about to be written without their author; what is there already keeps its own."""
    found = [row.id for row, outcome in zip(rows, outcomes, strict=True) if _is_degraded(outcome)]
    if not found:
        return []
    there = source.documents.present(found)
    return [
        (RowFailure(f"{row_id}/{kind.person}", kind.degraded_reason, WHY), {})
        for row_id in found
        if row_id not in there
    ]


def settle_degraded(hold: Hold, source: MigrationSource) -> Settled:
    """Ask again about the listed rows of the job, mend their documents, and take them off the list.

    It stops at the first batch of which nobody can be looked up: the launchpad is away still.
    """
    failures, owned = hold.services.failures, hold.owned
    looked_at = mended = 0
    after = ""
    while batch := failures.batch(owned.job_id, owned.company_sso_id, after=after, size=BATCH_ROWS, degraded=True):
        after = batch[-1]["_id"]
        mendings, settled = _look(source, batch)
        mended += source.documents.mend(mendings)
        failures.forget_these(owned.company_sso_id, settled)
        looked_at += len(batch)
        hold.beat()
        if not settled:
            break
    if mended:
        before = int((hold.beat().get("notes") or {}).get(DEGRADED_MENDED, 0))
        hold.beat(**{f"notes.{DEGRADED_MENDED}": before + mended})
    unknown = failures.count_parts(owned.job_id, owned.company_sso_id, degraded=True) if looked_at else 0
    return Settled(looked_at, mended, unknown)


def _look(source: MigrationSource, batch: Sequence[Mapping[str, Any]]) -> tuple[list[Mending], list[str]]:
    """What to mend of these listed rows, and the `_id`s of those that need not be listed any more."""
    by_row = {int(str(part["source_id"]).partition("/")[0]): str(part["_id"]) for part in batch}
    rows = source.rows_by_id(sorted(by_row))
    outcomes = dict(zip((row.id for row in rows), source.outcomes(rows), strict=True))
    stored = source.documents.by_row(sorted(by_row))
    comparing = source.comparing(None)
    mendings, settled = [], []
    for row_id, part_id in by_row.items():
        outcome, document = outcomes.get(row_id), stored.get(row_id)
        # Without a document there is nothing to mend: its row is written with whoever is known by then.
        if document is not None and outcome is not None and _is_degraded(outcome):
            continue
        settled.append(part_id)
        if isinstance(outcome, Ready) and document is not None:
            fields = comparing.mending(outcome.document, document)
            if fields is not None:
                seen = {name: document.get(name) for name in (*fields, "updated_at")}
                mendings.append(Mending(document["_id"], fields, seen))
    return mendings, settled


def _is_degraded(outcome: Outcome) -> bool:
    return isinstance(outcome, Ready) and outcome.degraded is not None
