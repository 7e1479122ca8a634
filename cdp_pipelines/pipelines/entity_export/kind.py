"""Entity exports as the machinery of exports knows them."""

import time
from datetime import timedelta
from typing import Final

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.entity_export import intake
from cdp_pipelines.pipelines.entity_export.conclude import cancel, fail
from cdp_pipelines.pipelines.entity_export.config import (
    JOB_NAME,
    NOTICE_SECONDS_A_SWEEP,
    NOTICES_UNSENT_SECONDS,
    run_config,
)
from cdp_pipelines.pipelines.entity_export.notices import send_notices
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.exports.config import MOST_SWEEPS_A_TICK
from cdp_pipelines.pipelines.exports.kinds import ExportKind
from cdp_pipelines.pipelines.exports.sweep import SweepReport


def _repeat(services: EntityServices, report: SweepReport) -> None:
    """Send the notices that were not sent, and remove files that have had their time."""
    _send_notices(services, report)
    for document in services.jobs.with_files_to_remove(now=services.now(), limit=MOST_SWEEPS_A_TICK):
        try:
            for key in services.jobs.shape.files(document):
                services.object_store().discard(key)
        except CdpError as exc:
            report.lines.append(f"[{document['id']}] old files not removed yet: {exc.code}")
            return
        services.jobs.files_removed(document["id"], document["company_sso_id"])
        report.lines.append(f"[{document['id']}] old files removed")


def _send_notices(services: EntityServices, report: SweepReport) -> None:
    now, begun = services.now(), time.monotonic()
    before = now - timedelta(seconds=NOTICES_UNSENT_SECONDS)
    for document in services.jobs.with_notices_pending(ended_before=before, now=now, limit=MOST_SWEEPS_A_TICK):
        if send_notices(services, document, in_a_sweep=True):
            report.lines.append(f"[{document['id']}] its notices are sent, or given up")
        if time.monotonic() - begun > NOTICE_SECONDS_A_SWEEP:
            report.lines.append("notices took too long; the next sweep goes on with them")
            return


ENTITY_EXPORT: Final = ExportKind(
    name=JOB_NAME,
    title="entity export",
    sensor="entity_export_requests",
    invalid_code="invalid_export_parameters",
    judge=intake.judge,
    reject=intake.reject,
    cancel=cancel,
    fail=fail,
    run_config=run_config,
    repeat=_repeat,
)
