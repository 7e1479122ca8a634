"""Telling of an ended export: the email and the signed webhook, each recorded before it is sent.

An export does not fail because nobody could be told of it: its document says all. The sweeper tries again what was not
sent, `MOST_NOTICE_TRIES` times in all, with growing waits; then operators are alerted and nobody tries any more.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from cdp_pipelines.domain.email_address import is_email_address
from cdp_pipelines.domain.entity_export.delivery import DONE, ERROR
from cdp_pipelines.domain.entity_export.messages import EmailVariant, FilePart, MessageFacts, compose, message_id
from cdp_pipelines.domain.entity_export.request import is_export_id
from cdp_pipelines.domain.entity_export.webhook import message_of
from cdp_pipelines.domain.errors import CdpError, PermanentFailure
from cdp_pipelines.domain.failure_words import failure_reason
from cdp_pipelines.domain.timezones import resolve_timezone
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.entity_export.config import (
    FIRST_NOTICE_WAIT_SECONDS,
    LONGEST_NOTICE_WAIT_SECONDS,
    MOST_NOTICE_TRIES,
)
from cdp_pipelines.pipelines.entity_export.figures import object_of, short_text
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.exports.notices import send_once
from cdp_pipelines.resources.email_message import OutgoingEmail
from cdp_pipelines.resources.smtp_errors import MailerOutcomeUnknown
from cdp_pipelines.stores.deliveries import STALE_SECONDS, Channel

logger = logging.getLogger(__name__)

Document = dict[str, Any]

_VARIANTS: Final[Mapping[str, EmailVariant]] = {DONE: "succeeded", ERROR: "failed"}


class _NeverUnknown(CdpError):
    """A receiver of webhooks may get one twice, so there is nothing of which it would be unsafe to send it again."""


def send_notices(services: EntityServices, document: Document, *, in_a_sweep: bool = False) -> bool:
    """Send what has not been sent of an ended export's notices; True when nothing is left to do.

    `in_a_sweep`: others wait behind this one, so a receiver that does not answer at once is tried by a later sweep.
    """
    if document.get("notices_pending") is not True:
        return True
    _alert_of_refusal(services, document)
    waits = [_email(services, document, once=in_a_sweep), _webhook(services, document, once=in_a_sweep)]
    left = [seconds for seconds in waits if seconds is not None]
    if left:
        services.jobs.notices_later(document["_id"], at=services.now() + timedelta(seconds=min(left)))
    else:
        services.jobs.notices_done(document["_id"])
    return not left


def _alert_of_refusal(services: EntityServices, document: Document) -> None:
    """Operators are told of a refused export as of a failed one, and of a schedule that makes no more."""
    error, reference = document.get("error"), reference_of(document)
    if document.get("status") != ERROR or not isinstance(error, Mapping) or "http_status" not in error:
        return
    of = f"company {short_text(document.get('company_sso_id'))}"
    code = error.get("code")
    alert_once(services, f"export_failed:{reference}", f"Entity export {reference} of {of} was refused: {code}.")
    if document.get("schedule_switched_off") is True:
        schedule = short_text(document.get("schedule_id"))
        text = f"Export schedule {schedule} of {of} was switched off: {code}."
        alert_once(services, f"schedule_off:{reference}", text)


def _email(services: EntityServices, document: Document, *, once: bool) -> float | None:
    variant, address = _VARIANTS.get(document["status"]), email_address(document)
    if not address or variant is None:
        return None

    def send() -> None:
        mailer = services.mailer()
        mailer.send(_outgoing(document, address, variant, mailer.domain), once=once)

    return _sent(services, document, "email", variant, send, unknown=MailerOutcomeUnknown)


def _webhook(services: EntityServices, document: Document, *, once: bool) -> float | None:
    url = webhook_url(document)
    if not url:
        return None

    def send() -> None:
        services.webhooks().send(
            url,
            message_of(document),
            company_sso_id=str(document.get("company_sso_id")),
            request_id=reference_of(document),
            once=once,
        )

    # Begun by a run that died: whether it arrived nobody knows, and its id tells the receiver that it is the same.
    services.deliveries.reopen(reference_of(document), "webhook", now=services.now())
    return _sent(services, document, "webhook", document["status"], send, unknown=_NeverUnknown)


def _sent(
    services: EntityServices,
    document: Document,
    channel: Channel,
    variant: str,
    send: Callable[[], None],
    *,
    unknown: type[CdpError],
) -> float | None:
    """In how many seconds to look again; None when there is nothing left to do on this channel."""
    export_id, company = reference_of(document), document.get("company_sso_id")
    try:
        sending = send_once(services, export_id, str(company), channel, variant, send=send, unknown=unknown)
    except CdpError as exc:
        return _not_sent(services, export_id, channel, exc)
    if sending != "before":
        return None
    delivery = services.deliveries.find(export_id, channel) or {}
    begun = delivery.get("at", services.now())
    if delivery.get("state") == "sending" and services.now() - begun < timedelta(seconds=STALE_SECONDS):
        # Its run is at it, or has died at it. Only when no run can be any more is it known that nobody marks it.
        return STALE_SECONDS
    return None


def _not_sent(services: EntityServices, export_id: str, channel: Channel, error: CdpError) -> float | None:
    tries = int((services.deliveries.find(export_id, channel) or {}).get("tries") or 0)
    logger.warning("[%s] %s not sent at try %d: %s", export_id, channel, tries, error.code)
    if not isinstance(error, PermanentFailure) and tries < MOST_NOTICE_TRIES:
        return float(min(FIRST_NOTICE_WAIT_SECONDS * 2 ** max(0, tries - 1), LONGEST_NOTICE_WAIT_SECONDS))
    services.deliveries.mark(export_id, channel, "given_up", error_code=error.code)
    text = f"The {channel} about entity export {export_id} could not be sent: {error.code}."
    alert_once(services, f"notice_failed:{export_id}:{channel}", text)
    return None


def reference_of(document: Mapping[str, Any]) -> str:
    """What people and deliveries call an export by: its id, or of a request that was refused for its id, `_id`."""
    export_id = document.get("id")
    if isinstance(export_id, str) and is_export_id(export_id):
        return export_id
    return "ref_" + hashlib.sha256(repr(document.get("_id")).encode("utf-8", "replace")).hexdigest()[:24]


def email_address(document: Mapping[str, Any]) -> str:
    """Whom the request's email goes to; empty if nobody, or if what stands there is no address."""
    email = document.get("email")
    return email.strip() if isinstance(email, str) and is_email_address(email) else ""


def webhook_url(document: Mapping[str, Any]) -> str:
    """The address of the request's webhook; empty if it has none."""
    asked = document.get("webhook")
    url = asked.get("url") if isinstance(asked, Mapping) else asked
    return url if isinstance(url, str) else ""


def _outgoing(document: Document, address: str, variant: EmailVariant, domain: str) -> OutgoingEmail:
    composed = compose(variant, message_facts(document))
    return OutgoingEmail(
        to=address,
        subject=composed.subject,
        text=composed.text,
        html=composed.html,
        message_id=message_id(reference_of(document), variant, domain),
        headers={"X-Request-ID": reference_of(document)},
        attachment=None,
    )


def message_facts(document: Mapping[str, Any]) -> MessageFacts:
    """What the messages say, from what the document holds."""
    result, warnings = _mapping(document.get("result")), document.get("warnings")
    # Not what was asked, which a template may have filled up, or which may be anything if it was refused.
    exported_as = _mapping(document.get("exported_as"))
    zone = resolve_timezone(exported_as.get("timezone") or "UTC")
    schedule = document.get("schedule_name") or document.get("schedule_id")
    return MessageFacts(
        request_id=reference_of(document),
        exported_object=object_of(document),
        locale=str(document.get("locale") or "en"),
        zone=zone.zone,
        zone_name=zone.name,
        file_name=result.get("file_name"),
        link=result.get("url"),
        expires_at=result.get("expires_at"),
        made_at=result.get("made_at") if result.get("cached") is True else None,
        row_count=int(result.get("record_count") or 0),
        size_bytes=result.get("total_bytes", result.get("size_bytes")),
        file_format=exported_as.get("format") or "",
        compression=exported_as.get("compression"),
        parts=tuple(
            FilePart(
                name=part["file_name"],
                row_count=part["record_count"],
                size_bytes=part["size_bytes"],
                link=part.get("url"),
            )
            for part in result.get("parts", [])
        ),
        schedule_name=None if schedule is None else str(schedule),
        failure_reason=failure_reason(document.get("error"), document.get("locale")),
        warnings=tuple(map(str, warnings)) if isinstance(warnings, list) else (),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    """What a refused request holds may be anything."""
    return value if isinstance(value, Mapping) else {}
