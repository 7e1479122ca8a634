"""How a contact export ends: finished, failed, canceled, or settled after its run died. One terminal state, one email.

The rule that everything here rests on: once the email about a finished file was begun, the job ends as that email said,
whatever happens afterwards; until then it may still fail, and a failed or canceled job leaves no file behind.
"""

import logging
from typing import Any, Final

from cdp_pipelines.domain.contact_export.delivery import Outcome, variant_of
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.domain.failure_words import failure_words
from cdp_pipelines.domain.people_words import in_language
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.contact_export.deliver import notify, register_history, send_email
from cdp_pipelines.pipelines.contact_export.services import ExportServices
from cdp_pipelines.pipelines.exports.ending import remove_files

logger = logging.getLogger(__name__)

Document = dict[str, Any]
_OUTCOME_OF_VARIANT: Final[dict[str, Outcome]] = {
    "succeeded": "completed",
    "partially_succeeded": "partial",
    "failed": "failed",
}


def finish(services: ExportServices, document: Document, outcome: Outcome) -> bool:
    """Record a delivered export and turn it terminal; False when somebody else had."""
    job_id, company = document["job_id"], document["company_sso_id"]
    register_history(services, document, outcome)
    _audit(services, document, outcome)
    if not services.jobs.end(job_id, company, outcome, now=services.now()):
        return False
    _tell_of_finish(services, document, outcome)
    return True


def _tell_of_finish(services: ExportServices, document: Document, outcome: Outcome) -> None:
    started = document.get("started_at") or services.now()
    measured: dict[str, object] = {
        "rows": document.get("success_count", 0),
        "seconds": round((services.now() - started).total_seconds(), 3),
        "bytes": (document.get("result") or {}).get("size_bytes", 0),
    }
    if outcome == "partial":
        measured["failed"] = document.get("failed_count", 0)
    logger.info(
        event_line(
            "cdp_export_customer_partial" if outcome == "partial" else "cdp_export_customer_completed",
            request_id=document["job_id"],
            company_sso_id=document["company_sso_id"],
            **measured,
        )
    )


def fail(services: ExportServices, document: Document, error: CdpError) -> Outcome | None:
    """End a job that cannot be done: no file, one failure email, one notification, an alert.

    Returns how the job ended: `failed`, or what its email had already said; None when somebody else had ended it.
    """
    settled = settle_by_email(services, document)
    if settled is not None:
        return settled
    job_id, company = document["job_id"], document["company_sso_id"]
    told = {
        "error": {"code": error.code, "message": error.message, "details": error.details},
        "failure_reason": in_language(failure_words(error.code), document.get("locale")),
        "result": None,
    }
    document = {**document, **told}
    cleanup_pending = not remove_files(services, document)
    try:
        send_email(services, document, "failed")
    except CdpError as exc:
        logger.warning("[%s] failure email not sent (%s); the sweeper tries again", job_id, exc.code)
    notify(services, document, "failed")
    _audit(services, document, "failed")
    changes: Document = {**told, **({"cleanup_pending": True} if cleanup_pending else {})}
    if not services.jobs.end(job_id, company, "failed", now=services.now(), changes=changes):
        return None
    logger.info(
        event_line("cdp_export_customer_failed", request_id=job_id, company_sso_id=company, failure_reason=error.code)
    )
    # The user is told what happened to them; the cause is for operators.
    logger.error("[%s] failed: %s", job_id, error)
    alert_once(services, f"export_failed:{job_id}", f"Contact export {job_id} failed: {error}")
    return "failed"


def cancel(services: ExportServices, document: Document) -> Outcome | None:
    """End a job that somebody asked to stop; too late once its email was begun. None when it had ended."""
    settled = settle_by_email(services, document)
    if settled is not None:
        return settled
    cleanup_pending = not remove_files(services, document)
    _audit(services, document, "canceled")
    changes: Document = {"result": None, **({"cleanup_pending": True} if cleanup_pending else {})}
    ended = services.jobs.end(
        document["job_id"], document["company_sso_id"], "canceled", now=services.now(), changes=changes
    )
    return "canceled" if ended else None


def settle_by_email(services: ExportServices, document: Document) -> Outcome | None:
    """End a job as its email said, if one was begun and may have gone out; else None and nothing is done."""
    delivery = services.deliveries.find(document["job_id"], "email")
    if delivery is None or delivery["state"] == "not_sent":
        return None
    outcome = _OUTCOME_OF_VARIANT[delivery["variant"]]
    if outcome == "failed":
        return None
    variant = variant_of(outcome)
    notify(services, document, variant)
    finish(services, document, outcome)
    return outcome


def _audit(services: ExportServices, document: Document, action: str) -> None:
    """Who, when, how many, which fields (SPEC 3.4); names of fields, never a value."""
    services.records.audit(
        document["job_id"],
        document["company_sso_id"],
        action,
        {
            "user_sso_id": document.get("user_sso_id"),
            "row_count": document.get("success_count", 0),
            "failed_count": document.get("failed_count", 0),
            "fields": document.get("exported_fields") or list(document.get("selected_fields") or []),
            "layout_id": document.get("exported_layout_id") or document.get("layout_id"),
            "format": document.get("format"),
        },
        now=services.now(),
    )


def purge(services: ExportServices, document: Document, *, by: str) -> None:
    """Right to delete: remove the file and the personal data on the job's documents before their time.

    Raises:
        CdpError: the object store or MongoDB did not answer; nothing is said to be purged then.
    """
    job_id, company = document["job_id"], document["company_sso_id"]
    for key in services.jobs.own_files(document):
        services.object_store().delete(key)
    services.records.purge(job_id, company)
    services.jobs.purge(job_id, company, now=services.now())
    services.records.audit(job_id, company, "purged", {"purged_by": by}, now=services.now())
