"""What the machinery of migrations must know of one migration: names, limits, and how its runs are configured.

Belongs here: the shape. Not here: any single migration (each pipeline's `config.py` makes its own `MigrationKind`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.migration_requests import MigrationRequest
from cdp_pipelines.stores.migration_jobs import JobKind

TAG_COMPANY: Final = "company"
TAG_REQUEST: Final = "request_id"
TAG_REQUESTED_BY: Final = "requested_by"
FROM_UI: Final = "dagster-ui"


@dataclass(frozen=True, slots=True)
class MigrationKind:
    """One migration. `halt_limit` is the failure rate above which a job halts."""

    kind: str
    title: str
    flag: str
    jobs: JobKind
    start_job: str
    rollback_job: str
    completed_status: str
    completed_code: str
    halt_limit: float
    halted_event: str
    completed_event: str
    start_config: Callable[[Any, MigrationRequest], dg.RunConfig]
    rollback_config: Callable[[Any, MigrationRequest], dg.RunConfig]

    def job_name(self, request: MigrationRequest) -> str:
        """The Dagster job that does what the request asks."""
        return self.rollback_job if request.action == "rollback" else self.start_job

    def run_config(self, request_id: Any, request: MigrationRequest) -> dg.RunConfig:
        """The config that points a run at its request."""
        make = self.rollback_config if request.action == "rollback" else self.start_config
        return make(request_id, request)


def run_key(kind: str, request_id: object, attempt: int) -> str:
    """Dagster uses a run key once for ever, even if its run failed, so the attempt is part of it."""
    return f"{kind}:{request_id}:attempt{attempt}"


Kinds = Mapping[str, MigrationKind]
