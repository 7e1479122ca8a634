"""The in-app notification that tells a person that their export ended.

Belongs here: publishing. Not here: what it says (`cdp_pipelines.domain.contact_export.messages`), and what becomes of a
job when publishing fails: nothing, the caller logs it (SPEC 3.4, REV-8).
"""

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

import dagster as dg
from pydantic import Field

from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.http_client import HttpEndpoint, post_json

PATH: Final = "/notif/v1/notifications"

PublishResult: TypeAlias = Literal["sent", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification for one user; clicking it opens `click_action_url`, which may be a signed link, so a secret."""

    company_sso_id: str
    user_sso_id: str
    request_id: str
    title: str
    description: str
    click_action_url: str = field(repr=False)


class NotificationPublisher(Protocol):
    """Whatever carries notifications to people; the channel may change, this does not."""

    def publish(self, notification: Notification) -> PublishResult:
        """Hand it over; `off` when notifications are not switched on.

        Raises:
            TransientFailure: `NOTIFICATION_UNAVAILABLE`.
            PermanentFailure: `NOTIFICATION_REFUSED`.
        """
        ...


class NoNotifications:
    """Notifications are not switched on."""

    def publish(self, notification: Notification) -> PublishResult:  # noqa: ARG002 - the protocol's signature
        """Do nothing, and say so."""
        return "off"


class HttpNotificationPublisher:
    """`POST {root}/notif/v1/notifications` with Basic authentication."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint

    def publish(self, notification: Notification) -> PublishResult:
        """See `NotificationPublisher.publish`. The body is the contract's; who it is for goes in headers."""
        body = {
            "notif_type": 1,
            "notif_category": "5",
            "origin": "external_url",
            "click_action": "OPEN_URL",
            "click_action_url": notification.click_action_url,
            "title": notification.title,
            "description": notification.description,
        }
        headers = {
            "X-Request-ID": notification.request_id,
            "X-Company-Sso-Id": notification.company_sso_id,
            "X-User-Sso-Id": notification.user_sso_id,
        }
        post_json(self._endpoint, PATH, body, headers=headers)
        return "sent"


class NotificationsResource(dg.ConfigurableResource[None]):
    """In-app notifications. Settings: `NOTIFICATION_API_*`; off while `NOTIFICATION_API_ROOT_URL` is unset."""

    root_url: str = Field(default="", description="Address of the notification API; empty: NOTIFICATION_API_ROOT_URL.")
    client_id: str = Field(default="", description="Basic user; empty: NOTIFICATION_API_CLIENT_ID.")
    secret: str = Field(default="", description="Basic password; empty: NOTIFICATION_API_SECRET.")

    def open(self) -> NotificationPublisher:
        """The publisher; nothing is contacted yet.

        Raises:
            ConfigurationError: an address without its credentials, or one that is none.
        """
        root_url = optional_setting("NOTIFICATION_API_ROOT_URL", self.root_url)
        if not root_url:
            return NoNotifications()
        return HttpNotificationPublisher(
            HttpEndpoint(
                name="The notification API",
                code="NOTIFICATION",
                setting="NOTIFICATION_API_ROOT_URL",
                url=root_url,
                client_id=required_setting("NOTIFICATION_API_CLIENT_ID", self.client_id),
                secret=required_setting("NOTIFICATION_API_SECRET", self.secret),
            )
        )
