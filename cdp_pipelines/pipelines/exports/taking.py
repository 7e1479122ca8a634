"""How a run comes to own its request: which one it is, whether it may work on it, and whether it is still admitted."""

import dagster as dg

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.pipelines.exports.config import TAG_REQUEST
from cdp_pipelines.pipelines.exports.ending import refused, reject_taken
from cdp_pipelines.pipelines.exports.kinds import Document, ExportKind, ServicesT, tell_of_acceptance
from cdp_pipelines.pipelines.exports.services import SharedServices
from cdp_pipelines.pipelines.exports.setting_aside import refuse_never_taken_in
from cdp_pipelines.stores.export_queue import NotStarted, Started
from cdp_pipelines.stores.migrations.runner import Migrator


def take(
    context: dg.OpExecutionContext, kind: ExportKind[ServicesT], services: ServicesT, configured_id: str
) -> Document | None:
    """The document of the request that the run's config or tag names, now this run's; None when there is nothing to do.

    One that ended, or that another run works on, is left alone.

    Raises:
        ConfigurationError: index migrations are missing.
        dg.Failure: no request is named, or the partition's company has none of that id.
    """
    Migrator(services.database).require_current()
    request_id = configured_id or context.run.tags.get(TAG_REQUEST, "")
    shape = services.jobs.shape
    if not request_id:
        raise dg.Failure(
            f"No request: set request_id to the {shape.id_field} of a document in {shape.collection}. Exports are "
            f"launched by the sensor {kind.sensor} when such a document is queued.",
            allow_retries=False,
        )
    if not _is_taken_in(context, kind, services, request_id):
        return None
    return _started(context, services, request_id)


def _is_taken_in(
    context: dg.OpExecutionContext, kind: ExportKind[ServicesT], services: ServicesT, request_id: str
) -> bool:
    """Whether the request may be started; one that a person launched before the queue's sensor saw it is taken in.

    False: it is refused, or never came through the queue, or is being taken in at this moment and gets a run of its
    own.
    """
    company = context.partition_key
    document = services.jobs.as_it_stands(request_id, company)
    if document is None or services.jobs.find_taken_in(request_id, company) is not None:
        return True
    if document.get("status") == services.jobs.shape.working:
        context.log.warning(refuse_never_taken_in(services, document))
        return False
    if document.get("status") != services.jobs.shape.queued:
        return True
    if not services.jobs.claim(document["_id"], context.run_id, now=services.now()):
        context.log.info("[%s] nothing to do: the request is just being launched", request_id)
        return False
    taken = services.jobs.take_in(document["_id"], now=services.now())
    if isinstance(taken, Rejected):
        kind.reject(services, document, taken)
        context.log.warning("[%s] %s: %s", request_id, taken.code, taken.message)
        return False
    return taken is not None


def _started(context: dg.OpExecutionContext, services: SharedServices, request_id: str) -> Document | None:
    company, run_id = context.partition_key, context.run_id
    started = services.jobs.start(request_id, company, run_id, now=services.now())
    if isinstance(started, NotStarted) and started.owner_run_id and _run_is_over(context, started.owner_run_id):
        owner = started.owner_run_id
        started = services.jobs.start(request_id, company, run_id, now=services.now(), take_over_from=owner)
    if isinstance(started, Started):
        if started.resumed:
            context.log.info("[%s] going on with a request that an earlier run had begun", request_id)
        return started.document
    if started is None:
        raise dg.Failure(
            f"The company of this partition has no export request {request_id}. Check the id and the partition.",
            allow_retries=False,
        )
    context.log.info("[%s] nothing to do: the request is %s", request_id, started.status)
    return None


def _run_is_over(context: dg.OpExecutionContext, run_id: str) -> bool:
    run = context.instance.get_run_by_id(run_id)
    return run is None or run.is_finished


def still_admitted(kind: ExportKind[ServicesT], services: ServicesT, document: Document) -> bool:
    """Judge a taken request once more; False when it was refused, and has ended so.

    Raises:
        PermanentFailure: it was admitted once, but what it rests on changed meanwhile. The user waits for a notice, so
            this is a failure.
    """
    answer = kind.judge(services, document)
    if not isinstance(answer, Rejected):
        # For one that a person launched; of the others it was told when they were launched.
        tell_of_acceptance(kind, services, document, answer.request)
        return True
    if "attempt" in document:
        raise refused(answer)
    # Launched by hand before the queue's sensor judged it: the answer is the sensor's.
    if reject_taken(services, document, answer):
        kind.tell_of_refusal(services, document, answer)
    return False
