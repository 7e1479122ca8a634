"""The checks of one company evaluated again outside a migration's run, as after a replay, for the stewards to see."""

from collections.abc import Sequence

import dagster as dg

from cdp_pipelines.pipelines.activity_logs.checks import EVALUATIONS, Check, subject
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS, ASSET_NAME
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices


# Not the asset checks themselves: Dagster 1.13 runs a job of nothing but checks without a partition.
@dg.op(out=dg.Out(dg.Nothing))
def check_activity_logs(context: dg.OpExecutionContext, migrations: MigrationResource) -> None:
    """Evaluate each check from the company's last job, as a migration's own run does at its end."""
    evaluate_checks(context, migrations.services(ACTIVITY_LOGS), EVALUATIONS)


def evaluate_checks(context: dg.OpExecutionContext, services: MigrationServices, checks: Sequence[Check]) -> None:
    """Have these checks say what is now of the company of this partition."""
    job, logs = subject(services, context.partition_key)
    for check in checks:
        result = check.evaluate(job, logs)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(ASSET_NAME),
            check_name=check.name,
            passed=result.passed,
            metadata=result.metadata,
            partition=context.partition_key,
        )
        context.log_event(evaluation)  # type: ignore[arg-type]  # it is taken; the annotation has not followed
