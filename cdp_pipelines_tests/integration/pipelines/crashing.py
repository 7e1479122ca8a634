"""Runs work in a process of its own that kills itself with SIGKILL at a chosen command to MongoDB.

The process is forked from a server that has imported everything, so that hundreds of deaths take seconds each, not
minutes. Nothing of our own code is replaced: the driver's public command listener does the killing.

Belongs here: dying, and an export that does. Not here: migrations that do (`migration_crashing.py`).
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pymongo import monitoring

PRELOAD = [
    "cdp_pipelines_tests.integration.pipelines.harness", "cdp_pipelines_tests.integration.pipelines.migration_harness",
    "cdp_pipelines.formats.csv_file", "jinja2", "psycopg", "httpx", "httpcore", "upath.implementations.local",
    # Last, for it says goodbye to the garbage collector.
    "cdp_pipelines_tests.integration.pipelines.rehearsal",
]  # fmt: skip
NEVER = 1_000_000
DoomedT = TypeVar("DoomedT")


@dataclass(frozen=True)
class Doomed:
    """What the doomed process needs: the stack, the database, one request, and the command after which it dies."""

    env: Mapping[str, str]
    database: str
    company: str
    job_id: str
    work: str
    dies_at: int


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


def _execute(doomed: Doomed) -> int:
    import dagster as dg

    from cdp_pipelines.definitions import build_defs, default_resources
    from cdp_pipelines.pipelines.contact_export.config import run_config
    from cdp_pipelines.resources.work_directory import WorkDirectoryResource
    from cdp_pipelines_tests.integration.pipelines.harness import export_resource

    killer = Killer(doomed.dies_at)
    monitoring.register(killer)
    os.environ.update({name: doomed.env[name] for name in doomed.env if name.startswith("AWS_")})
    resource = export_resource(doomed.env, doomed.database)
    defs = build_defs(
        resources={
            **default_resources(),
            "cdp_mongo": resource.cdp_mongo,
            "contact_export": resource,
            "work_directory": WorkDirectoryResource(root=str(Path(doomed.work))),
        }
    )
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("company", [doomed.company])
        defs.resolve_job_def("contact_export").execute_in_process(
            instance=instance,
            partition_key=doomed.company,
            run_config=run_config(doomed.job_id),
            tags={"request_id": doomed.job_id},
            raise_on_error=False,
        )
    return killer.seen
