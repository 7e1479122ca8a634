"""Telling a company's own server that an export ended: a signed POST to an address that the company chose.

The address is a stranger's, so it goes through the safe fetcher: every address that its name leads to must be public,
the connection goes to the one that was checked, and no redirect is followed, wherever it leads. Belongs here: settings,
sending, trying again. Not here: payload and signature (`domain/entity_export/webhook.py`), what becomes of an export
whose webhook fails (the pipeline: nothing).
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import dagster as dg
from pydantic import Field, PrivateAttr

from cdp_pipelines.domain.entity_export.webhook import (
    TrustedHosts,
    WebhookMessage,
    company_secret,
    read_webhook_address,
    signed_headers,
)
from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.domain.web_address import FetchBlocked, FetchPolicy
from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.http_client import seconds_until_retry
from cdp_pipelines.resources.safe_http import SafeFetcher, system_resolver
from cdp_pipelines.resources.safe_http_errors import FetchFailed
from cdp_pipelines.resources.trusted_hosts import read_host_ports

if TYPE_CHECKING:
    import httpcore
    from tenacity import RetryCallState

KEY_SETTING: Final = "CDP_WEBHOOK_SIGNING_KEY"
TRUSTED_SETTING: Final = "CDP_WEBHOOK_TRUSTED_HOSTS"
SHORTEST_KEY: Final = 32

FAILED: Final = "WEBHOOK_FAILED"
BLOCKED: Final = "WEBHOOK_BLOCKED"
REFUSED: Final = "WEBHOOK_REFUSED"

RETRY_WAITS_SECONDS: Final = (1.0, 3.0, 9.0)
LONGEST_WAIT_SECONDS: Final = 30.0
"""Of a `Retry-After`: a longer one is cut, so that a run keeps its lease while it waits."""
CONNECT_SECONDS: Final = 5.0
TRY_SECONDS: Final = 10.0
LARGEST_ANSWER_BYTES: Final = 64 * 1024
_JITTER: Final = 0.25
"""Of a wait, so that exports which failed together do not come again together."""

_SUCCESS: Final = range(200, 300)
_SERVER_FAULT: Final = range(500, 600)
_PASSING: Final = frozenset({408, 425, 429})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivered:
    """A receiver took it: with which status, and at which try, counted from 1."""

    http_status: int
    tries: int


class _TryAgain(Exception):
    """A try that failed in a way that may pass. The message names the host at most."""

    def __init__(self, message: str, *, http_status: int | None = None, after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.after_seconds = min(after_seconds, LONGEST_WAIT_SECONDS)


class WebhookSender:
    """Sends notices, each signed with its company's secret. `close()` when done.

    `trusted` are hosts and ports that may be private and without TLS. `retry_waits` are the seconds before each further
    try, a quarter more at most; `resolve` and `connect` are the safe fetcher's, for tests.
    """

    def __init__(
        self,
        *,
        signing_key: str,
        trusted: TrustedHosts = frozenset(),
        retry_waits: Sequence[float] = RETRY_WAITS_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
        try_seconds: float = TRY_SECONDS,
        resolve: Callable[[str, int], Sequence[str]] = system_resolver,
        connect: "Callable[[str, int, float], httpcore.NetworkStream] | None" = None,
    ) -> None:
        self._signing_key = signing_key
        self._trusted = trusted
        self._retry_waits = tuple(retry_waits)
        policy = FetchPolicy(
            allowed_hosts=None,
            trusted=trusted,
            largest_bytes=LARGEST_ANSWER_BYTES,
            connect_seconds=connect_seconds,
            read_seconds=try_seconds,
            total_seconds=try_seconds,
        )
        self._fetcher = SafeFetcher(policy, resolve=resolve, connect=connect)

    def secret_of(self, company_sso_id: str) -> str:
        """What the company's receiver verifies signatures with; for the company alone."""
        return company_secret(self._signing_key, company_sso_id)

    def send(
        self, url: str, message: WebhookMessage, *, company_sso_id: str, request_id: str, once: bool = False
    ) -> WebhookDelivered:
        """POST a notice; any 2xx is success. At most four tries of ten seconds; `once`: one, for who cannot wait.

        Tried again after a timeout, a failed connection, a 5xx, 408, 425 or 429. A receiver may get the same notice
        twice and goes by its `webhook-id`.

        Raises:
            TransientFailure: `WEBHOOK_FAILED`, all tries were spent, or the host has no address or no certificate.
            PermanentFailure: `WEBHOOK_BLOCKED`, the address is none that anything is sent to; `WEBHOOK_REFUSED`, the
                receiver redirected or answered with another 4xx.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        tries = 1 if once else 1 + len(self._retry_waits)
        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_attempt(tries),
            wait=self._wait,
            before_sleep=_say(request_id),
            reraise=True,
        )
        secret = self.secret_of(company_sso_id)
        try:
            host = read_webhook_address(url, self._trusted).host
            status = retrying(self._once, url, host, message, secret, request_id)
        except FetchBlocked as exc:
            raise PermanentFailure(BLOCKED, f"Nothing was sent to the webhook. {exc.message}") from exc
        except FetchFailed as exc:
            raise TransientFailure(FAILED, f"The webhook was not delivered. {exc.message}") from exc
        except _TryAgain as exc:
            details = {"http_status": exc.http_status} if exc.http_status else None
            raise TransientFailure(
                FAILED, f"The webhook was not delivered in {tries} {'try' if once else 'tries'}. {exc}", details=details
            ) from exc
        return WebhookDelivered(http_status=status, tries=retrying.statistics["attempt_number"])

    def close(self) -> None:
        """Give the connections back."""
        self._fetcher.close()

    def _once(self, url: str, host: str, message: WebhookMessage, secret: str, request_id: str) -> int:
        headers = {
            "Content-Type": "application/json",
            "X-Request-ID": request_id,
            **signed_headers(secret, message, now=datetime.now(UTC)),
        }
        try:
            posted = self._fetcher.post(url, message.body, headers=headers)
        except FetchFailed as exc:
            if exc.worth_retrying:
                raise _TryAgain(exc.message) from exc
            raise
        status = posted.http_status
        if status in _SUCCESS:
            return status
        if status in _SERVER_FAULT or status in _PASSING:
            raise _TryAgain(
                f"{host} answered HTTP {status}.",
                http_status=status,
                after_seconds=seconds_until_retry(posted.retry_after),
            )
        hint = ", a redirect, which is never followed" if 300 <= status < 400 else ""
        raise PermanentFailure(
            REFUSED, f"The webhook was refused: {host} answered HTTP {status}{hint}.", details={"http_status": status}
        )

    def _wait(self, state: "RetryCallState") -> float:
        # tenacity asks for a wait after the last try as well.
        own = self._retry_waits[state.attempt_number - 1] if state.attempt_number <= len(self._retry_waits) else 0.0
        own *= 1 + random.uniform(0, _JITTER)  # noqa: S311 - a wait is no secret
        failed = state.outcome.exception() if state.outcome else None
        return max(own, failed.after_seconds) if isinstance(failed, _TryAgain) else own


class WebhooksResource(dg.ConfigurableResource[None]):
    """Signed notices to companies' servers. Settings: `CDP_WEBHOOK_SIGNING_KEY`, `CDP_WEBHOOK_TRUSTED_HOSTS`."""

    signing_key: str = Field(
        default="", description="What companies' secrets are derived from, a secret; empty: CDP_WEBHOOK_SIGNING_KEY."
    )
    trusted_hosts: str = Field(
        default="",
        description="host:port, comma-separated, that may be in a private network and without TLS; empty: "
        "CDP_WEBHOOK_TRUSTED_HOSTS, and none if that is unset.",
    )

    _sender: Any = PrivateAttr(default=None)

    def open(self) -> WebhookSender:
        """The sender, made once a process; nothing is contacted yet.

        Raises:
            ConfigurationError: a setting is missing or wrong; the message names it.
        """
        if self._sender is None:
            self._sender = WebhookSender(signing_key=self._key(), trusted=self.trusted())
        return cast(WebhookSender, self._sender)

    def trusted(self) -> TrustedHosts:
        """Hosts and ports that may be private, for admission.

        Raises:
            ConfigurationError: `SETTING_INVALID`.
        """
        return read_host_ports(optional_setting(TRUSTED_SETTING, self.trusted_hosts), setting=TRUSTED_SETTING)

    def setup_problem(self) -> str | None:
        """Why no webhook can be sent from here, as text for people; None if the setting that signs them is right."""
        try:
            self._key()
        except ConfigurationError as exc:
            return f"Webhooks are not set up here. {exc.message}"
        return None

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Close the connections of this process."""
        self.close()

    def close(self) -> None:
        """Close the connections of this process."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def _key(self) -> str:
        key = required_setting(KEY_SETTING, self.signing_key)
        if len(key) < SHORTEST_KEY:
            raise ConfigurationError(
                "SETTING_INVALID",
                f"{KEY_SETTING} must have at least {SHORTEST_KEY} characters, such as openssl rand -base64 32 gives.",
            )
        return key


def _say(request_id: str) -> "Callable[[RetryCallState], None]":
    def say(state: "RetryCallState") -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        _log.warning("webhook request_id=%s is tried again in %.1f s: %s", request_id, seconds, error)

    return say
