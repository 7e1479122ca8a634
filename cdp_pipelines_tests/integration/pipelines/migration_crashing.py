"""Runs a migration, a rollback or a replay in a process that kills itself at a chosen command to MongoDB.

The doomed process holds its job with a lease of no time, so that the next run may take it over at once.
"""

import logging
import os
import signal
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pymongo import monitoring

from cdp_pipelines_tests.integration.pipelines.crashing import NEVER, Killer, in_a_process_of_its_own

Work = Literal["migration", "rollback", "replay"]


@dataclass(frozen=True)
class DoomedMigration:
    """What the doomed process needs: the servers, the company, what to do, and the instant at which it dies."""

    env: Mapping[str, str]
    database: str
    crm_dsn: str
    company: str
    work: Work
    config: Mapping[str, Any] = field(default_factory=dict)
    dies_at: int = NEVER
    kind: str = "activity_logs"
    files_from: str = ""
    """host:port that files may be fetched from, however private it is."""
    dies_at_insert: int = NEVER
    """The page that is the last to be inserted."""
    inserts_it: bool = False
    """Whether that page arrives before the process dies, or not."""

    def at(self, instant: int) -> "DoomedMigration":
        """The same, dying at that instant."""
        return replace(self, dies_at=instant)


class InsertKiller(monitoring.CommandListener):
    """Kills the process when a collection's `number`-th insert is about to be sent, or has arrived."""

    def __init__(self, collection: str, number: int, *, arrives: bool) -> None:
        self._collection, self._number, self._arrives = collection, number, arrives
        self._seen, self._last = 0, 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "insert" and event.command["insert"] == self._collection:
            self._seen, self._last = self._seen + 1, event.request_id
            if self._seen == self._number and not self._arrives:
                os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if self._seen == self._number and event.request_id == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Not needed."""


def migrate_and_die(doomed: DoomedMigration) -> int:
    """Do the work; returns the number of instants it got to, or -9 when it was killed as planned."""
    return in_a_process_of_its_own(_execute, doomed)


def _execute(doomed: DoomedMigration) -> int:
    import dagster as dg

    from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
    from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
    from cdp_pipelines.resources.attachment_fetcher import AttachmentFetcherResource
    from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
    from cdp_pipelines_tests.integration.pipelines.migration_harness import migration_resource

    logging.disable(logging.CRITICAL)
    kind = {each.kind: each for each in (ACTIVITY_LOGS, CONTACT_NOTES)}[doomed.kind]
    killer = Killer(doomed.dies_at)
    monitoring.register(killer)
    monitoring.register(InsertKiller(kind.asset, doomed.dies_at_insert, arrives=doomed.inserts_it))
    os.environ.update({name: doomed.env[name] for name in doomed.env if name.startswith("AWS_")})
    crm = CrmPostgresResource(dsn=doomed.crm_dsn)
    attachments = AttachmentFetcherResource(hosts="files.crm.example", trusted_hosts=doomed.files_from)
    resource = migration_resource(doomed.env, doomed.database, crm=crm, attachments=attachments, lease_seconds=0)
    if doomed.work == "replay":
        from cdp_pipelines.pipelines.migrations.replay import replay

        replay(resource.services(kind), doomed.company, str(uuid.uuid4()))
        resource.close()
        return killer.seen
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("company", [doomed.company])
        _run(doomed, kind, resource, instance)
    return killer.seen


def _run(doomed: DoomedMigration, kind: Any, resource: Any, instance: Any) -> None:
    from cdp_pipelines.definitions import build_defs, default_resources

    defs = build_defs(resources={**default_resources(), "migrations": resource})
    ops: dict[str, Any] = {kind.asset: {"ops": {"gates": {"config": dict(doomed.config)}}}}
    job = kind.start_job
    if doomed.work == "rollback":
        ops = {kind.rollback_op: {"config": {"confirm": doomed.company, **doomed.config}}}
        job = kind.rollback_job
    defs.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=doomed.company, run_config={"ops": ops}, raise_on_error=False
    )
