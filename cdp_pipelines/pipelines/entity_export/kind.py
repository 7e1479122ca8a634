"""Entity exports as the machinery of exports knows them."""

import time
from datetime import timedelta
from typing import Final

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.pipelines.entity_export import intake
from cdp_pipelines.pipelines.entity_export.conclude import cancel, fail
from cdp_pipelines.pipelines.entity_export.config import (
    JOB_NAME,
    NOTICE_SECONDS_A_SWEEP,
    NOTICES_UNSENT_SECONDS,
    run_config,
)
from cdp_pipelines.pipelines.entity_export.notices import reference_of, send_notices
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.exports.config import MOST_SWEEPS_A_TICK
from cdp_pipelines.pipelines.exports.kinds import Document, ExportKind
from cdp_pipelines.pipelines.exports.setting_aside import (
    refuse_never_taken_in,
    set_aside_harmful,
    set_aside_unreadable,
)
from cdp_pipelines.pipelines.exports.sweep import SweepReport, remove_files_of


def _repeat(services: EntityServices, report: SweepReport) -> None:
    """Send the notices that were not sent, and remove files that have had their time."""
    _send_notices(services, report)
    old = services.jobs.with_files_to_remove(now=services.now(), limit=MOST_SWEEPS_A_TICK)
    remove_files_of(services, old, report, done=services.jobs.files_removed, what="old files")


def _send_notices(services: EntityServices, report: SweepReport) -> None:
    now, begun = services.now(), time.monotonic()
    before = now - timedelta(seconds=NOTICES_UNSENT_SECONDS)
    pending = services.jobs.with_notices_pending(ended_before=before, now=now, limit=MOST_SWEEPS_A_TICK)
    for unreadable in pending.unreadable:
        set_aside_unreadable(services, unreadable)
    for found, document in zip(pending, services.jobs.taken_in(pending), strict=True):
        if document is None:
            report.lines.append(refuse_never_taken_in(services, found))
        else:
            _send_to_one(services, document, report)
        if time.monotonic() - begun > NOTICE_SECONDS_A_SWEEP:
            report.lines.append("notices took too long; the next sweep goes on with them")
            return


def _send_to_one(services: EntityServices, document: Document, report: SweepReport) -> None:
    try:
        if send_notices(services, document, in_a_sweep=True):
            report.lines.append(f"[{reference_of(document)}] its notices are sent, or given up")
    except TransientFailure:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever a document holds, its neighbours are told
        report.lines.append(set_aside_harmful(services, document, exc))
        services.jobs.notices_done(document["_id"])


ENTITY_EXPORT: Final = ExportKind(
    name=JOB_NAME,
    title="entity export",
    sensor="entity_export_requests",
    invalid_code="invalid_export_parameters",
    judge=intake.judge,
    reject=intake.reject,
    tell_of_refusal=intake.tell_of_refusal,
    cancel=cancel,
    fail=fail,
    run_config=run_config,
    repeat=_repeat,
)
