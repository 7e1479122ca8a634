"""How a run comes by its job: the request, the guards, and a new job or one to go on with."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import OUTAGES, CdpError, is_outage
from cdp_pipelines.domain.migration_requests import ROLLBACK_PHASE, MigrationOptions, MigrationRequest
from cdp_pipelines.domain.migrations import CANCELED, COMPLETED_WITH_ERRORS, FAILED, IN_PROGRESS, RESUMABLE, ROLLED_BACK
from cdp_pipelines.pipelines.migrations.conclude import end_request, error_of, reject, take_up_again, write_end
from cdp_pipelines.pipelines.migrations.coverage import Coverage
from cdp_pipelines.pipelines.migrations.hold import Hold, outcomes_of
from cdp_pipelines.pipelines.migrations.intake import judge
from cdp_pipelines.pipelines.migrations.kinds import TAG_REQUEST
from cdp_pipelines.pipelines.migrations.patience import outwaiting
from cdp_pipelines.pipelines.migrations.runs import dead_owner
from cdp_pipelines.pipelines.migrations.services import MigrationServices, SharedServices
from cdp_pipelines.pipelines.runs import end_dead_run
from cdp_pipelines.stores.migration_jobs import Owned
from cdp_pipelines.stores.migration_requests import OUTAGE

logger = logging.getLogger(__name__)

Document = dict[str, Any]
ALREADY_RUNNING = Rejected("JOB_ALREADY_RUNNING", 409, "Another run is working on this company's migration.")


@dataclass(frozen=True, slots=True)
class Order:
    """What a run was told to do: the request document, or what stands for it when ops launched from the UI."""

    document: Document
    request_id: object = None


def read_order(
    context: dg.OpExecutionContext, services: MigrationServices, request_id: str, from_config: Mapping[str, Any]
) -> Order | None:
    """The request that the run works on, now in processing, or an order made of the run's config.

    None: there is nothing to do, because the request has ended.
    """
    company = context.partition_key
    wanted = request_id or context.run.tags.get(TAG_REQUEST, "")
    if not wanted:
        return Order({"company_sso_id": company, **from_config})
    identifier = services.requests.identifier(wanted, company)
    if identifier is None:
        raise dg.Failure(
            f"The company of this partition has no migration request {wanted}. Check the id and the partition.",
            allow_retries=False,
        )
    document = services.requests.begin(identifier, company, context.run_id, now=services.now())
    if document is None:
        context.log.info("[%s] nothing to do: the request has ended", wanted)
        return None
    if _settled_by_its_job(services, company, identifier, document):
        context.log.info("[%s] nothing to do: an earlier run of this request had ended its job", wanted)
        return None
    if document.get("cancel_requested") is True:
        services.requests.end(identifier, company, CANCELED, now=services.now())
        raise dg.Failure(f"[{wanted}] canceled on request before it began.", allow_retries=False)
    return Order(document, identifier)


def _settled_by_its_job(
    services: MigrationServices, company_sso_id: str, request_id: object, request: Mapping[str, Any]
) -> bool:
    """End a request whose job had ended when its run died, as the job says. Not one that is to be taken up again."""
    job = services.jobs.of_request(company_sso_id, request_id)
    if job is None or job["status"] == IN_PROGRESS:
        return False
    if (request.get("put_back") or {}).get(OUTAGE) and (job.get("error") or {}).get("code") in OUTAGES:
        return False
    end_request(services, company_sso_id, request_id, job, job["status"], error_of(job))
    return True


def refuse(services: MigrationServices, order: Order, rejected: Rejected) -> dg.Failure:
    """End the request as rejected; the run fails with the reason, for ops to read."""
    if order.request_id is not None:
        reject(services, order.document, rejected)
    return dg.Failure(
        f"{rejected.code}: {rejected.message}",
        metadata={"code": rejected.code, "http_status": rejected.http_status},
        allow_retries=False,
    )


def fail_before_opening(context: dg.AssetExecutionContext, services: SharedServices, error: CdpError) -> dg.Failure:
    """End the run's request, if a request asked for it, because of what went wrong before there was a job."""
    company, wanted = context.partition_key, context.run.tags.get(TAG_REQUEST, "")
    if wanted:
        try:
            identifier = services.requests.identifier(wanted, company)
            if is_outage(error) and take_up_again(services, company, identifier):
                return dg.Failure(f"[{wanted}] {error} It is launched again.", allow_retries=False)
            write_end(services, company, identifier, FAILED, error=error)
        except CdpError as exc:
            # The sweeper ends it once MongoDB is back.
            logger.warning("[%s] the request could not be ended (%s)", wanted, exc.code)
    return dg.Failure(f"[{wanted}] {error}" if wanted else str(error), allow_retries=False)


def open_start(context: dg.OpExecutionContext, services: MigrationServices, order: Order) -> Hold:
    """Pass the guards and take the job: a new one, or the latest to go on with.

    Raises:
        Failure: a guard refused, or another run was quicker.
    """
    request, coverage = pass_guards(context, services, order)
    owned = _take(context, services, order, request, coverage)
    if owned is None:
        raise refuse(services, order, ALREADY_RUNNING)
    return Hold(services, owned, order.request_id)


def pass_guards(
    context: dg.OpExecutionContext, services: MigrationServices, order: Order
) -> tuple[MigrationRequest, Coverage | None]:
    """The request in its parsed form, and the coverage measured for it.

    Raises:
        Failure: a guard refused, or could not ask.
    """
    try:
        answer, coverage = outwaiting(
            services.patience_seconds(),
            lambda: judge(
                services, order.document, instance=context.instance, run_id=context.run_id, coverage_seconds=None
            ),
        )
    except CdpError as exc:
        end_request(services, context.partition_key, order.request_id, {}, FAILED, exc)
        raise dg.Failure(str(exc), allow_retries=False) from exc
    if isinstance(answer, Rejected):
        raise refuse(services, order, answer)
    return answer.request, coverage


def _take(
    context: dg.OpExecutionContext,
    services: MigrationServices,
    order: Order,
    request: MigrationRequest,
    coverage: Coverage | None,
) -> Owned | None:
    company, run_id = context.partition_key, context.run_id
    last = services.jobs.latest(company, dry_runs=False)
    from_the_start = request.options.dry_run or request.options.force
    if last is not None and order.request_id is not None and last.get("request_id") == order.request_id:
        # This request's own job, which an outage broke off: going on is not starting anew.
        from_the_start = False
    if last is not None and not from_the_start and may_go_on(services, last, request.options):
        return go_on(context, services, order.request_id, last, coverage)
    # A dead run's job that nobody goes on with would be in progress for ever, and bar the new one.
    left = services.jobs.active(company)
    if left is not None and not _set_aside(context, services, left):
        return None
    facts: Document = {
        "cid": services.company(company).cid,
        "requested_by": request.requested_by,
        "request_id": order.request_id,
        "run_id": run_id,
        "dry_run": request.options.dry_run,
        "options": request.options.as_document(),
        "phase": "plan",
        "starts": 1,
        **(coverage.as_document() if coverage else {}),
    }
    return services.jobs.open_new(company, run_id, facts, now=services.now())


def may_go_on(services: MigrationServices, last: Document, options: MigrationOptions) -> bool:
    """Whether a start goes on with the company's last job: one that stopped half-way, or that ended with errors.

    Then failed rows are taken from the quarantine, so it must hold all of them still. A job that ended with errors is
    gone on with only if new rows and failed ones are all there is to do: not for another range of dates, and not where
    rows were missing that had not failed. Otherwise a new job looks at everything.
    """
    if last.get("phase") == ROLLBACK_PHASE or last["status"] not in {*RESUMABLE, COMPLETED_WITH_ERRORS}:
        return False
    failed = int(last.get("records_failed") or 0)
    if services.failures.count_rows(last["_id"], last["company_sso_id"]) < failed:
        return False
    if last["status"] in RESUMABLE:
        return True
    missing = int((last.get("reconciliation") or {}).get("missing") or 0)
    same_range = (last.get("options") or {}).get("date_range_start") == options.date_range_start
    return bool(last.get("planned")) and same_range and missing <= failed


def go_on(
    context: dg.OpExecutionContext,
    services: MigrationServices,
    request_id: object,
    last: Document,
    coverage: Coverage | None,
) -> Owned | None:
    """Take over a job that stopped half-way; None when it moved on, or its owner lives."""
    changes: Document = {
        "run_id": context.run_id,
        "request_id": request_id,
        # What failed before ops looked into it must not halt the job again (see `domain.migrations.halts`).
        "guard_base": outcomes_of(last),
        "retake": True,
        "taken_up": {"from": last["status"]},
        "starts": int(last.get("starts") or 1) + 1,
        **(coverage.as_document() if coverage else {}),
    }
    if last["status"] == COMPLETED_WITH_ERRORS:
        changes |= {"phase": "plan", "extend": True, "match_pct": None, "accuracy_pct": None, "validation": None}
        changes["reconciliation"] = None
        if last.get("enrichment"):
            changes["enrichment.done"] = False
    context.log.info("going on with job %s, which %s", last["_id"], last["status"].replace("_", " "))
    return _taken_over(context, services, last, changes)


def _taken_over(
    context: dg.OpExecutionContext, services: MigrationServices, job: Document, changes: Mapping[str, Any]
) -> Owned | None:
    """Take a job that has no living owner; a run that held it and is dead ends in Dagster too."""
    owned = services.jobs.reopen(
        job, context.run_id, changes, now=services.now(), take_over_from=dead_owner(context.instance, job)
    )
    owner = (job.get("lease") or {}).get("owner_run_id")
    if owned is not None and owner != context.run_id:
        end_dead_run(context.instance, owner)
    return owned


def _set_aside(context: dg.OpExecutionContext, services: MigrationServices, left: Document) -> bool:
    owned = _taken_over(context, services, left, {})
    if owned is None:
        return False
    note = {"error": {"code": "SUPERSEDED", "message": "Its run died and another job was started.", "details": {}}}
    return services.jobs.end(owned, FAILED, note, now=services.now())


def open_rollback(
    context: dg.OpExecutionContext, services: MigrationServices, order: Order, request: MigrationRequest
) -> Hold:
    """Take the company's latest job, or a new one where there is none, for the time of a rollback.

    Raises:
        Failure: another run was quicker.
    """
    company, run_id, now = context.partition_key, context.run_id, services.now()
    left, last = services.jobs.active(company), services.jobs.latest(company)
    owned: Owned | None
    if left is not None and (last is None or left["_id"] != last["_id"]) and not _set_aside(context, services, left):
        raise refuse(services, order, ALREADY_RUNNING)
    facts: Document = {"run_id": run_id, "request_id": order.request_id, "phase": ROLLBACK_PHASE}
    if last is None:
        more: Document = {
            "cid": None,
            "requested_by": request.requested_by,
            "dry_run": False,
            "options": {},
            "starts": 1,
        }
        owned = services.jobs.open_new(company, run_id, {**facts, **more}, now=now)
    else:
        if last.get("phase") != ROLLBACK_PHASE:
            facts["records_to_roll_back"] = None
            # What an earlier rollback of this job took out stays told.
            if last["status"] != ROLLED_BACK:
                facts["records_rolled_back"] = 0
        owned = _taken_over(context, services, last, facts)
    if owned is None:
        raise refuse(services, order, ALREADY_RUNNING)
    return Hold(services, owned, order.request_id)
