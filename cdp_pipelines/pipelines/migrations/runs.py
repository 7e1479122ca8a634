"""Whether the run that holds a migration's job still lives."""

from typing import Any

from dagster import DagsterInstance

from cdp_pipelines.pipelines.runs import is_over


def dead_owner(instance: DagsterInstance | None, job: dict[str, Any] | None) -> str | None:
    """The owner of a job in progress whose run is over, though its lease may still stand."""
    owner = ((job or {}).get("lease") or {}).get("owner_run_id")
    return owner if isinstance(owner, str) and instance is not None and is_over(instance, owner) else None
