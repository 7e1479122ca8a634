"""Which of Dagster's runs are a request's: by its id, and by company and job, since other ids may be equal."""

from typing import Final

from dagster import DagsterInstance, DagsterRun, RunsFilter

from cdp_pipelines.pipelines.exports.config import TAG_COMPANY, TAG_REQUEST

_PARTITION: Final = "dagster/partition"
_LOOKED_AT: Final = 25


def runs_of(instance: DagsterInstance, job_name: str, request_id: str, company_sso_id: str) -> list[DagsterRun]:
    """The newest runs of one company's request, newest first."""
    found = instance.get_runs(RunsFilter(tags={TAG_REQUEST: request_id}), limit=_LOOKED_AT)
    return [run for run in found if _is_of(run, job_name, company_sso_id)]


def _is_of(run: DagsterRun, job_name: str, company_sso_id: str) -> bool:
    # Materialized from the UI, the run is of a job that Dagster makes.
    if run.job_name != job_name and not run.job_name.startswith("__"):
        return False
    return company_sso_id in (run.tags.get(_PARTITION), run.tags.get(TAG_COMPANY))
