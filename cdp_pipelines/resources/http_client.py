"""The one way in which small JSON messages go to our HTTP neighbours: five seconds, one retry, no redirects.

Belongs here: the policy that notifications, the export history and alerts share (SPEC 3.4, REV-8). Not here: what is
posted and to which path. Fetching addresses that strangers chose needs far more care and does not belong here either.
"""

import base64
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

from cdp_pipelines.domain.errors import CdpError, ConfigurationError, PermanentFailure, TransientFailure

TIMEOUT_SECONDS: Final = 5.0
ATTEMPTS: Final = 2
RETRY_WAIT_SECONDS: Final = 0.5
LARGEST_ANSWER_BYTES: Final = 4 * 1024 * 1024
_ANSWERS_WITHIN: Final = 3
"""An answer that is read may trickle for this many times the time limit."""

_TOO_MANY_REQUESTS: Final = 429
_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_SERVER_FAULT: Final = range(500, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEndpoint:
    """A neighbour. `setting` is the environment variable that holds its address, `name` what people call it.

    `code` begins its error codes: `{code}_UNAVAILABLE`, `{code}_REFUSED`. `authorization` is sent as it is, where there
    is no `client_id` and `secret`. Times are in seconds.
    """

    name: str
    code: str
    setting: str
    url: str = field(repr=False)
    client_id: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    retry_wait_seconds: float = RETRY_WAIT_SECONDS

    def __post_init__(self) -> None:
        """Refuse an address that is not one, or that hides a password.

        Raises:
            ConfigurationError: `SETTING_INVALID`.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
            raise ConfigurationError(
                "SETTING_INVALID", f"{self.setting} must be an address such as https://api.example.com, without user."
            )


def post_json(
    endpoint: HttpEndpoint, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
) -> None:
    """POST `body`; any 2xx is success and its content is not read.

    The time limit holds for connecting, for sending and for waiting, each. Tried once more after a failed connection, a
    timeout, a 5xx or a 429; so the neighbour may get the same message twice and should go by `X-Request-ID`.

    Raises:
        TransientFailure: `{code}_UNAVAILABLE`, the second attempt failed as well.
        PermanentFailure: `{code}_REFUSED`, a 4xx, or a redirect, which is never followed.
    """
    _post(endpoint, path, body, headers, largest_answer=0)


def ask_json(
    endpoint: HttpEndpoint, path: str, body: Mapping[str, Any], *, headers: Mapping[str, str] | None = None
) -> Any:
    """POST `body` as `post_json` does, and return the JSON of the answer, of at most `LARGEST_ANSWER_BYTES`.

    Raises:
        TransientFailure: as `post_json`; also `{code}_UNAVAILABLE` for an answer that is too large or no JSON.
        PermanentFailure: as `post_json`.
    """
    answer = _post(endpoint, path, body, headers, largest_answer=LARGEST_ANSWER_BYTES)
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as exc:
        raise TransientFailure(f"{endpoint.code}_UNAVAILABLE", f"{endpoint.name} did not answer with JSON.") from exc


def _post(
    endpoint: HttpEndpoint,
    path: str,
    body: Mapping[str, Any],
    headers: Mapping[str, str] | None,
    *,
    largest_answer: int,
) -> bytes:
    import httpx
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

    keep_urls_out_of_logs()
    sent = {name: printable(value) for name, value in (headers or {}).items()}
    if endpoint.client_id or endpoint.secret:
        pair = f"{endpoint.client_id}:{endpoint.secret}".encode()
        sent["Authorization"] = f"Basic {base64.b64encode(pair).decode('ascii')}"
    elif endpoint.authorization:
        sent["Authorization"] = endpoint.authorization
    retrying = Retrying(
        retry=retry_if_exception_type(TransientFailure),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(endpoint.retry_wait_seconds),
        reraise=True,
    )
    with httpx.Client(timeout=endpoint.timeout_seconds, follow_redirects=False, headers=sent) as client:
        return retrying(_post_once, client, endpoint, path, body, largest_answer)


def _post_once(client: Any, endpoint: HttpEndpoint, path: str, body: Mapping[str, Any], largest_answer: int) -> bytes:
    import httpx

    answer = bytearray()
    deadline = time.monotonic() + _ANSWERS_WITHIN * endpoint.timeout_seconds
    try:
        # Streamed, and read only as far as wanted: an endless answer must not hold us up.
        with client.stream("POST", endpoint.url.rstrip("/") + path, json=body) as response:
            status = response.status_code
            if largest_answer and status in _SUCCESS:
                for chunk in response.iter_bytes():
                    answer += chunk
                    if len(answer) > largest_answer or time.monotonic() > deadline:
                        raise TransientFailure(
                            f"{endpoint.code}_UNAVAILABLE", f"{endpoint.name} answered too much or too slowly."
                        )
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise TransientFailure(
            f"{endpoint.code}_UNAVAILABLE",
            f"{endpoint.name} did not answer ({type(exc).__name__}). Check {endpoint.setting} (cdp doctor).",
        ) from exc
    failure = _failure(endpoint, status)
    if failure is not None:
        raise failure
    return bytes(answer)


def _failure(endpoint: HttpEndpoint, status: int) -> CdpError | None:
    details = {"http_status": status}
    if status in _SUCCESS:
        return None
    if status in _SERVER_FAULT or status == _TOO_MANY_REQUESTS:
        return TransientFailure(
            f"{endpoint.code}_UNAVAILABLE", f"{endpoint.name} answered HTTP {status}.", details=details
        )
    hint = f"it redirects; is {endpoint.setting} right?" if status in _REDIRECT else f"check {endpoint.setting}."
    return PermanentFailure(
        f"{endpoint.code}_REFUSED", f"{endpoint.name} answered HTTP {status}: {hint}", details=details
    )


def printable(value: str) -> str:
    """A value that is safe in a header: letters that HTTP forbids become `?`."""
    return "".join(c if " " <= c <= "~" else "?" for c in value).strip()


def seconds_until_retry(retry_after: str) -> float:
    """`Retry-After` as seconds from now, 0 if it is none; a number of seconds or a date (RFC 9110, 10.2.3)."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()


class _OriginOnly(logging.Filter):
    """httpx logs every address in full at INFO; a webhook's path is its password."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_origin(a) if type(a).__name__ == "URL" else a for a in record.args)
        return True


def _origin(url: object) -> str:
    parts = urlsplit(str(url))
    return f"{parts.scheme}://{parts.hostname}/…"


def keep_urls_out_of_logs() -> None:
    """Have httpx's log lines name the host only. May be called any number of times."""
    logger = logging.getLogger("httpx")
    if not any(isinstance(f, _OriginOnly) for f in logger.filters):
        logger.addFilter(_OriginOnly())
