"""Runs a migration, a rollback or a replay in a process that kills itself at a chosen command to MongoDB.

The doomed process holds its job with a lease of no time, so that the next run may take it over at once.
"""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

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

    def at(self, instant: int) -> "DoomedMigration":
        """The same, dying at that instant."""
        return replace(self, dies_at=instant)


def migrate_and_die(doomed: DoomedMigration) -> int:
    """Do the work; returns the number of instants it got to, or -9 when it was killed as planned."""
    return in_a_process_of_its_own(_execute, doomed)


def _execute(doomed: DoomedMigration) -> int:
    import dagster as dg
    from pymongo import monitoring

    from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
    from cdp_pipelines_tests.integration.pipelines.migration_harness import migration_resource

    logging.disable(logging.CRITICAL)
    killer = Killer(doomed.dies_at)
    monitoring.register(killer)
    crm = CrmPostgresResource(dsn=doomed.crm_dsn)
    resource = migration_resource(doomed.env, doomed.database, crm=crm, lease_seconds=0)
    if doomed.work == "replay":
        from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
        from cdp_pipelines.pipelines.migrations.replay import replay

        replay(resource.services(ACTIVITY_LOGS), doomed.company, str(uuid.uuid4()))
        resource.cdp_mongo.close()
        return killer.seen
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("company", [doomed.company])
        _run(doomed, resource, instance)
    return killer.seen


def _run(doomed: DoomedMigration, resource: Any, instance: Any) -> None:
    from cdp_pipelines.definitions import build_defs, default_resources

    defs = build_defs(resources={**default_resources(), "migrations": resource})
    ops: dict[str, Any] = {"activity_logs": {"ops": {"gates": {"config": dict(doomed.config)}}}}
    if doomed.work == "rollback":
        ops = {"roll_back_activity_logs": {"config": {"confirm": doomed.company, **doomed.config}}}
    defs.resolve_job_def(f"activity_logs_{doomed.work}").execute_in_process(
        instance=instance, partition_key=doomed.company, run_config={"ops": ops}, raise_on_error=False
    )
