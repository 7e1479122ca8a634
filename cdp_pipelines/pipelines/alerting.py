"""Alerts to the people on duty: one a cause, kept before it is sent, and tried again until it is delivered.

Belongs here: what every pipeline's alerts have in common. Not here: when to alert (the pipelines), the collection
(`stores/alert_causes.py`) and the webhook (`resources/alerts.py`).
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.resources.alerts import AlertSender
from cdp_pipelines.stores.alert_causes import AlertCauses

logger = logging.getLogger(__name__)

MOST_ALERTS_A_SWEEP: Final = 10


class Alerting(Protocol):
    """What is needed of a pipeline's services."""

    @property
    def alert_causes(self) -> AlertCauses:
        """What operators were told of."""

    @property
    def now(self) -> Callable[[], datetime]:
        """The time, in UTC."""

    def alerts(self) -> AlertSender:
        """Where operators are alerted."""


def alert_once(services: Alerting, cause: str, text: str, *, request_id: str = "") -> None:
    """Alert operators about a cause they have not been told of. What cannot be told now, the sweepers tell later.

    Never raises: an alert must not undo what it tells of.
    """
    try:
        if services.alert_causes.first_time(cause, now=services.now(), text=text, request_id=request_id):
            _send(services, cause, text, request_id)
    except CdpError as exc:
        logger.warning("alert not sent (%s): %s", exc.code, text)


def repeat_alerts(services: Alerting, budget: Budget) -> list[str]:
    """Send what could not be delivered, the longest waiting first; lines for the tick's log.

    The first that fails ends it: there is one receiver, so the others would fail as well, each with its time limit.
    """
    lines: list[str] = []
    for _ in range(MOST_ALERTS_A_SWEEP):
        if budget.spent():
            break
        untold = services.alert_causes.take_untold(now=services.now())
        if untold is None:
            break
        cause = str(untold["_id"])
        told = _send(services, cause, str(untold.get("text")), str(untold.get("request_id") or ""))
        lines.append(f"alert {cause} {'delivered' if told else 'not delivered'} at try {untold['tries']}")
        if not told:
            break
    return lines


def _send(services: Alerting, cause: str, text: str, request_id: str) -> bool:
    if services.alerts().send(text, cause=cause, request_id=request_id) == "failed":
        services.alert_causes.not_told(cause, now=services.now())
        return False
    services.alert_causes.told(cause, now=services.now())
    return True
