"""What Dagster knows of a run: whether it is over, whether Dagster itself starts it again, and ending one that died.

Belongs here: the questions that leases alone cannot answer quickly. Not here: which run is whose (the pipelines).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

# Dagster's own tags on a run that failed; see its documentation on run retries.
_WILL_RETRY: Final = "dagster/will_retry"
_RETRY_RUN_ID: Final = "dagster/auto_retry_run_id"
_MAX_RETRIES: Final = "dagster/max_retries"

DECIDES_SECONDS: Final = 60
"""Dagster marks a run as failed first, and only then writes down whether it starts it again; under load much later."""
STARTS_AGAIN_SECONDS: Final = 600
"""Dagster does so within seconds as a rule. One that it has forgotten must not be waited for for ever."""
_MOST_RETRIES: Final = 20
_AT_WORK: Final = frozenset({DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING})


def is_over(instance: DagsterInstance, run_id: str) -> bool:
    """True only for a run that Dagster knows to have ended; an unknown one may be another deployment's."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished


def will_go_on(instance: DagsterInstance, run: DagsterRun, *, now: datetime) -> bool:
    """Whether Dagster starts a run that crashed again by itself, may yet do so, or has and that run is not over."""
    for _ in range(_MOST_RETRIES):
        if run.status != DagsterRunStatus.FAILURE:
            return False
        retry = run.tags.get(_RETRY_RUN_ID)
        if retry is None:
            return _may_start_again(instance, run, now)
        following = instance.get_run_by_id(retry)
        if following is None:
            return _ended_within(instance, run, now, STARTS_AGAIN_SECONDS)
        if not following.is_finished:
            return True
        run = following
    return False


def _may_start_again(instance: DagsterInstance, run: DagsterRun, now: datetime) -> bool:
    decided = run.tags.get(_WILL_RETRY)
    if decided == "false" or run.tags.get(_MAX_RETRIES) == "0":
        return False
    if decided == "true":
        return _ended_within(instance, run, now, STARTS_AGAIN_SECONDS)
    return instance.run_retries_enabled and _ended_within(instance, run, now, DECIDES_SECONDS)


def _ended_within(instance: DagsterInstance, run: DagsterRun, now: datetime, seconds: int) -> bool:
    record = instance.get_run_record_by_id(run.run_id)
    if record is None:
        return False
    ended = record.end_time if record.end_time is not None else record.update_timestamp.timestamp()
    return now - datetime.fromtimestamp(ended, UTC) < timedelta(seconds=seconds)


def end_dead_run(instance: DagsterInstance, run_id: object, *, canceled: bool = False) -> bool:
    """End a run in Dagster whose job was taken from it, so that it holds no place in the queue and no slot of a pool.

    Only for the caller that has just taken the job from it, because its lease had run out: should its process live
    after all, it finds that at its next sign and stops. Nothing happens to a run that is over, or only waits.
    """
    run = instance.get_run_by_id(run_id) if isinstance(run_id, str) else None
    if run is None or run.status not in _AT_WORK:
        return False
    # Its job is settled, so Dagster must not start it once more.
    instance.add_run_tags(run.run_id, {_MAX_RETRIES: "0"})
    message = "Nothing was heard of this run for longer than any step can take; its work was taken from it."
    if canceled or run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    if instance.event_log_storage.supports_global_concurrency_limits:
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return True
