"""How an entity export ends: done, failed or canceled. One terminal state, by one update that only one can win.

Everything else follows from that update: files of an export that did not end as DONE are removed after it, and its
notices (`notices_pending`) are sent after it by its run, and by the sweeper if there is no run that could. Not here,
since ticks end exports too, and a receiver that hangs must not hold up a tick.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cdp_pipelines.domain.entity_export.delivery import CANCELED, DONE, ERROR
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.entity_export.figures import count_ended, format_of, object_of, seconds_of
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.exports.ending import remove_files

logger = logging.getLogger(__name__)

Document = dict[str, Any]


def finish(services: EntityServices, document: Document) -> bool:
    """Turn a written export DONE; False when somebody else had ended it."""
    export_id, company = document["id"], document["company_sso_id"]
    result = document["result"]
    changes: Document = {
        "progress": result["record_count"],
        "total": result["record_count"],
        **_notices(document),
    }
    if document.get("object_keys"):
        changes["files_expire_at"] = services.now() + timedelta(seconds=services.limits.file_seconds())
    if not services.jobs.end(export_id, company, DONE, now=services.now(), changes=changes):
        return False
    _audit(services, document, "completed")
    seconds = seconds_of(services, document)
    total_bytes = result.get("total_bytes", result["size_bytes"])
    logger.info(
        event_line(
            "entity_export_completed",
            request_id=export_id,
            company_sso_id=company,
            exported_object=object_of(document),
            format=format_of(document),
            rows=result["record_count"],
            seconds=seconds,
            bytes=total_bytes,
            cached=bool(document.get("cached_from")),
        )
    )
    count_ended(services, document, DONE, rows=result["record_count"], size_bytes=total_bytes, seconds=seconds)
    return True


def fail(services: EntityServices, document: Document, error: CdpError) -> str | None:
    """End an export that cannot be done: no file stays, an alert. None when somebody else had ended it."""
    export_id, company = document["id"], document["company_sso_id"]
    changes: Document = {
        "error": {"code": error.code, "message": error.message, "details": error.details},
        "result": None,
        "cleanup_pending": True,
        **_notices(document),
    }
    if not services.jobs.end(export_id, company, ERROR, now=services.now(), changes=changes):
        return None
    document = _as_ended(services, document)
    _remove_files(services, document)
    _audit(services, document, "failed")
    count_ended(services, document, ERROR, seconds=seconds_of(services, document))
    logger.info(
        event_line(
            "entity_export_failed",
            request_id=export_id,
            company_sso_id=company,
            exported_object=object_of(document),
            failure_reason=error.code,
        )
    )
    # The user is told what happened to them; the cause is for operators.
    logger.error("[%s] failed: %s", export_id, error)
    alert_once(services, f"export_failed:{export_id}", f"Entity export {export_id} failed: {error}")
    return ERROR


def cancel(services: EntityServices, document: Document) -> str | None:
    """End an export that somebody asked to stop; no file stays. None when it had ended."""
    export_id, company = document["id"], document["company_sso_id"]
    changes: Document = {"result": None, "cleanup_pending": True, **_notices(document)}
    if not services.jobs.end(export_id, company, CANCELED, now=services.now(), changes=changes):
        return None
    document = _as_ended(services, document)
    _remove_files(services, document)
    _audit(services, document, "canceled")
    count_ended(services, document, CANCELED, seconds=seconds_of(services, document))
    return CANCELED


def purge(services: EntityServices, document: Document, *, by: str) -> None:
    """Right to delete: remove the files and the personal data on the export's document before their time.

    The files of an export that was served from an earlier one are that one's; they go too.

    Raises:
        CdpError: the object store or MongoDB did not answer; nothing is said to be purged then.
    """
    export_id, company = document["id"], document["company_sso_id"]
    result = document.get("result") or {}
    keys = [*services.jobs.shape.files(document), *([result["key"]] if result.get("key") else [])]
    keys += [part["key"] for part in result.get("parts") or []]
    owners = services.jobs.key_owners(document)
    store = services.object_store()
    for key in dict.fromkeys(keys):
        if any(owner.owns(key) for owner in owners):
            store.discard(key)
    if result.get("key"):
        services.jobs.forget_shared_files(company, result["key"])
    services.jobs.purge(export_id, company, now=services.now())
    services.records.audit(export_id, company, "purged", {"purged_by": by}, now=services.now())


def _notices(document: Mapping[str, Any]) -> Document:
    return {"notices_pending": True} if document.get("email") or document.get("webhook") else {}


def _as_ended(services: EntityServices, document: Document) -> Document:
    """The document as this end left it: the caller's may be older, and lack keys of files.

    Raises:
        CdpError: MongoDB went away; the sweeper removes the files and sends the notices.
    """
    return services.jobs.find_taken_in(document["id"], document["company_sso_id"]) or document


def _remove_files(services: EntityServices, document: Document) -> None:
    if remove_files(services, document):
        services.jobs.cleanup_done(document["id"], document["company_sso_id"])


def _audit(services: EntityServices, document: Document, action: str) -> None:
    """Who, when, how many, which fields; names of fields, never a value."""
    result = document.get("result") or {}
    services.records.audit(
        document["id"],
        document["company_sso_id"],
        action,
        {
            "user_sso_id": document.get("user_sso_id"),
            "exported_object": object_of(document),
            "row_count": result.get("record_count", document.get("progress", 0)),
            "fields": document.get("exported_fields") or [],
            "format": format_of(document),
        },
        now=services.now(),
    )
