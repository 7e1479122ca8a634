"""Telling of an ended export: the email and the signed webhook, each recorded before it is sent.

An export does not fail because nobody could be told of it: its document says all. The sweeper tries again what was not
sent, `MOST_NOTICE_TRIES` times in all; then operators are alerted.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from cdp_pipelines.domain.entity_export.delivery import DONE, ERROR
from cdp_pipelines.domain.entity_export.messages import EmailVariant, FilePart, MessageFacts, compose, message_id
from cdp_pipelines.domain.entity_export.webhook import message_of
from cdp_pipelines.domain.errors import CdpError, PermanentFailure
from cdp_pipelines.domain.timezones import resolve_timezone
from cdp_pipelines.pipelines.entity_export.config import MOST_NOTICE_TRIES
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.exports.notices import alert_once, send_once
from cdp_pipelines.resources.email_message import OutgoingEmail
from cdp_pipelines.resources.smtp_errors import MailerOutcomeUnknown
from cdp_pipelines.stores.deliveries import Channel

logger = logging.getLogger(__name__)

Document = dict[str, Any]

_VARIANTS: Final[Mapping[str, EmailVariant]] = {DONE: "succeeded", ERROR: "failed"}


class _NeverUnknown(CdpError):
    """A receiver of webhooks may get one twice, so there is nothing of which it would be unsafe to send it again."""


def send_notices(services: EntityServices, document: Document) -> bool:
    """Send what has not been sent of an ended export's notices; True when nothing is left to do."""
    if document.get("notices_pending") is not True:
        return True
    done = [_email(services, document), _webhook(services, document)]
    if all(done):
        services.jobs.notices_done(document["id"], document["company_sso_id"])
    return all(done)


def _email(services: EntityServices, document: Document) -> bool:
    variant = _VARIANTS.get(document["status"])
    if not document.get("email") or variant is None:
        return True

    def send() -> None:
        mailer = services.mailer()
        mailer.send(_outgoing(document, variant, mailer.domain))

    return _sent(services, document, "email", variant, send, unknown=MailerOutcomeUnknown)


def _webhook(services: EntityServices, document: Document) -> bool:
    url = webhook_url(document)
    if not url:
        return True

    def send() -> None:
        services.webhooks().send(
            url, message_of(document), company_sso_id=document["company_sso_id"], request_id=document["id"]
        )

    # Begun by a run that died: whether it arrived nobody knows, and its id tells the receiver that it is the same.
    services.deliveries.reopen(document["id"], "webhook", now=services.now())
    return _sent(services, document, "webhook", document["status"], send, unknown=_NeverUnknown)


def _sent(
    services: EntityServices,
    document: Document,
    channel: Channel,
    variant: str,
    send: Callable[[], None],
    *,
    unknown: type[CdpError],
) -> bool:
    """Whether there is nothing left to do on this channel."""
    export_id, company = document["id"], document["company_sso_id"]
    try:
        send_once(services, export_id, company, channel, variant, send=send, unknown=unknown)
    except CdpError as exc:
        delivery = services.deliveries.find(export_id, channel) or {}
        tries = int(delivery.get("tries") or 0)
        hopeless = isinstance(exc, PermanentFailure) or tries >= MOST_NOTICE_TRIES
        logger.warning("[%s] %s not sent at try %d: %s", export_id, channel, tries, exc.code)
        if hopeless:
            text = f"The {channel} about entity export {export_id} could not be sent: {exc.code}."
            alert_once(services, f"notice_failed:{export_id}:{channel}", text)
        return hopeless
    return True


def webhook_url(document: Mapping[str, Any]) -> str:
    """The address of the request's webhook; empty if it has none."""
    asked = document.get("webhook")
    url = asked.get("url") if isinstance(asked, Mapping) else asked
    return url if isinstance(url, str) else ""


def _outgoing(document: Document, variant: EmailVariant, domain: str) -> OutgoingEmail:
    composed = compose(variant, message_facts(document))
    return OutgoingEmail(
        to=document["email"],
        subject=composed.subject,
        text=composed.text,
        html=composed.html,
        message_id=message_id(document["id"], variant, domain),
        headers={"X-Request-ID": document["id"]},
        attachment=None,
    )


def message_facts(document: Mapping[str, Any]) -> MessageFacts:
    """What the messages say, from what the document holds."""
    result = document.get("result") or {}
    parameters = document.get("parameters") or {}
    zone = resolve_timezone(parameters.get("timezone") or "UTC")
    error = document.get("error") or {}
    return MessageFacts(
        request_id=document["id"],
        # One that failed before it was begun may name only a template.
        exported_object=str(document.get("exported_object") or ""),
        locale=str(document.get("locale") or "en"),
        zone=zone.zone,
        zone_name=zone.name,
        file_name=result.get("file_name"),
        link=result.get("url"),
        expires_at=result.get("expires_at"),
        row_count=int(result.get("record_count") or 0),
        size_bytes=result.get("total_bytes", result.get("size_bytes")),
        file_format=str(parameters.get("format") or "CSV").upper(),
        compression=parameters.get("compression"),
        parts=tuple(
            FilePart(
                name=part["file_name"],
                row_count=part["record_count"],
                size_bytes=part["size_bytes"],
                link=part.get("url"),
            )
            for part in result.get("parts", [])
        ),
        schedule_name=document.get("schedule_name"),
        failure_reason=error.get("message"),
        warnings=tuple(document.get("warnings") or ()),
    )
