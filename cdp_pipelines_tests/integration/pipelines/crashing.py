"""Runs an export in a process of its own that kills itself with SIGKILL at a chosen command to MongoDB.

The process is forked from a server that has imported everything, so that hundreds of deaths take seconds each, not
minutes. Nothing of our own code is replaced: the driver's public command listener does the killing.
"""

import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRELOAD = ["cdp_pipelines.definitions", "cdp_pipelines_tests.integration.pipelines.harness", "boto3", "jinja2"]
NEVER = 1_000_000


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
    """Run the export; returns the number of commands it got to, or -9 when it was killed as planned."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_execute, args=(doomed, theirs))
    process.start()
    theirs.close()
    process.join(60)
    if process.is_alive():
        process.kill()
        process.join()
        raise AssertionError("the run hung")
    return ours.recv() if process.exitcode == 0 else int(process.exitcode or 0)


def _execute(doomed: Doomed, answer: "multiprocessing.connection.Connection") -> None:
    import dagster as dg
    from pymongo import monitoring

    from cdp_pipelines.definitions import build_defs, default_resources
    from cdp_pipelines.pipelines.contact_export.config import run_config
    from cdp_pipelines.resources.work_directory import WorkDirectoryResource
    from cdp_pipelines_tests.integration.pipelines.harness import export_resource

    class Killer(monitoring.CommandListener):
        seen = 0

        def started(self, event: monitoring.CommandStartedEvent) -> None:
            self._count()

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            self._count()

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            self._count()

        def _count(self) -> None:
            self.seen += 1
            if self.seen == doomed.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

    killer = Killer()
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
    answer.send(killer.seen)
