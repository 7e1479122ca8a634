"""The checks of one company evaluated again outside a migration's run, as after a replay, for the stewards to see.

The checks job compares again, so that it says what is now and not what a job once found; it reads only, and writes
nothing but the checks. A start that is refused lets the last job's figures stand.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.domain.migrations import IN_PROGRESS, ROLLED_BACK
from cdp_pipelines.pipelines.migrations.checks import Check, subject
from cdp_pipelines.pipelines.migrations.coverage import measure_coverage
from cdp_pipelines.pipelines.migrations.failed_lists import parts_now
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.migrations.reconcile import compare_again
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS

Document = dict[str, Any]


def checks_job(kind: MigrationKind, checks: Sequence[Check]) -> dg.JobDefinition:
    """The job that evaluates one company's checks anew."""

    # Not the asset checks themselves: Dagster 1.13 runs a job of nothing but checks without a partition.
    @dg.op(name=f"check_{kind.kind}", out=dg.Out(dg.Nothing))
    def check_company(context: dg.OpExecutionContext, migrations: MigrationResource) -> None:
        """Compare anew and evaluate each check, as a migration's own run does at its end."""
        services = migrations.services(kind)
        evaluate_checks(context, services, checks, compared_now(context, services))

    @dg.job(
        name=kind.checks_job,
        partitions_def=COMPANY_PARTITIONS,
        executor_def=dg.in_process_executor,
        description="Compares one company's CRM with its documents as they are now and evaluates the checks; reads "
        "only. `cdp migrate replay` does this by itself where it reaches Dagster.",
    )
    def job() -> None:
        check_company()

    return job


def compared_now(context: dg.OpExecutionContext, services: MigrationServices) -> Document:
    """The company's last job with what a comparison, a look at its people and at its failed parts find now.

    Raises:
        Failure: it was never migrated, is being migrated, or its CRM cannot be read.
    """
    job, _ = subject(services, context.partition_key)
    if job["status"] == IN_PROGRESS:
        raise dg.Failure("A run is working on this company; it evaluates the checks at its end.", allow_retries=False)
    if job["status"] == ROLLED_BACK or not job.get("planned"):
        return job
    company = services.company(context.partition_key)
    try:
        coverage = measure_coverage(services, company)
        source = services.kind.source(services, company, None)
        try:
            job = compare_again(source, job, services.kind.jobs.cursor)
        finally:
            source.close()
    except CdpError as exc:
        raise dg.Failure(f"The company could not be compared: {exc}", allow_retries=False) from exc
    notes = {**(job.get("notes") or {}), **parts_now(services, job)}
    return {**job, "notes": notes, **(coverage.as_document() if coverage else {})}


def let_stand(
    context: dg.OpExecutionContext, services: MigrationServices, checks: Sequence[Check]
) -> list[dg.AssetCheckEvaluation]:
    """Evaluations that say again what the company's last finished job found; none where there is no such job.

    Dagster plans the checks of an asset with every run of it, and shows those of a run that was refused as failed. They
    are for the step to yield: what a step logs is lost when it fails.
    """
    try:
        job = services.jobs.latest_finished(context.partition_key)
        return [] if job is None else _evaluations(context, services, checks, job)
    except CdpError as exc:
        context.log.warning("the checks were not evaluated again (%s)", exc.code)
        return []


def evaluate_checks(
    context: dg.OpExecutionContext, services: MigrationServices, checks: Sequence[Check], job: Document | None = None
) -> None:
    """Have these checks say what is of the company of this partition, by `job` or else by its last one."""
    last = job if job is not None else subject(services, context.partition_key)[0]
    for evaluation in _evaluations(context, services, checks, last):
        context.log_event(evaluation)  # type: ignore[arg-type]  # it is taken; the annotation has not followed


def _evaluations(
    context: dg.OpExecutionContext, services: MigrationServices, checks: Sequence[Check], job: Document
) -> list[dg.AssetCheckEvaluation]:
    documents = services.kind.documents(services.database, context.partition_key)
    found = [(check, check.evaluate(job, documents)) for check in checks]
    return [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(services.kind.asset),
            check_name=check.name,
            passed=result.passed,
            severity=result.severity,
            metadata=result.metadata,
            description=result.description,
            partition=context.partition_key,
        )
        for check, result in found
    ]
