"""Telling the people on duty, through a Slack-compatible webhook.

Belongs here: sending one text. Not here: when to alert, and that one cause alerts once (the stores remember that).
"""

import logging
from typing import Final, Literal, TypeAlias

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.resources.environment import optional_setting
from cdp_pipelines.resources.http_client import RETRY_WAIT_SECONDS, TIMEOUT_SECONDS, HttpEndpoint, post_json

SETTING: Final = "CDP_ALERT_WEBHOOK_URL"

AlertResult: TypeAlias = Literal["sent", "logged", "failed"]

_log = logging.getLogger(__name__)


class AlertSender:
    """Sends alerts to a webhook, or only to the log when there is none. Never raises: an alert must not break work."""

    def __init__(
        self,
        *,
        webhook_url: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
        retry_wait_seconds: float = RETRY_WAIT_SECONDS,
    ) -> None:
        self._webhook_url = webhook_url
        self._timeout_seconds = timeout_seconds
        self._retry_wait_seconds = retry_wait_seconds

    def send(self, text: str, *, cause: str, request_id: str = "") -> AlertResult:
        """Say `text` (ids and counts, nothing personal) about `cause`, such as `export_failed:{job id}`.

        Always in the log at WARNING. `failed`: the webhook did not take it, and the log says why.
        """
        _log.warning("alert cause=%s request_id=%s: %s", cause, request_id or "-", text)
        if not self._webhook_url:
            return "logged"
        try:
            endpoint = HttpEndpoint(
                name="The alert webhook",
                code="ALERT",
                setting=SETTING,
                url=self._webhook_url,
                timeout_seconds=self._timeout_seconds,
                retry_wait_seconds=self._retry_wait_seconds,
            )
            headers = {"X-Request-ID": request_id} if request_id else {}
            post_json(endpoint, "", {"text": _escaped(text)}, headers=headers)
        except CdpError as exc:
            # Without the trace: it holds the webhook's address, which is its password.
            _log.error("alert cause=%s was not delivered: %s", cause, exc)
            return "failed"
        return "sent"


class AlertsResource(dg.ConfigurableResource[None]):
    """Alerts to the people on duty. Setting: `CDP_ALERT_WEBHOOK_URL`; only logged while it is unset."""

    webhook_url: str = Field(
        default="", description="Slack-compatible webhook, a secret; empty: CDP_ALERT_WEBHOOK_URL."
    )

    def open(self) -> AlertSender:
        """The sender; nothing is contacted yet."""
        return AlertSender(webhook_url=optional_setting(SETTING, self.webhook_url))


def _escaped(text: str) -> str:
    """Slack reads `<!channel>` and `<url|text>`; a text of ours never means to say those."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
