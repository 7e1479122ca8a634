"""Telling people once: operators of a cause, users of an end. What was begun is recorded before it is sent."""

import logging
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from cdp_pipelines.domain.errors import CdpError, ConfigurationError
from cdp_pipelines.pipelines.alerting import alert_once
from cdp_pipelines.pipelines.exports.services import SharedServices
from cdp_pipelines.stores.deliveries import Channel

logger = logging.getLogger(__name__)

_SWITCHED_OFF: Final = ("off", "not_configured")
Sending: TypeAlias = Literal["sent", "unknown", "before"]


def send_once(
    services: SharedServices,
    job_id: str,
    company_sso_id: str,
    channel: Channel,
    variant: str,
    *,
    send: Callable[[], object],
    unknown: type[CdpError] | tuple[type[CdpError], ...],
) -> Sending:
    """Send the one notice that a job has on this channel.

    `sent`; `unknown`, when `send` raised an error of that kind: the other side may have taken it, so it is never sent
    again; `before`, when it was sent before, or may have been, and nothing was done.

    Raises:
        CdpError: the other side surely did not take it; that is recorded, so it may be begun again.
    """
    if not services.deliveries.begin(job_id, company_sso_id, channel, variant, now=services.now()):
        return "before"
    try:
        send()
    except unknown as exc:
        logger.warning("[%s] whether the %s was taken is unknown (%s); it is not sent again", job_id, channel, exc.code)
        _record_end(services, job_id, channel, "unknown", exc.code)
        return "unknown"
    except CdpError as exc:
        services.deliveries.mark(job_id, channel, "not_sent", error_code=exc.code)
        raise
    services.deliveries.mark(job_id, channel, "sent")
    return "sent"


def try_once(
    services: SharedServices,
    job_id: str,
    company_sso_id: str,
    channel: Channel,
    variant: str,
    *,
    publish: Callable[[], str],
) -> str | None:
    """Tell somebody on a channel that is tried once and on which nothing depends; None if that was begun before.

    What `publish` answers (`off` and `not_configured` stand for a channel that is switched off), or `failed:CODE`. A
    wrong setting is named in an alert: it would fail for every export.
    """
    begun = False
    try:
        begun = services.deliveries.begin(job_id, company_sso_id, channel, variant, now=services.now())
        if not begun:
            return None
        outcome = publish()
        services.deliveries.mark(job_id, channel, "switched_off" if outcome in _SWITCHED_OFF else "sent")
    except CdpError as exc:
        wrong_setting = isinstance(exc, ConfigurationError)
        logger.warning("[%s] %s not told: %s", job_id, channel, exc if wrong_setting else exc.code)
        if wrong_setting:
            alert_once(services, f"{channel}_setting:{exc.message}", f"No {channel} of exports: {exc.message}")
        if begun:
            _record_end(services, job_id, channel, "failed", exc.code)
        return f"failed:{exc.code}"
    return outcome


def _record_end(
    services: SharedServices, job_id: str, channel: Channel, state: Literal["unknown", "failed"], code: str
) -> None:
    """Neither is ever begun again, and what is not recorded stays `sending`, which is not either."""
    try:
        services.deliveries.mark(job_id, channel, state, error_code=code)
    except CdpError as exc:
        logger.warning("[%s] what became of the %s is not recorded: %s", job_id, channel, exc.code)
