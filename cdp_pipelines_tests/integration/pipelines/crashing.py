"""Runs work in a process of its own that kills itself with SIGKILL at a chosen command to MongoDB.

The process is forked from a server that has imported everything, so that hundreds of deaths take seconds each, not
minutes. Nothing of our own code is replaced: the public listeners of the drivers, MongoDB's and S3's, do the killing.

Belongs here: dying, and exports of both kinds that do. Not here: migrations that do (`migration_crashing.py`).
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pymongo import monitoring

PRELOAD = [
    "cdp_pipelines_tests.integration.pipelines.harness", "cdp_pipelines_tests.integration.pipelines.migration_harness",
    "cdp_pipelines_tests.integration.pipelines.entity_harness",
    "cdp_pipelines.formats.csv_file", "jinja2", "psycopg", "httpx", "httpcore", "upath.implementations.local",
    # Last, for it says goodbye to the garbage collector.
    "cdp_pipelines_tests.integration.pipelines.rehearsal",
]  # fmt: skip
NEVER = 1_000_000
DoomedT = TypeVar("DoomedT")


@dataclass(frozen=True)
class Doomed:
    """What the doomed process needs: the stack, the database, one request, and the command after which it dies.

    `job` is the Dagster job. Of an entity export, `options` are those of its resources, and requests to the object
    store are instants too; `by_store`: those alone.
    """

    env: Mapping[str, str]
    database: str
    company: str
    job_id: str
    work: str
    dies_at: int
    job: str = "contact_export"
    options: Mapping[str, Any] = field(default_factory=dict)
    by_store: bool = False


def run_and_die(doomed: Doomed) -> int:
    """Run the export; returns the number of instants it got to, or -9 when it was killed as planned."""
    return in_a_process_of_its_own(_execute, doomed)


def in_a_process_of_its_own(work: Callable[[DoomedT], int], doomed: DoomedT) -> int:
    """Call `work`, a module's function; returns its answer, or the exit code of a process that was killed, -9."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, doomed, theirs))
    process.start()
    theirs.close()
    process.join(60)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError("the run hung")
    return ours.recv() if process.exitcode == 0 else int(process.exitcode or 0)


def _answer(work: Callable[[DoomedT], int], doomed: DoomedT, answer: "multiprocessing.connection.Connection") -> None:
    answer.send(work(doomed))


class Killer(monitoring.CommandListener):
    """Counts every command as it is sent and as it is answered, and kills the process at one of these instants."""

    def __init__(self, dies_at: int) -> None:
        self.dies_at, self.seen = dies_at, 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._count()

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self._count()

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self._count()

    def _count(self) -> None:
        self.seen += 1
        if self.seen == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


class StoreKiller(Killer):
    """Does the same at every request to the object store; it dies while the bytes of a part are on their way."""

    def asked(self, operation: str) -> None:
        """A request is about to be sent."""
        if operation == "UploadPart" and self.seen + 1 == self.dies_at:
            self.seen += 1
            threading.Timer(0.004, os.kill, args=(os.getpid(), signal.SIGKILL)).start()
        else:
            self._count()

    def answered(self, operation: str) -> None:
        """The store has done what was asked."""
        self._count()


def _execute(doomed: Doomed) -> int:
    from cdp_pipelines.pipelines.contact_export.config import run_config
    from cdp_pipelines_tests.integration.pipelines.harness import export_resource

    killer = Killer(doomed.dies_at)
    monitoring.register(killer)
    _take_credentials(doomed)
    resource = export_resource(doomed.env, doomed.database)
    _run(doomed, {"cdp_mongo": resource.cdp_mongo, "contact_export": resource}, run_config(doomed.job_id))
    return killer.seen


def export_entity_and_die(doomed: Doomed) -> int:
    """The same as `run_and_die` for an entity export."""
    return in_a_process_of_its_own(_execute_entity, doomed)


def _execute_entity(doomed: Doomed) -> int:
    from cdp_pipelines.pipelines.entity_export.config import run_config
    from cdp_pipelines_tests.integration.pipelines.entity_harness import entity_resource, watched_store

    killer = StoreKiller(doomed.dies_at)
    if not doomed.by_store:
        monitoring.register(killer)
    _take_credentials(doomed)
    store = watched_store(doomed.env, killer.asked, killer.answered)
    resource = entity_resource(doomed.env, doomed.database, object_store=store, **doomed.options)
    _run(doomed, {"cdp_mongo": resource.cdp_mongo, "entity_export": resource}, run_config(doomed.job_id))
    return killer.seen


def _take_credentials(doomed: Doomed) -> None:
    os.environ.update({name: doomed.env[name] for name in doomed.env if name.startswith("AWS_")})


def _run(doomed: Doomed, resources: Mapping[str, Any], config: Any) -> None:
    import dagster as dg

    from cdp_pipelines.definitions import build_defs, default_resources
    from cdp_pipelines.resources.work_directory import WorkDirectoryResource

    work = WorkDirectoryResource(root=str(Path(doomed.work)))
    defs = build_defs(resources={**default_resources(), **resources, "work_directory": work})
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("company", [doomed.company])
        defs.resolve_job_def(doomed.job).execute_in_process(
            instance=instance,
            partition_key=doomed.company,
            run_config=config,
            tags={"request_id": doomed.job_id},
            raise_on_error=False,
        )
