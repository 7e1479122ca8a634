"""Running the quarantined rows again, just those, after whatever failed them was mended (`cdp migrate replay`)."""

from dataclasses import replace
from typing import Any, Final

from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.migrations import (
    CANCELED,
    COMPLETED_WITH_ERRORS,
    FAILED,
    IN_PROGRESS,
    ROLLED_BACK,
)
from cdp_pipelines.pipelines.migrations.conclude import conclude
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.reconcile import reconcile
from cdp_pipelines.pipelines.migrations.retaking import Retaken, retake
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.pipelines.migrations.source import MigrationSource
from cdp_pipelines.pipelines.migrations.steps import ended_well

Document = dict[str, Any]

PHASE: Final = "replay"
_INTERRUPTED: Final = frozenset({IN_PROGRESS, FAILED, CANCELED})
"""How a job may stand whose replay died: as it was, or as the sweeper ended it."""


def replay(services: MigrationServices, company_sso_id: str, run_id: str) -> Retaken:
    """Go through the failed rows of the company's last job, then compare everything anew.

    The job is taken as a run takes it, so no migration and no rollback can work on it meanwhile; it ends as a run's
    does. A replay that died is gone on with, once its lease ran out.

    Raises:
        PermanentFailure: `NOT_MIGRATED`, there is no such job; `JOB_ALREADY_RUNNING`; `NOT_FINISHED`, the job stopped
            half-way, start it again first.
    """
    job = services.jobs.latest(company_sso_id)
    if job is None or job["status"] == ROLLED_BACK:
        raise PermanentFailure("NOT_MIGRATED", f"This company has no {services.kind.title} to replay failures of.")
    interrupted = job.get("phase") == PHASE and job["status"] in _INTERRUPTED
    if job["status"] == IN_PROGRESS and not interrupted:
        raise PermanentFailure("JOB_ALREADY_RUNNING", "A run is working on this company's migration.")
    finished = job["status"] in {services.kind.completed_status, COMPLETED_WITH_ERRORS}
    if not finished and not interrupted:
        raise PermanentFailure(
            "NOT_FINISHED", f"The last migration of this company is {job['status']}; start it again, then replay."
        )
    owned = services.jobs.reopen(job, run_id, {"phase": PHASE}, now=services.now())
    if owned is None:
        raise PermanentFailure("JOB_ALREADY_RUNNING", "Another run is working on this company's migration.")
    hold = Hold(services, owned)
    source = services.kind.source(services, services.company(company_sso_id), None)
    try:
        return _go_through(hold, source)
    except BaseException:
        # Nothing that was done is lost: replayed rows have left the quarantine, the others are in it still.
        conclude(services, owned, COMPLETED_WITH_ERRORS if interrupted else job["status"])
        raise
    finally:
        source.close()


def _go_through(hold: Hold, source: MigrationSource) -> Retaken:
    services, owned = hold.services, hold.owned
    job, retaken = retake(hold, source, compare_anew=True)
    if services.kind.after_replay is not None:
        job = services.kind.after_replay(hold, source, job)
    job = reconcile(hold, source, job, mend=True)
    conclude(services, owned, ended_well(services.kind, job), changes={"phase": "done"})
    return replace(retaken, job=services.jobs.find(owned.job_id, owned.company_sso_id))
