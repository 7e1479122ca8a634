"""A finished file on its way to the user: object store, email, notification, history. Each step is done once."""

import logging
import secrets
from pathlib import Path
from typing import Any, Final

from cdp_pipelines.domain.contact_export.delivery import (
    CONTENT_TYPES,
    LINK_VALID_SECONDS,
    EmailVariant,
    file_name,
    object_key,
)
from cdp_pipelines.domain.contact_export.messages import MessageFacts, compose, message_id, notification_text
from cdp_pipelines.domain.contact_export.request import FileFormat
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.domain.failure_words import failure_reason
from cdp_pipelines.domain.object_keys import marked_random
from cdp_pipelines.domain.timezones import resolve_timezone
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.contact_export.services import ExportServices
from cdp_pipelines.pipelines.exports.heartbeat import Beat
from cdp_pipelines.pipelines.exports.notices import send_once, try_once
from cdp_pipelines.resources.email_message import Attachment, OutgoingEmail
from cdp_pipelines.resources.export_history import ExportHistoryRow
from cdp_pipelines.resources.notifications import Notification
from cdp_pipelines.resources.smtp_errors import MailerOutcomeUnknown

logger = logging.getLogger(__name__)

Document = dict[str, Any]
EXPORT_TYPE: Final = "Customer Data"


def store_file(services: ExportServices, document: Document, path: Path, beat: Beat) -> Document:
    """Upload the file and make its link; returns `result: {key, url, file_name, size_bytes, expires_at}`.

    The key is recorded before the upload and used again by a restarted run, so a crash leaves no file that nobody
    knows of.
    """
    file_format = _format_of(path)
    owner, kept = services.jobs.key_owner(document), services.jobs.own_files(document)
    random_part = marked_random(owner.mark, secrets.token_hex(8))
    key = owner.require(
        kept[0] if kept else object_key(beat.company_sso_id, file_format, now=services.now(), random_part=random_part)
    )
    beat(object_key=key)
    store = services.object_store()
    stored = store.upload_file(
        path=path,
        key=key,
        content_type=CONTENT_TYPES[file_format],
        download_name=file_name(key),
        request_id=beat.job_id,
    )
    link = store.presign(key, valid_seconds=LINK_VALID_SECONDS)
    return {
        "key": key,
        "url": link.url,
        "file_name": file_name(key),
        "size_bytes": stored.size_bytes,
        "expires_at": link.expires_at,
    }


def send_email(services: ExportServices, document: Document, variant: EmailVariant, path: Path | None = None) -> bool:
    """Send the job's one email; False when it was sent before, or may have been.

    Raises:
        CdpError: the mail server surely did not take it; that is recorded, so it may be begun again.
    """
    job_id, company = document["job_id"], document["company_sso_id"]
    attached = path is not None and path.stat().st_size <= services.limits.attachment_bytes()

    def send() -> None:
        mailer = services.mailer()
        try:
            mailer.send(_email(document, variant, mailer.domain, path if attached else None))
        except PermanentFailure as exc:
            if not attached or exc.code != "SMTP_TOO_LARGE":
                raise
            # This server takes less than our own limit allows; the link in the email leads to the same file.
            mailer.send(_email(document, variant, mailer.domain, None))

    # If it may have been taken, a second email is worse than a missing one whose link the status document shows.
    sending = send_once(services, job_id, company, "email", variant, send=send, unknown=MailerOutcomeUnknown)
    if sending == "sent":
        logger.info(event_line("cdp_export_email_sent", request_id=job_id, company_sso_id=company, variant=variant))
    return sending != "before"


def _email(document: Document, variant: EmailVariant, domain: str, attached: Path | None) -> OutgoingEmail:
    facts = message_facts(document, attached=attached is not None)
    composed = compose(variant, facts)
    return OutgoingEmail(
        to=document["email"],
        subject=composed.subject,
        text=composed.text,
        html=composed.html,
        message_id=message_id(document["job_id"], variant, domain),
        headers={"X-Request-ID": document["job_id"]},
        attachment=_attachment(attached, facts.file_name or attached.name) if attached is not None else None,
    )


def _format_of(path: Path) -> FileFormat:
    return "xlsx" if path.suffix == ".xlsx" else "csv"


def _attachment(path: Path, name: str) -> Attachment:
    return Attachment(path=path, name=name, content_type=CONTENT_TYPES[_format_of(path)])


def message_facts(document: Document, *, attached: bool = False) -> MessageFacts:
    """What the messages say, from what the job document holds."""
    result = document.get("result") or {}
    zone = resolve_timezone(document.get("timezone"))
    return MessageFacts(
        request_id=document["job_id"],
        locale=str(document.get("locale") or "en"),
        zone=zone.zone,
        zone_name=zone.name,
        file_name=result.get("file_name"),
        link=result.get("url"),
        expires_at=result.get("expires_at"),
        row_count=int(document.get("success_count") or 0),
        failed_count=int(document.get("failed_count") or 0),
        truncated=document.get("truncated") is True,
        matched_count=document.get("matched_count"),
        attached=attached,
        failure_reason=failure_reason(document.get("error"), document.get("locale")),
        warnings=tuple(document.get("warnings") or ()),
    )


def notify(services: ExportServices, document: Document, variant: EmailVariant) -> None:
    """Publish the in-app notification, once; a failure is logged and never fails the job (REV-8)."""
    job_id, company = document["job_id"], document["company_sso_id"]
    title, description = notification_text(variant, message_facts(document))
    notification = Notification(
        title=title,
        description=description,
        click_action_url=(document.get("result") or {}).get("url") or "",
        user_sso_id=document["user_sso_id"],
        company_sso_id=company,
        request_id=job_id,
    )
    try_once(
        services,
        job_id,
        company,
        "notification",
        variant,
        publish=lambda: services.notifications().publish(notification),
    )


def register_history(services: ExportServices, document: Document, status: str) -> None:
    """Keep the export in our 48-hour history and register it with the shared one, once; never fails the job."""
    job_id, company = document["job_id"], document["company_sso_id"]
    result = document.get("result") or {}
    row = ExportHistoryRow(
        file_name=result.get("file_name", ""),
        export_type=EXPORT_TYPE,
        exporter=document["user_sso_id"],
        date=services.now(),
        link=result.get("url", ""),
        status=status,
        expires_at=result.get("expires_at"),
    )
    services.records.keep_history(job_id, company, row.as_document(), now=services.now())
    outcome = try_once(
        services,
        job_id,
        company,
        "history",
        status,
        publish=lambda: services.export_history().register(row, request_id=job_id),
    )
    if outcome is None:
        return
    _, failed, code = outcome.partition("failed:")
    # A wrong setting was named already.
    if failed and not code.startswith("SETTING_"):
        alert_once(services, f"export_history_failed:{code}", f"Export history register failed ({code}).")
    logger.info(event_line("cdp_export_history_registered", request_id=job_id, company_sso_id=company, result=outcome))
