"""How a run ends a request that it cannot finish, whatever kind of export it is.

Belongs here: what went wrong, and files that must not stay. Not here: statuses, notices and records (each pipeline's
`conclude.py`, through its `ExportKind`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.errors import CancelRequested, CdpError, PermanentFailure
from cdp_pipelines.pipelines.exports.heartbeat import Beat, OwnershipLost
from cdp_pipelines.pipelines.exports.kinds import Document, ExportKind, ServicesT
from cdp_pipelines.pipelines.exports.services import SharedServices

logger = logging.getLogger(__name__)


@contextmanager
def ending_badly(kind: ExportKind[ServicesT], services: ServicesT, document: Document, beat: Beat) -> Iterator[None]:
    """End the job in the way that fits what went wrong inside, here and now: notices are sent inside the run.

    A cancel ends the run as a plain failure of its step; a lost job leaves the run without side effects.
    """
    try:
        yield
    except CancelRequested as exc:
        outcome = kind.cancel(services, _latest(services, document))
        raise dg.Failure(f"[{beat.job_id}] canceled on request; ended as {outcome}.", allow_retries=False) from exc
    except OwnershipLost as exc:
        _forget_files(services, document)
        raise dg.Failure(f"[{beat.job_id}] {exc.message}", allow_retries=False) from exc
    except CdpError as exc:
        kind.fail(services, _still_own(services, document, beat), exc)
        raise dg.Failure(f"[{beat.job_id}] {exc}", allow_retries=False) from exc
    except dg.Failure:
        raise
    except Exception as exc:
        # A mistake in the program: the user is told in plain words, the developer by the run's stack trace.
        error = CdpError("INTERNAL_ERROR", "The export stopped because of an error in the program; we were told of it.")
        kind.fail(services, _still_own(services, document, beat), error)
        raise dg.Failure(f"[{beat.job_id}] {type(exc).__name__} in the program.", allow_retries=False) from exc


def refused(rejected: Rejected) -> PermanentFailure:
    """The failure of a request that was admitted once and is refused now."""
    return PermanentFailure(rejected.code, rejected.message, details=rejected.details)


def reject_taken(services: SharedServices, document: Document, rejected: Rejected) -> bool:
    """End a request as refused that a run had taken before anybody judged it."""
    shape = services.jobs.shape
    return services.jobs.end(
        document[shape.id_field],
        document["company_sso_id"],
        shape.rejected,
        now=services.now(),
        changes={"error": rejected.as_document()},
    )


def remove_files(services: SharedServices, document: Document) -> bool:
    """Delete the job's objects; False when the store did not answer, so that the sweeper must.

    The job is then to end with `cleanup_pending: True` and its keys kept.
    """
    shape = services.jobs.shape
    try:
        _delete_files(services, document)
    except CdpError as exc:
        logger.warning(
            "[%s] the file could not be removed (%s); the sweeper tries again", document[shape.id_field], exc.code
        )
        return False
    return True


def _delete_files(services: SharedServices, document: Document) -> None:
    keys = services.jobs.own_files(document)
    if keys:
        store = services.object_store()
        for key in keys:
            store.discard(key)


def _latest(services: SharedServices, document: Document) -> Document:
    """The document as it stands, or as it was when MongoDB does not answer any more."""
    try:
        found = services.jobs.find_taken_in(document[services.jobs.shape.id_field], document["company_sso_id"])
    except CdpError:
        return document
    return found or document


def _still_own(services: SharedServices, document: Document, beat: Beat) -> Document:
    """The document as it stands, for ending it.

    Raises:
        dg.Failure: it went to another run, which may be why this one failed (it removes what it finds of an earlier
            one); how it ends is the other's to say.
    """
    latest = _latest(services, document)
    owner = (latest.get("lease") or {}).get("owner_run_id")
    if latest["status"] == services.jobs.shape.working and owner not in (None, beat.run_id):
        raise dg.Failure(f"[{beat.job_id}] {OwnershipLost().message}", allow_retries=False)
    return latest


def _forget_files(services: SharedServices, document: Document) -> None:
    """Remove files uploaded for a job that was failed or canceled under this run's hands."""
    shape = services.jobs.shape
    latest = _latest(services, document)
    if latest["status"] in {shape.failed, shape.canceled}:
        try:
            _delete_files(services, latest)
        except CdpError as exc:
            logger.warning("[%s] the file could not be removed (%s)", latest[shape.id_field], exc.code)
