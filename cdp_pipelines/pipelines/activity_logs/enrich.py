"""Completing association logs after the write: migrated ones and the live feed's, additive only (SPEC 5.3).

A second pass over the audits that can be associations; it keeps a cursor of its own on the job, so it goes on after a
restart, and a second run changes nothing.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.audited_yaml import UnreadableChanges
from cdp_pipelines.domain.activity_logs.audits import Audit, Document
from cdp_pipelines.domain.activity_logs.enrichment import (
    DELETED_REFERENCE,
    ENRICH_AMBIGUOUS,
    ENRICH_COMPLETE,
    ENRICH_UNMATCHED,
    ENRICHED,
    Referents,
    candidates,
    key_of,
    missing_keys,
    referents_of,
)
from cdp_pipelines.domain.activity_logs.transform import Draft, Settled, begin, describe
from cdp_pipelines.domain.crm_records import ContactRef
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.pipelines.activity_logs.pages import AuditSource
from cdp_pipelines.pipelines.migrations.collecting import long_lived_set_aside
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.stores.activity_logs import ActivityLogs

logger = logging.getLogger(__name__)

PAGE_ROWS: Final = 2_000
"""More than a page of the migration: the live feed is asked once a page, for a span of time."""


@dataclass(frozen=True, slots=True)
class Association:
    """An association audit: what is known of it, and on which side of the watermark it is."""

    audit_id: int
    known: Referents
    migrated: bool
    document: Document


@long_lived_set_aside()
def enrich(hold: Hold, source: AuditSource, job: Document, *, tolerance_seconds: float) -> Document:
    """Go through all association audits of the job; the job's `enrichment` then says what was done.

    A dry run patches nothing and counts what would be, how often the match key is ambiguous among it.
    """
    state = job.get("enrichment") or {}
    if state.get("done") is True:
        return job
    tally = Counter({str(name): int(number) for name, number in (state.get("counts") or {}).items()})
    position = int(state.get("last_audit_id") or 0)
    scope = [name for name in job["scope"] if source.table.may_associate(name)]
    last_id = max((int(shard["to"]) for shard in job["shards"].values()), default=0)
    logs = source.documents
    cutoff = job["options"]["date_range_start"]
    # Asked once: where the live feed has written nothing there is nothing of it to look for on every page.
    tolerance = tolerance_seconds if scope and logs.has_live_feed() else None
    source_pages = source.crm.audits(after=position, to=last_id, scope=scope, cutoff=cutoff, page_rows=PAGE_ROWS)
    with closing(source_pages) as pages:
        for audits in pages if scope else ():
            found = _associations(source, audits)
            additions, counts = _additions(source, logs, found, tolerance, dry_run=job["dry_run"])
            patched = len(additions) if job["dry_run"] else logs.complete(additions)
            tally.update(counts)
            tally[ENRICHED] += patched
            position = audits[-1].id
            hold.beat(enrichment={"last_audit_id": position, "counts": dict(tally), "done": False})
    logger.info("%s enrichment: %s", hold.label, dict(tally))
    return hold.beat(enrichment={"last_audit_id": last_id, "counts": dict(tally), "done": True})


def _associations(source: AuditSource, audits: Sequence[Audit]) -> list[Association]:
    drafts = [draft for audit in audits if isinstance(draft := begin(audit, source.table), Draft)]
    contacts = source.contacts.find({draft.person_id for draft in drafts if draft.person_id is not None})
    found = []
    for draft in drafts:
        contact = contacts.get(draft.person_id or "")
        if contact is None or draft.audit.created_at is None:
            continue
        association = _association(source, draft, contact)
        if association is not None:
            found.append(association)
    return found


def _association(source: AuditSource, draft: Draft, contact: ContactRef) -> Association | None:
    """None for what is no association, or cannot be read, which the migration has reported already."""
    try:
        settled: Settled | RowFailure = describe(draft, contact, source.table, source.company_sso_id)
    except UnreadableChanges:
        return None
    if not isinstance(settled, Settled) or draft.audit.created_at is None:
        return None
    known = referents_of(settled.document, _linked(source, draft))
    if known is None:
        return None
    return Association(draft.audit.id, known, draft.audit.created_at < contact.created_at, settled.document)


def _linked(source: AuditSource, draft: Draft) -> int | None:
    """The linked entity by the row's own association, which may as well be the person."""
    kind = source.table.kind_of(draft.audit.associated_type)
    is_linked = (
        draft.kind.link_attribute is not None and kind is not None and kind.entity_type == draft.kind.entity_type
    )
    return draft.audit.associated_id if is_linked else None


def _additions(
    source: AuditSource,
    logs: ActivityLogs,
    found: Sequence[Association],
    tolerance_seconds: float | None,
    *,
    dry_run: bool,
) -> tuple[list[tuple[Any, Mapping[str, str]]], Counter[str]]:
    """What to add to which document by `_id`, and what was found beside. No tolerance: there is no live feed."""
    counts: Counter[str] = Counter()
    migrated = [association for association in found if association.migrated]
    live = [association for association in found if not association.migrated]
    own = logs.by_row([association.audit_id for association in migrated]) if migrated else {}
    feed = _live_feed(logs, live, tolerance_seconds) if live and tolerance_seconds is not None else {}
    names = _names(source, found)
    additions: dict[Any, Mapping[str, str]] = {}
    for association in found:
        target: Mapping[str, Any] | None
        if association.migrated:
            # A dry run has written nothing, so it reports on the document that would be there.
            target = own.get(association.audit_id) or (association.document if dry_run else None)
        else:
            near = feed.get(association.known.key, ())
            matching = candidates(association.known, near, tolerance_seconds=tolerance_seconds or 0.0)
            if len(matching) > 1:
                counts[ENRICH_AMBIGUOUS] += 1
                continue
            target = matching[0] if matching else None
        if target is None:
            counts[ENRICH_UNMATCHED] += 1
            continue
        keys = missing_keys(target.get("metadata"), association.known, names.get(_entity(association)))
        if keys:
            additions[target.get("_id", association.audit_id)] = keys
        else:
            counts[ENRICH_COMPLETE] += 1
    return list(additions.items()), counts


def _live_feed(logs: ActivityLogs, live: Sequence[Association], tolerance_seconds: float) -> dict[Any, list[Document]]:
    """The live feed's documents around these audits, of which there is one at least, by match key; one query."""
    times = [association.known.timestamp for association in live]
    margin = timedelta(seconds=tolerance_seconds)
    customers = sorted({association.known.key.customer_id for association in live})
    keys = {association.known.key for association in live}
    by_key: dict[Any, list[Document]] = {}
    for document in logs.live_feed(
        customers, min(times) - margin, max(times) + margin, wanted=lambda document: key_of(document) in keys
    ):
        by_key.setdefault(key_of(document), []).append(document)
    return by_key


def _entity(association: Association) -> tuple[str, str]:
    return association.known.entity_type, association.known.key.entity_id


def _names(source: AuditSource, found: Sequence[Association]) -> dict[tuple[str, str], str]:
    """The linked entities' names, one query a kind; of one deleted in the CRM, `[Deleted reference]`."""
    ids: dict[str, set[int]] = {}
    for association in found:
        entity_type, entity_id = _entity(association)
        if entity_id:
            ids.setdefault(entity_type, set()).add(int(entity_id))
    names: dict[tuple[str, str], str] = {}
    for entity_type, numbers in ids.items():
        for number, entity in source.crm.entity_names(entity_type, sorted(numbers)).items():
            name = DELETED_REFERENCE if entity.deleted else entity.name
            if name:
                names[entity_type, str(number)] = name
    return names
