"""Whether a run of Dagster still lives; the one question that leases alone cannot answer quickly."""

from typing import Any, Final

from dagster import DagsterInstance, DagsterRun, RunsFilter

from cdp_pipelines.pipelines.migrations.kinds import TAG_COMPANY, TAG_REQUEST, MigrationKind

# Dagster's own tags on a run that failed; see its documentation on run retries.
_WILL_RETRY: Final = "dagster/will_retry"
_RETRY_RUN_ID: Final = "dagster/auto_retry_run_id"


_PARTITION: Final = "dagster/partition"
_LOOKED_AT: Final = 25


def runs_of(instance: DagsterInstance, kind: MigrationKind, request_id: str, company_sso_id: str) -> list[DagsterRun]:
    """The newest runs of one company's request, newest first; ids of other queues and companies may be equal."""
    found = instance.get_runs(RunsFilter(tags={TAG_REQUEST: request_id}), limit=_LOOKED_AT)
    jobs = {kind.start_job, kind.rollback_job}
    return [
        run
        for run in found
        if (run.job_name in jobs or run.job_name.startswith("__"))
        and company_sso_id in (run.tags.get(_PARTITION), run.tags.get(TAG_COMPANY))
    ]


def is_over(instance: DagsterInstance, run_id: str) -> bool:
    """True only for a run that Dagster knows to have ended; an unknown one may be another deployment's."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished


def will_go_on(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether Dagster starts a run that crashed again by itself, or has done so and that run is not over."""
    if run.tags.get(_WILL_RETRY) != "true":
        return False
    retry = run.tags.get(_RETRY_RUN_ID)
    return retry is None or not is_over(instance, retry)


def dead_owner(instance: DagsterInstance | None, job: dict[str, Any] | None) -> str | None:
    """The owner of a job in progress whose run is over, though its lease may still stand."""
    owner = ((job or {}).get("lease") or {}).get("owner_run_id")
    return owner if isinstance(owner, str) and instance is not None and is_over(instance, owner) else None
