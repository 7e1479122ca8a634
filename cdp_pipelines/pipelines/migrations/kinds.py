"""What the machinery of migrations must know of one migration: names, limits, and how its source is opened.

Belongs here: the shape. Not here: any single migration (each pipeline's `config.py` makes its own `MigrationKind`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pymongo.database import Database

from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.migration_requests import MigrationRequest
from cdp_pipelines.stores.migrated_documents import MigratedDocuments
from cdp_pipelines.stores.migration_jobs import JobKind

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.migrations.hold import Hold
    from cdp_pipelines.pipelines.migrations.services import MigrationServices
    from cdp_pipelines.pipelines.migrations.source import MigrationSource

TAG_COMPANY: Final = "company"
TAG_REQUEST: Final = "request_id"
TAG_REQUESTED_BY: Final = "requested_by"
FROM_UI: Final = "dagster-ui"


@dataclass(frozen=True, slots=True)
class Hanging:
    """What hangs on documents and goes when they do, such as files: the fields that tell of it, and how it goes.

    `delete` is given the services, the company and some documents; it may be called again for the same ones. `sweep` is
    given services and company once all documents are gone, for what was to hang on documents that were never written.
    """

    fields: tuple[str, ...]
    delete: "Callable[[MigrationServices, str, Sequence[Mapping[str, Any]]], None]"
    sweep: "Callable[[MigrationServices, str], None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationKind:
    """One migration.

    `row` and `rows` are what it moves, `part` is what hangs on a row. `source` opens a company's rows for one step of a
    run, on behalf of a request; `after_replay` is done between replaying rows and comparing everything.

    `halt_limit` is the failure rate above which a job halts. `failures_are_errors`: one failed row makes a job
    `completed_with_errors`, else only a match below its threshold does. `validation_may_be_skipped`: a job whose source
    is away for the comparison ends all the same, and says so. `rows_a_shard`: left to itself, a company gets a shard
    for so many rows; below that, a second process costs more than it saves. `failed_parts_note`: under which of a job's
    notes its failed parts of rows are counted, where rows have parts. `person` is who a document says it is by, and
    `degraded_reason` the reason code, and the note, of those that an outage left unknown.
    """

    kind: str
    title: str
    row: str
    rows: str
    part: str = "part"
    flag: str
    asset: str
    jobs: JobKind
    documents: "Callable[[Database[dict[str, Any]], str], MigratedDocuments]"
    source: "Callable[[MigrationServices, Company, object], MigrationSource]"
    completed_status: str
    completed_code: str
    halt_limit: float
    failures_are_errors: bool
    validation_may_be_skipped: bool
    halted_event: str
    completed_event: str
    rows_a_shard: int
    hanging: Hanging | None = None
    failed_parts_note: str | None = None
    person: str
    degraded_reason: str
    after_replay: "Callable[[Hold, MigrationSource, dict[str, Any]], dict[str, Any]] | None" = None

    @property
    def start_job(self) -> str:
        """The Dagster job that migrates."""
        return f"{self.kind}_migration"

    @property
    def rollback_job(self) -> str:
        """The Dagster job that takes it back."""
        return f"{self.kind}_rollback"

    @property
    def checks_job(self) -> str:
        """The Dagster job that evaluates the checks anew."""
        return f"{self.kind}_checks"

    @property
    def rollback_op(self) -> str:
        """The only step of the rollback."""
        return f"roll_back_{self.kind}"

    @property
    def command_name(self) -> str:
        """What `cdp migrate` calls it."""
        return self.kind.replace("_", "-")

    def job_name(self, request: MigrationRequest) -> str:
        """The Dagster job that does what the request asks."""
        return self.rollback_job if request.action == "rollback" else self.start_job

    def run_config(self, request_id: Any, request: MigrationRequest) -> dg.RunConfig:
        """The config that points a run at its request."""
        if request.action == "rollback":
            config = {"request_id": str(request_id), "confirm": request.confirm}
            return dg.RunConfig(ops={self.rollback_op: {"config": config}})
        gates = {"gates": {"config": {"request_id": str(request_id)}}}
        # One shard needs one process; several run side by side.
        executor = "multiprocess" if request.options.shards > 1 else "in_process"
        return dg.RunConfig(ops={self.asset: {"ops": gates}}, execution={"config": {executor: {}}})


def run_key(kind: str, request_id: object, attempt: int) -> str:
    """Dagster uses a run key once for ever, even if its run failed, so the attempt is part of it."""
    return f"{kind}:{request_id}:attempt{attempt}"


Kinds = Mapping[str, MigrationKind]
