"""The steps of an activity-log migration: gates -> plan_shards -> migrate_shard (each) -> enrich -> reconcile.

No value passes between them: the job document in MongoDB holds all there is to know, so they run in one process or on
any executor, and after a restart.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from cdp_pipelines.domain.events import event_line
from cdp_pipelines.domain.migrations import COMPLETED, COMPLETED_WITH_ERRORS, MATCH_PCT_AT_LEAST
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS, ASSET_NAME, POOL, EnrichConfig, StartConfig
from cdp_pipelines.pipelines.activity_logs.enrich import enrich
from cdp_pipelines.pipelines.activity_logs.migrate import migrate_shard as work_through
from cdp_pipelines.pipelines.activity_logs.migrate import plan
from cdp_pipelines.pipelines.activity_logs.pages import Source
from cdp_pipelines.pipelines.activity_logs.reconcile import reconcile as compare_all
from cdp_pipelines.pipelines.activity_logs.report import report_metadata
from cdp_pipelines.pipelines.migrations.conclude import conclude
from cdp_pipelines.pipelines.migrations.hold import Hold, ending_badly
from cdp_pipelines.pipelines.migrations.opening import open_start, read_order
from cdp_pipelines.pipelines.migrations.reexecution import held
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.stores.migrations.runner import Migrator

logger = logging.getLogger(__name__)

Document = dict[str, Any]


@dg.op(
    ins={"coverage": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing, is_required=False, description="Go on; nothing when there is nothing to do."),
)
def gates(
    context: dg.OpExecutionContext, config: StartConfig, migrations: MigrationResource
) -> Iterator[dg.Output[None]]:
    """Flag, lease, coverage: whether this company may be migrated now. Opens its job, or goes on with the last one."""
    services = migrations.services(ACTIVITY_LOGS)
    Migrator(services.database).require_current()
    order = read_order(context, services, config.request_id, config.as_order())
    if order is None:
        return
    hold = open_start(context, services, order)
    context.log.info("%s works on job %s", hold.label, hold.owned.job_id)
    yield dg.Output(None)


@dg.op(ins={"go": dg.In(dg.Nothing)}, out=dg.DynamicOut(dg.Nothing), pool=POOL)
def plan_shards(context: dg.OpExecutionContext, migrations: MigrationResource) -> Iterator[dg.DynamicOutput[None]]:
    """Look over the audits and split their ids into ranges; a job that goes on has its ranges and cursors already."""
    with _working(context, migrations) as (hold, source, job):
        names = plan(hold, source, job)
    for name in names:
        yield dg.DynamicOutput(None, mapping_key=name)


@dg.op(ins={"go": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=POOL)
def migrate_shard(context: dg.OpExecutionContext, migrations: MigrationResource) -> None:
    """Read, transform and insert one range of audits, a page at a time; every page moves the cursor on the job."""
    shard = context.get_mapping_key()
    if shard is None:
        raise dg.Failure("This step runs once for each shard.", allow_retries=False)
    with _working(context, migrations) as (hold, source, job):
        work_through(hold, source, job, shard)


@dg.op(name="enrich", ins={"shards": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=POOL)
def enrich_associations(context: dg.OpExecutionContext, config: EnrichConfig, migrations: MigrationResource) -> None:
    """Fill missing references of link, unlink and resolved logs, the live feed's too; ambiguous ones are left alone."""
    with _working(context, migrations) as (hold, source, _):
        enrich(hold, source, hold.beat(phase="enrich"), tolerance_seconds=config.tolerance_seconds)


@dg.op(
    name="reconcile",
    ins={"enriched": dg.In(dg.Nothing)},
    out=dg.Out(dg.Nothing, is_required=False, description="The company's activity logs; nothing after a dry run."),
    pool=POOL,
)
def reconcile_logs(context: dg.OpExecutionContext, migrations: MigrationResource) -> Iterator[dg.Output[None]]:
    """Compare every audit with what is in the CDP, end the job, and show its figures."""
    with _working(context, migrations) as (hold, source, begun):
        dry_run = begun["dry_run"]
        job = begun if dry_run else compare_all(hold, source, hold.beat(phase="reconcile"))
        metadata = _finish(hold, job)
    if dry_run:
        # No materialization: nothing came to be. The report stands beside the asset as an observation.
        context.log_event(dg.AssetObservation(asset_key=ASSET_NAME, partition=context.partition_key, metadata=metadata))
        return
    yield dg.Output(None, metadata=metadata)


def _finish(hold: Hold, job: Document) -> dict[str, Any]:
    services = hold.services
    clean = job["records_failed"] == 0 and (job["dry_run"] or job["match_pct"] >= MATCH_PCT_AT_LEAST)
    status = COMPLETED if clean else COMPLETED_WITH_ERRORS
    if not conclude(services, hold.owned, status, request_id=hold.request_id, changes={"phase": "done"}):
        raise dg.Failure(f"{hold.label} the job was ended or taken over meanwhile.", allow_retries=False)
    ended = services.jobs.find(hold.owned.job_id, hold.owned.company_sso_id) or job
    seconds = round((services.now() - ended["started_at"]).total_seconds(), 3)
    logger.info(
        event_line(
            ACTIVITY_LOGS.completed_event,
            request_id=str(hold.request_id or hold.owned.job_id),
            company_sso_id=hold.owned.company_sso_id,
            job_id=hold.owned.job_id,
            cid=ended.get("cid"),
            migrated=ended["records_migrated"],
            skipped=sum(ended["records_skipped"].values()),
            failed=ended["records_failed"],
            match_pct=ended.get("match_pct"),
            seconds=seconds,
        )
    )
    return report_metadata(ended, seconds=seconds)


@contextmanager
def _working(context: dg.OpExecutionContext, migrations: MigrationResource) -> Iterator[tuple[Hold, Source, Document]]:
    """This run's job and source; whatever goes wrong inside ends the job as it must."""
    services = migrations.services(ACTIVITY_LOGS)
    hold, _ = held(context, services)
    with ending_badly(hold):
        source = Source(services, services.company(context.partition_key), hold.request_id)
        try:
            yield hold, source, hold.beat()
        finally:
            source.close()
