"""Whether a run of Dagster still lives; the one question that leases alone cannot answer quickly."""

from typing import Any

from dagster import DagsterInstance


def is_over(instance: DagsterInstance, run_id: str) -> bool:
    """True only for a run that Dagster knows to have ended; an unknown one may be another deployment's."""
    run = instance.get_run_by_id(run_id)
    return run is not None and run.is_finished


def dead_owner(instance: DagsterInstance | None, job: dict[str, Any] | None) -> str | None:
    """The owner of a job in progress whose run is over, though its lease may still stand."""
    owner = ((job or {}).get("lease") or {}).get("owner_run_id")
    return owner if isinstance(owner, str) and instance is not None and is_over(instance, owner) else None
