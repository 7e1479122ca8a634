"""A step's hold on its company's job, also in a run that re-executes another from its failed step.

Dagster starts a crashed run again from the step that crashed, and ops do the same in the UI. Such a run does not pass
`gates`, which its parent had passed, so its first step passes the guards and takes the job over here.
"""

from typing import Any, Final

import dagster as dg

from cdp_pipelines.domain.migration_requests import ROLLBACK_PHASE
from cdp_pipelines.domain.migrations import RESUMABLE
from cdp_pipelines.pipelines.migrations.hold import Hold
from cdp_pipelines.pipelines.migrations.opening import ALREADY_RUNNING, Order, go_on, pass_guards, refuse
from cdp_pipelines.pipelines.migrations.services import MigrationServices
from cdp_pipelines.stores.migration_jobs import Owned

Document = dict[str, Any]

# Dagster's own tag on a run that it started again by itself; see its documentation on run retries.
_RETRY_NUMBER: Final = "dagster/retry_number"


def held(context: dg.OpExecutionContext, services: MigrationServices) -> tuple[Hold, Document]:
    """This run's hold on its company's job, in a step after `gates`.

    Raises:
        Failure: the job is not this run's, and it may not go on with it.
    """
    job = _own_job(context, services)
    if job is None and context.run.parent_run_id is not None:
        job = _job_of_parent(context, services)
    if job is None:
        raise dg.Failure("The job was ended or taken over while this run was working on it.", allow_retries=False)
    return Hold(services, Owned(job["_id"], context.partition_key, context.run_id), job.get("request_id")), job


def _own_job(context: dg.OpExecutionContext, services: MigrationServices) -> Document | None:
    job = services.jobs.active(context.partition_key)
    owner = ((job or {}).get("lease") or {}).get("owner_run_id")
    return job if owner == context.run_id else None


def _job_of_parent(context: dg.OpExecutionContext, services: MigrationServices) -> Document | None:
    """The job of the run that this one goes on with, now this one's.

    Shards start side by side, so another step of this run may take the job at any moment in here, which is as good, or
    may have ended it already, as a shard does that halts: None then.
    """
    last = services.jobs.latest(context.partition_key, dry_runs=True)
    if not _is_of_this_run(context, last):
        try:
            _take_from_parent(context, services, last)
        except dg.Failure:
            if not _is_of_this_run(context, services.jobs.latest(context.partition_key, dry_runs=True)):
                raise
    return _own_job(context, services)


def _is_of_this_run(context: dg.OpExecutionContext, job: Document | None) -> bool:
    return job is not None and job.get("run_id") == context.run_id


def _take_from_parent(context: dg.OpExecutionContext, services: MigrationServices, last: Document | None) -> None:
    company, run = context.partition_key, context.run
    if last is None or last.get("run_id") not in {run.parent_run_id, run.root_run_id}:
        raise dg.Failure(
            "Another run has worked on this company since. Start the company again instead of this run.",
            allow_retries=False,
        )
    if last["status"] not in RESUMABLE or last.get("phase") == ROLLBACK_PHASE:
        raise dg.Failure(f"There is nothing to go on with: the job is {last['status']}.", allow_retries=False)
    order = Order(
        {
            "company_sso_id": company,
            "action": "start",
            "requested_by": last.get("requested_by"),
            "options": last["options"],
        },
        _open_request(context, services, last.get("request_id")),
    )
    _, coverage = pass_guards(context, services, order)
    if go_on(context, services, order.request_id, last, coverage) is not None:
        return
    if not _is_of_this_run(context, services.jobs.latest(company, dry_runs=True)):
        raise refuse(services, order, ALREADY_RUNNING)


def _open_request(context: dg.OpExecutionContext, services: MigrationServices, request_id: object) -> object:
    """The request if it is open still. One that has ended stays so, and only people go on with its job then."""
    if request_id is None:
        return None
    if services.requests.begin(request_id, context.partition_key, context.run_id, now=services.now()) is not None:
        return request_id
    if _RETRY_NUMBER in context.run.tags:
        raise dg.Failure(f"[{request_id}] nothing to do: the request has ended.", allow_retries=False)
    return None
