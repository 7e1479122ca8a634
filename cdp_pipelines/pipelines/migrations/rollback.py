"""Taking a company's migrated documents out again, and nothing else, in batches, resumable."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.domain.migration_requests import ROLLBACK_PHASE
from cdp_pipelines.domain.migrations import ROLLED_BACK
from cdp_pipelines.pipelines.migrations.checks import MATCH_CHECK, Check
from cdp_pipelines.pipelines.migrations.conclude import conclude
from cdp_pipelines.pipelines.migrations.config import RollbackConfig
from cdp_pipelines.pipelines.migrations.hold import Hold, ending_badly
from cdp_pipelines.pipelines.migrations.intake import judge
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.opening import open_rollback, read_order, refuse
from cdp_pipelines.pipelines.migrations.patience import patiently
from cdp_pipelines.pipelines.migrations.rechecking import evaluate_checks
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS
from cdp_pipelines.stores.migrated_documents import MigratedDocuments
from cdp_pipelines.stores.migration_jobs import DEGRADED_ROWS, FAILED_PARTS
from cdp_pipelines.stores.migrations.runner import Migrator


def rollback_job(kind: MigrationKind, checks: Sequence[Check]) -> dg.JobDefinition:
    """The job that deletes a company's migrated documents."""

    @dg.op(name=kind.rollback_op, out=dg.Out(dg.Nothing, is_required=False))
    def roll_back(
        context: dg.OpExecutionContext, config: RollbackConfig, migrations: MigrationResource
    ) -> Iterator[dg.Output[None]]:
        """Delete what the migration wrote for the company of this partition; a second rollback deletes nothing."""
        services = migrations.services(kind)
        Migrator(services.database).require_current()
        order = read_order(context, services, config.request_id, config.as_order())
        if order is None:
            return
        answer, _ = judge(services, order.document, instance=context.instance, run_id=context.run_id)
        if isinstance(answer, Rejected):
            raise refuse(services, order, answer)
        hold = open_rollback(context, services, order, answer.request)
        metadata = _roll_back(context, hold)
        # Beside the asset's materializations, so that its page does not show a migration that is gone.
        context.log_event(dg.AssetObservation(asset_key=kind.asset, partition=context.partition_key, metadata=metadata))
        evaluate_checks(context, services, [check for check in checks if check.name == MATCH_CHECK])
        yield dg.Output(None, metadata=metadata)

    @dg.job(
        name=kind.rollback_job,
        partitions_def=COMPANY_PARTITIONS,
        executor_def=dg.in_process_executor,
        description=f"Takes a company's {kind.title} back: deletes what it wrote, and nothing else. Needs its "
        "company_sso_id typed into `confirm`.",
    )
    def job() -> None:
        roll_back()

    return job


def _roll_back(context: dg.OpExecutionContext, hold: Hold) -> Mapping[str, Any]:
    services = hold.services
    with ending_badly(hold):
        documents = services.kind.documents(services.database, context.partition_key)
        deleted = patiently(hold, hold.beat(), lambda _: delete_all(hold, documents))
        job = hold.beat()
        for job_id in services.jobs.ids(context.partition_key):
            services.failures.forget(job_id, context.partition_key)
        services.failures.forget_parts(context.partition_key)
        total = int(job.get("records_rolled_back") or 0)
        # What the comparison found is gone with the documents, and so is what they lacked.
        changes: dict[str, Any] = {"phase": "done", "match_pct": None, "accuracy_pct": None, "reconciliation": None}
        changes |= {"records_to_roll_back": None, DEGRADED_ROWS: [], FAILED_PARTS: []}
        for name in (services.kind.degraded_reason, services.kind.failed_parts_note):
            if name is not None and (job.get("notes") or {}).get(name):
                changes[f"notes.{name}"] = 0
        if not conclude(services, hold.owned, ROLLED_BACK, request_id=hold.request_id, changes=changes):
            raise CdpError("OWNERSHIP_LOST", "The job was ended or taken over meanwhile.")
    context.log.info("%s %d documents deleted by this run, %d by this rollback", hold.label, deleted, total)
    return {"deleted": deleted, "deleted_in_all": total, "job_id": hold.owned.job_id, "status": ROLLED_BACK}


def delete_all(hold: Hold, documents: MigratedDocuments) -> int:
    """Delete in batches, renewing the lease with each; what an interrupted rollback deleted stays deleted.

    What hangs on documents, such as a note's files, goes before them: a rollback that dies in between finds it again.
    """
    services, hanging = hold.services, hold.services.kind.hanging
    fields = () if hanging is None else hanging.fields
    deleted = after = 0
    before = _gone_before(hold, documents)
    while batch := documents.doomed(after=after, fields=fields):
        deleted += _delete(services, documents, batch)
        after = documents.row_id_of(batch[-1]["_id"])
        hold.beat(records_rolled_back=before + deleted)
    while batch := documents.doomed_others(fields=fields):
        deleted += _delete(services, documents, batch)
        hold.beat(records_rolled_back=before + deleted)
    if hanging is not None:
        hanging.sweep(services, documents.company_sso_id)
    return deleted


def _gone_before(hold: Hold, documents: MigratedDocuments) -> int:
    """How many documents rollbacks of this job have taken out so far, told by what is gone and not by what was said.

    The first try counts what there is (`records_to_roll_back`); one that was killed between deleting and saying so is
    then found out by counting again.
    """
    job = hold.beat(phase=ROLLBACK_PHASE)
    there, told = documents.count_all(), int(job.get("records_rolled_back") or 0)
    if job.get("records_to_roll_back") is None:
        hold.beat(records_to_roll_back=told + there, records_rolled_back=told)
        return told
    # More than was counted: another loader wrote meanwhile.
    gone = max(int(job["records_to_roll_back"]) - there, told)
    hold.beat(records_to_roll_back=gone + there, records_rolled_back=gone)
    return gone


def _delete(services: MigrationServices, documents: MigratedDocuments, batch: Sequence[Mapping[str, Any]]) -> int:
    if services.kind.hanging is not None:
        services.kind.hanging.delete(services, documents.company_sso_id, batch)
    return documents.delete(batch)
