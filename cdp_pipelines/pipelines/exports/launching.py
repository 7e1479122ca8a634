"""One tick of a queue's sensor: waiting -> claim -> judge -> one run each, or refused."""

import uuid
from collections.abc import Iterable

import dagster as dg

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.errors import ConfigurationError, TransientFailure
from cdp_pipelines.domain.people_words import all_in_language
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.pipelines.exports.config import MOST_LAUNCHES_A_TICK, TAG_COMPANY, TAG_REQUEST, TAG_REQUESTED_BY
from cdp_pipelines.pipelines.exports.kinds import Document, ExportKind, ServicesT, tell_of_acceptance
from cdp_pipelines.pipelines.exports.runs import runs_of
from cdp_pipelines.pipelines.exports.setting_aside import set_aside_harmful, set_aside_unreadable, tell_if_unreadable
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS
from cdp_pipelines.stores.export_queue import was_put_back
from cdp_pipelines.stores.migrations.runner import Migrator


def launch_waiting(
    context: dg.SensorEvaluationContext,
    kind: ExportKind[ServicesT],
    services: ServicesT,
    budget: Budget | None = None,
) -> dg.SensorResult | dg.SkipReason:
    """One bounded read of the queue, one claim and one judgement a request, until the tick's time is spent.

    Raises:
        ConfigurationError: index migrations are missing.
        CdpError: MongoDB is away.
    """
    Migrator(services.database).require_current()
    requests: list[dg.RunRequest] = []
    rejected, budget = 0, budget or Budget()
    waiting = services.jobs.waiting(now=services.now(), limit=MOST_LAUNCHES_A_TICK)
    for unreadable in waiting.unreadable:
        set_aside_unreadable(services, unreadable)
    for document in waiting:
        if budget.spent():
            context.log.info("this tick's time is spent; what is left waits for the next")
            break
        try:
            answer = _take_in(context, kind, services, document)
        except (TransientFailure, ConfigurationError) as exc:
            # What was claimed so far must be launched; the rest stays in the queue for the next tick.
            context.log.warning("stopped after %d requests: %s", len(requests) + rejected, exc)
            break
        except Exception as exc:  # noqa: BLE001 - whatever a document holds, its neighbours go on
            context.log.warning(set_aside_harmful(services, document, exc))
            continue
        if isinstance(answer, dg.RunRequest):
            requests.append(answer)
        elif isinstance(answer, Rejected):
            rejected += 1
    if not requests:
        return dg.SkipReason(f"Nothing to launch; {rejected} rejected." if rejected else "The queue is empty.")
    return dg.SensorResult(run_requests=requests, dynamic_partitions_requests=_new_partitions(context, requests))


def _new_partitions(
    context: dg.SensorEvaluationContext, requests: Iterable[dg.RunRequest]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """A company's first request may come before `company_partitions` has seen the company."""
    known = set(context.instance.get_dynamic_partitions("company"))
    missing = {request.partition_key for request in requests if request.partition_key} - known
    return [COMPANY_PARTITIONS.build_add_request(sorted(missing))] if missing else []


def _take_in(
    context: dg.SensorEvaluationContext, kind: ExportKind[ServicesT], services: ServicesT, document: Document
) -> dg.RunRequest | Rejected | None:
    if not services.jobs.claim(document["_id"], uuid.uuid4().hex, now=services.now()):
        return None
    taken = services.jobs.take_in(document["_id"], now=services.now())
    if isinstance(taken, Rejected):
        tell_if_unreadable(services, document, taken)
        return taken if kind.reject(services, document, taken) else None
    if taken is None:
        return None
    document = taken
    answer = kind.judge(services, document)
    queued = services.jobs.shape.queued
    if isinstance(answer, Admitted) and document.get("status") != queued:
        answer = _not_queued(kind, queued)
    if isinstance(answer, Rejected):
        return answer if kind.reject(services, document, answer) else None
    if document.get("cancel_requested") is True:
        kind.cancel(services, document)
        return None
    return _launch(context, kind, services, document, answer)


def _not_queued(kind: ExportKind[ServicesT], queued: str) -> Rejected:
    return Rejected(
        kind.invalid_code,
        422,
        f'The request cannot be read: status must be "{queued}" to put it into the queue.',
        {"problems": [{"field": "status", "problem": f'must be "{queued}"'}]},
    )


def _launch(
    context: dg.SensorEvaluationContext,
    kind: ExportKind[ServicesT],
    services: ServicesT,
    document: Document,
    answer: Admitted[object],
) -> dg.RunRequest | None:
    request_id, company = document[services.jobs.shape.id_field], document["company_sso_id"]
    attempt = int(document.get("attempt", 0))
    # An earlier claim ran out. If its run exists, it waits or works, or the sweeper ends it; if not, the tick died
    # between claiming and launching, and its run key may be spent, so the next attempt gets a key of its own.
    if attempt and not was_put_back(document) and runs_of(context.instance, kind.name, request_id, company):
        return None
    attempt += 1
    services.jobs.note_admission(
        document["_id"], warnings=all_in_language(answer.warnings, document.get("locale")), attempt=attempt
    )
    tell_of_acceptance(kind, services, document, answer.request)
    return dg.RunRequest(
        run_key=kind.run_key(request_id, attempt),
        partition_key=company,
        run_config=kind.run_config(request_id),
        tags={
            TAG_COMPANY: company,
            TAG_REQUEST: request_id,
            TAG_REQUESTED_BY: str(document.get("user_sso_id") or "unknown"),
        },
    )
