"""Which of Dagster's runs are a migration request's, and whether the run that holds a migration's job still lives."""

from typing import Any, Final

from dagster import DagsterInstance, DagsterRun, RunsFilter

from cdp_pipelines.pipelines.migrations.kinds import TAG_COMPANY, TAG_REQUEST, MigrationKind
from cdp_pipelines.pipelines.runs import is_over

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


def dead_owner(instance: DagsterInstance | None, job: dict[str, Any] | None) -> str | None:
    """The owner of a job in progress whose run is over, though its lease may still stand."""
    owner = ((job or {}).get("lease") or {}).get("owner_run_id")
    return owner if isinstance(owner, str) and instance is not None and is_over(instance, owner) else None
