"""Whether a run of Dagster still lives; the one question that leases alone cannot answer quickly."""

from typing import Any, Final

from dagster import DagsterInstance, DagsterRun

# Dagster's own tags on a run that failed; see its documentation on run retries.
_WILL_RETRY: Final = "dagster/will_retry"
_RETRY_RUN_ID: Final = "dagster/auto_retry_run_id"


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
