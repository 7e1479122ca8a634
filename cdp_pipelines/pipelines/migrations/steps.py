"""The steps that every migration has: gates -> plan_shards -> migrate_shard (each) -> … -> reconcile.

No value passes between them: the job document in MongoDB holds all there is to know, so they run in one process or on
any executor, and after a restart. Made for one kind of migration each, because Dagster wants every op's name once.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.domain.migrations import COMPLETED_WITH_ERRORS, MATCH_PCT_AT_LEAST
from cdp_pipelines.pipelines.migrations.checks import Check
from cdp_pipelines.pipelines.migrations.conclude import conclude
from cdp_pipelines.pipelines.migrations.config import POOL, StartConfig
from cdp_pipelines.pipelines.migrations.degraded import settle_degraded
from cdp_pipelines.pipelines.migrations.failed_lists import parts_anew
from cdp_pipelines.pipelines.migrations.hold import Hold, counts_of, ending_badly
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.opening import open_start, read_order
from cdp_pipelines.pipelines.migrations.paging import finish_shards, plan
from cdp_pipelines.pipelines.migrations.paging import migrate_shard as work_through
from cdp_pipelines.pipelines.migrations.patience import outwaiting, patiently
from cdp_pipelines.pipelines.migrations.rechecking import let_stand
from cdp_pipelines.pipelines.migrations.reconcile import has_nothing_to_compare
from cdp_pipelines.pipelines.migrations.reconcile import reconcile as compare_all
from cdp_pipelines.pipelines.migrations.reexecution import held
from cdp_pipelines.pipelines.migrations.report import report_metadata
from cdp_pipelines.pipelines.migrations.retaking import retake
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.pipelines.migrations.source import MigrationSource
from cdp_pipelines.pipelines.migrations.users import memory_of_run
from cdp_pipelines.stores.migrations.runner import Migrator

logger = logging.getLogger(__name__)

Document = dict[str, Any]

VALIDATION_SKIPPED: Final = "VALIDATION_SKIPPED"
CRM_CODES: Final = "CRM_"
"""How the codes of the CRM's outages begin."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The ops of one migration, to be wired in its graph under these names."""

    gates: dg.OpDefinition
    plan_shards: dg.OpDefinition
    migrate_shard: dg.OpDefinition
    reconcile: dg.OpDefinition

    def migrated(self, coverage: Any) -> Any:
        """Wire all but the last step; what comes out is there once every shard is done."""
        opened = self.gates.alias("gates")(coverage)
        shards = self.plan_shards.alias("plan_shards")(opened)
        return shards.map(self.migrate_shard.alias("migrate_shard")).collect()

    def reconciled(self, done: Any) -> Any:
        """Wire the last step."""
        return self.reconcile.alias("reconcile")(done)


def steps_of(kind: MigrationKind, checks: Sequence[Check]) -> Steps:
    """The steps of one kind of migration, which has these checks."""
    return Steps(_gates(kind, checks), _plan_shards(kind), _migrate_shard(kind), _reconcile(kind))


def _gates(kind: MigrationKind, checks: Sequence[Check]) -> dg.OpDefinition:
    @dg.op(
        name=f"{kind.kind}_gates",
        ins={"coverage": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing, is_required=False, description="Go on; nothing when there is nothing to do."),
    )
    def gates(
        context: dg.OpExecutionContext, config: StartConfig, migrations: MigrationResource
    ) -> Iterator[dg.Output[None] | dg.AssetCheckEvaluation]:
        """Flag, lease, coverage: whether this company may be migrated now. Opens its job, or goes on with the last."""
        services = migrations.services(kind)
        Migrator(services.database).require_current()
        order = read_order(context, services, config.request_id, config.as_order())
        if order is None:
            return
        try:
            hold = open_start(context, services, order)
        except dg.Failure:
            yield from let_stand(context, services, checks)
            raise
        context.log.info("%s works on job %s", hold.label, hold.owned.job_id)
        yield dg.Output(None)

    return gates


def _plan_shards(kind: MigrationKind) -> dg.OpDefinition:
    @dg.op(name=f"{kind.kind}_plan_shards", ins={"go": dg.In(dg.Nothing)}, out=dg.DynamicOut(dg.Nothing), pool=POOL)
    def plan_shards(context: dg.OpExecutionContext, migrations: MigrationResource) -> Iterator[dg.DynamicOutput[None]]:
        """Look over the rows and split their ids into ranges; a job that goes on has its ranges and cursors already."""
        with working(context, migrations, kind) as (hold, source, job):
            names = patiently(hold, job, lambda job: plan(hold, source, take_up(hold, source, job)))
        for name in names:
            yield dg.DynamicOutput(None, mapping_key=name)

    return plan_shards


def _migrate_shard(kind: MigrationKind) -> dg.OpDefinition:
    @dg.op(name=f"{kind.kind}_migrate_shard", ins={"go": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=POOL)
    def migrate_shard(context: dg.OpExecutionContext, migrations: MigrationResource) -> None:
        """Read, transform and insert one range of rows, a page at a time; every page moves the cursor on the job."""
        shard = context.get_mapping_key()
        if shard is None:
            raise dg.Failure("This step runs once for each shard.", allow_retries=False)
        with working(context, migrations, kind) as (hold, source, job):
            patiently(hold, job, lambda job: work_through(hold, source, job, shard))

    return migrate_shard


def _reconcile(kind: MigrationKind) -> dg.OpDefinition:
    @dg.op(
        name=f"{kind.kind}_reconcile",
        ins={"done": dg.In(dg.Nothing)},
        out=dg.Out(dg.Nothing, is_required=False, description="The company's documents; nothing after a dry run."),
        pool=POOL,
    )
    def reconcile(context: dg.OpExecutionContext, migrations: MigrationResource) -> Iterator[dg.Output[None]]:
        """Compare every row with what is in the CDP, end the job, and show its figures."""
        with working(context, migrations, kind) as (hold, source, begun):
            dry_run = begun["dry_run"]
            if not dry_run:
                finish_shards(hold, source, begun)
            job = begun if dry_run else _compared(hold, source)
            metadata = _finish(hold, job)
        if dry_run:
            # No materialization: nothing came to be. The report stands beside the asset as an observation.
            context.log_event(
                dg.AssetObservation(asset_key=kind.asset, partition=context.partition_key, metadata=metadata)
            )
            return
        yield dg.Output(None, metadata=metadata)

    return reconcile


def take_up(hold: Hold, source: MigrationSource, job: Document) -> Document:
    """What failed in an earlier run of the job is tried first, once; `taken_up` on the job tells how much it was."""
    if not job.get("retake") or job["dry_run"]:
        return job
    job, retaken = retake(hold, source)
    told = {
        **(job.get("taken_up") or {}), "failed": retaken.looked_at, "parts": retaken.parts,
        "people": retaken.people_looked_at, "arrived": retaken.migrated,
    }  # fmt: skip
    logger.info("%s took up what had failed: %s", hold.label, told)
    return hold.beat(taken_up=told)


def _compared(hold: Hold, source: MigrationSource) -> Document:
    job = hold.beat(phase="reconcile")
    kind, force = hold.services.kind, job["options"].get("force") is True
    # A run that was executed again from a shard has not passed the plan, which does this as a rule.
    if job.get("retake"):
        job = patiently(hold, job, lambda job: take_up(hold, source, job))
        if (after := kind.after_replay) is not None:
            job = patiently(hold, job, lambda job: after(hold, source, job))
    if parts := parts_anew(hold, job):
        job = hold.beat(**parts)
    if force and patiently(hold, job, lambda _: settle_degraded(hold, source)).looked_at:
        job = hold.beat(**parts_anew(hold, hold.beat()))
    try:
        return patiently(hold, job, lambda job: compare_all(hold, source, job, mend=force))
    except TransientFailure as exc:
        if not (kind.validation_may_be_skipped and exc.code.startswith(CRM_CODES)):
            raise
        logger.warning("%s %s: %s", hold.label, VALIDATION_SKIPPED, exc)
        return hold.beat(match_pct=None, validation={"code": VALIDATION_SKIPPED, "cause": exc.code})


def _finish(hold: Hold, job: Document) -> dict[str, Any]:
    services, kind = hold.services, hold.services.kind
    status = ended_well(kind, job)
    if not conclude(services, hold.owned, status, request_id=hold.request_id, changes={"phase": "done"}):
        raise dg.Failure(f"{hold.label} the job was ended or taken over meanwhile.", allow_retries=False)
    ended = services.jobs.find(hold.owned.job_id, hold.owned.company_sso_id) or job
    seconds = round((services.now() - ended["started_at"]).total_seconds(), 3)
    logger.info(
        event_line(
            kind.completed_event,
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
    return report_metadata(kind, ended, seconds=seconds)


def ended_well(kind: MigrationKind, job: Document) -> str:
    """The status of a job that went to its end.

    More failures than a job may have are errors also where there were too few rows for it to halt. Where there is
    nothing to compare nothing is wrong; the check says that it has no share to show.
    """
    limit = 0.0 if kind.failures_are_errors else kind.halt_limit
    within = counts_of(job).failure_rate <= limit
    matches = job["dry_run"] or has_nothing_to_compare(job) or (job.get("match_pct") or 0.0) >= MATCH_PCT_AT_LEAST
    clean = within and matches
    return kind.completed_status if clean else COMPLETED_WITH_ERRORS


def _source(hold: Hold) -> MigrationSource:
    services, company = hold.services, hold.owned.company_sso_id
    return services.kind.source(services, services.company(company), hold.request_id)


@contextmanager
def working(
    context: dg.OpExecutionContext, migrations: MigrationResource, kind: MigrationKind
) -> Iterator[tuple[Hold, MigrationSource, Document]]:
    """This run's job and source; whatever goes wrong inside ends the job as it must."""
    services = migrations.services(kind)
    patience = services.patience_seconds()
    hold, _ = outwaiting(patience, lambda: held(context, services))
    services.user_memory = memory_of_run(context.partition_key, context.run_id)
    with ending_badly(hold):
        source = outwaiting(patience, lambda: _source(hold))
        try:
            yield hold, source, outwaiting(patience, hold.beat)
        finally:
            source.close()
