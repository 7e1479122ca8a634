"""Taking a company's migrated activity logs out again: only `source_tag: crm_migration`, in batches, resumable."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.domain.migration_requests import ROLLBACK_PHASE
from cdp_pipelines.domain.migrations import ROLLED_BACK
from cdp_pipelines.pipelines.activity_logs.checks import EVALUATIONS, MATCH_CHECK
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS, ASSET_NAME, ROLLBACK_OP_NAME, RollbackConfig
from cdp_pipelines.pipelines.activity_logs.rechecking import evaluate_checks
from cdp_pipelines.pipelines.migrations.conclude import conclude
from cdp_pipelines.pipelines.migrations.hold import Hold, ending_badly
from cdp_pipelines.pipelines.migrations.intake import judge
from cdp_pipelines.pipelines.migrations.opening import open_rollback, read_order, refuse
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines.stores.activity_logs import ActivityLogs
from cdp_pipelines.stores.migrations.runner import Migrator


@dg.op(name=ROLLBACK_OP_NAME, out=dg.Out(dg.Nothing, is_required=False))
def roll_back_activity_logs(
    context: dg.OpExecutionContext, config: RollbackConfig, migrations: MigrationResource
) -> Iterator[dg.Output[None]]:
    """Delete the migrated activity logs of the company of this partition; a second rollback deletes nothing."""
    services = migrations.services(ACTIVITY_LOGS)
    Migrator(services.database).require_current()
    order = read_order(context, services, config.request_id, config.as_order())
    if order is None:
        return
    answer, _ = judge(services, order.document, instance=context.instance, run_id=context.run_id)
    if isinstance(answer, Rejected):
        raise refuse(services, order, answer)
    hold = open_rollback(context, services, order, answer.request)
    with ending_badly(hold):
        deleted = delete_all(hold, ActivityLogs(services.database, context.partition_key))
        job = hold.beat()
        for job_id in services.jobs.ids(context.partition_key):
            services.failures.forget(job_id, context.partition_key)
        total = int(job.get("records_rolled_back") or 0)
        # What the comparison found is gone with the documents.
        changes = {"phase": "done", "match_pct": None, "accuracy_pct": None, "reconciliation": None}
        if not conclude(services, hold.owned, ROLLED_BACK, request_id=hold.request_id, changes=changes):
            raise CdpError("OWNERSHIP_LOST", "The job was ended or taken over meanwhile.")
    context.log.info("%s %d documents deleted by this run, %d by this rollback", hold.label, deleted, total)
    metadata: dict[str, Any] = {
        "deleted": deleted,
        "deleted_in_all": total,
        "job_id": hold.owned.job_id,
        "status": ROLLED_BACK,
    }
    # Beside the asset's materializations, so that its page does not show a migration that is gone.
    context.log_event(dg.AssetObservation(asset_key=ASSET_NAME, partition=context.partition_key, metadata=metadata))
    evaluate_checks(context, services, [check for check in EVALUATIONS if check.name == MATCH_CHECK])
    yield dg.Output(None, metadata=metadata)


def delete_all(hold: Hold, logs: ActivityLogs) -> int:
    """Delete in batches, renewing the lease with each; what an interrupted rollback deleted stays deleted."""
    deleted = 0
    after: int | None = 0
    job = hold.beat(phase=ROLLBACK_PHASE)
    before = int(job.get("records_rolled_back") or 0)
    while after is not None:
        number, after = logs.delete_some(after=after)
        deleted += number
        if number:
            hold.beat(records_rolled_back=before + deleted)
    while number := logs.delete_others():
        deleted += number
        hold.beat(records_rolled_back=before + deleted)
    return deleted
