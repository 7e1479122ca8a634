"""The checks of one company evaluated again outside a migration's run, as after a replay, for the stewards to see."""

from collections.abc import Sequence

import dagster as dg

from cdp_pipelines.pipelines.migrations.checks import Check, subject
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS


def checks_job(kind: MigrationKind, checks: Sequence[Check]) -> dg.JobDefinition:
    """The job that evaluates one company's checks anew."""

    # Not the asset checks themselves: Dagster 1.13 runs a job of nothing but checks without a partition.
    @dg.op(name=f"check_{kind.kind}", out=dg.Out(dg.Nothing))
    def check_company(context: dg.OpExecutionContext, migrations: MigrationResource) -> None:
        """Evaluate each check from the company's last job, as a migration's own run does at its end."""
        evaluate_checks(context, migrations.services(kind), checks)

    @dg.job(
        name=kind.checks_job,
        partitions_def=COMPANY_PARTITIONS,
        executor_def=dg.in_process_executor,
        description="Evaluates one company's checks anew from its last migration, and nothing else. `cdp migrate "
        "replay` does this by itself where it reaches Dagster.",
    )
    def job() -> None:
        check_company()

    return job


def evaluate_checks(context: dg.OpExecutionContext, services: MigrationServices, checks: Sequence[Check]) -> None:
    """Have these checks say what is now of the company of this partition."""
    job, documents = subject(services, context.partition_key)
    for check in checks:
        result = check.evaluate(job, documents)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(services.kind.asset),
            check_name=check.name,
            passed=result.passed,
            severity=result.severity,
            metadata=result.metadata,
            partition=context.partition_key,
        )
        context.log_event(evaluation)  # type: ignore[arg-type]  # it is taken; the annotation has not followed
