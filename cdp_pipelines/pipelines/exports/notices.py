"""Telling people once: operators of a cause, users of an end. What was begun is recorded before it is sent."""

import logging
from collections.abc import Callable
from typing import Literal, TypeAlias

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.exports.services import SharedServices
from cdp_pipelines.stores.deliveries import Channel

logger = logging.getLogger(__name__)

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
        return "unknown"
    except CdpError as exc:
        services.deliveries.mark(job_id, channel, "not_sent", error_code=exc.code)
        raise
    services.deliveries.mark(job_id, channel, "sent")
    return "sent"
