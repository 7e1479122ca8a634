"""Asking the CRM's HTTP API for JSON: a time limit, one try and three more, and a plain error when all were spent.

Belongs here: the policy of SPEC 6 (decided: waits of 1, 3 and 9 seconds on a timeout, a failed connection, 5xx, 423 and
429, with `Retry-After` honoured). Not here: paths and what answers mean (`crm_notes_api.py`).
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.http_client import HttpEndpoint, keep_urls_out_of_logs, printable, seconds_until_retry

if TYPE_CHECKING:
    from httpx import Client
    from tenacity import RetryCallState

EXTRACT_FAILED: Final = "CRM_EXTRACT_FAILED"
RETRY_WAITS: Final = (1.0, 3.0, 9.0)
LONGEST_WAIT_SECONDS: Final = 120.0
"""Of a `Retry-After`: a longer one is cut, so that a run keeps its lease while it waits."""
LARGEST_ANSWER_BYTES: Final = 256 * 1024 * 1024
_ANSWERS_WITHIN: Final = 6
"""An answer that is being read may trickle for this many times the time limit."""
_LOCKED: Final = 423
_TOO_MANY_REQUESTS: Final = 429
_SUCCESS: Final = 200
_SERVER_FAULT: Final = range(500, 600)

_log = logging.getLogger(__name__)


class _TryAgain(TransientFailure):
    """One try failed in a way that may pass; `after_seconds` is how long the CRM asked us to stay away."""

    def __init__(self, problem: str, after_seconds: float = 0.0, *, status: int | None = None) -> None:
        details = {} if status is None else {"http_status": status}
        super().__init__(EXTRACT_FAILED, f"The CRM's API {problem}.", details=details)
        self.after_seconds = min(max(after_seconds, 0.0), LONGEST_WAIT_SECONDS)


class CrmApi:
    """The API on behalf of one request; connections are kept until `close()`."""

    def __init__(
        self,
        endpoint: HttpEndpoint,
        *,
        request_id: str = "",
        retry_waits: Sequence[float] = RETRY_WAITS,
        largest_answer: int = LARGEST_ANSWER_BYTES,
    ) -> None:
        self._endpoint = endpoint
        self._largest_answer = largest_answer
        self._headers = {"Authorization": endpoint.authorization, "Accept": "application/json"}
        if request_id:
            self._headers["X-Request-ID"] = printable(request_id)
        self._retry_waits = tuple(retry_waits)
        self._client: Client | None = None

    def get(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        """The JSON that the API answers with.

        Raises:
            TransientFailure: `CRM_EXTRACT_FAILED`, all tries were spent.
            PermanentFailure: `CRM_EXTRACT_FAILED`, the API refuses, redirects, or answers with something else.
            ConfigurationError: `SETTING_INVALID`, no request can be made of the settings.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        retrying = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_attempt(1 + len(self._retry_waits)),
            wait=self._wait,
            before_sleep=_say,
            reraise=True,
        )
        try:
            return retrying(self._once, path, parameters)
        except _TryAgain as exc:
            raise TransientFailure(
                EXTRACT_FAILED,
                f"{exc.message} It was tried {1 + len(self._retry_waits)} times; check {self._endpoint.setting} and "
                "start again, which goes on from here.",
                details=exc.details,
            ) from exc

    def close(self) -> None:
        """Give the connections back."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _wait(self, state: "RetryCallState") -> float:
        asked = state.outcome.exception() if state.outcome else None
        # tenacity asks for a wait after the last try as well.
        own = self._retry_waits[state.attempt_number - 1] if state.attempt_number <= len(self._retry_waits) else 0.0
        return max(own, asked.after_seconds) if isinstance(asked, _TryAgain) else own

    def _once(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        import httpx

        answer = bytearray()
        deadline = time.monotonic() + _ANSWERS_WITHIN * self._endpoint.timeout_seconds
        url = self._endpoint.url.rstrip("/") + path
        try:
            with self._connected().stream("GET", url, params=dict(parameters)) as response:
                _refuse(response.status_code, response.headers.get("Retry-After", ""), self._endpoint.setting)
                for chunk in response.iter_bytes():
                    answer += chunk
                    if len(answer) > self._largest_answer:
                        raise PermanentFailure(
                            EXTRACT_FAILED, f"The CRM's API answered with more than {self._largest_answer:,} bytes."
                        )
                    if time.monotonic() > deadline:
                        raise _TryAgain("answered too slowly")
        except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError) as exc:
            # Its text may hold the header that cannot be sent, which is the secret.
            raise ConfigurationError(
                "SETTING_INVALID",
                f"No request can be made of {self._endpoint.setting} and CRM_API_AUTH ({type(exc).__name__}); one of "
                "them holds something that an address or a header cannot.",
            ) from None
        except (httpx.TransportError, httpx.DecodingError) as exc:
            # Its text may hold the address; the class says enough.
            raise _TryAgain(f"did not answer ({type(exc).__name__})") from None
        try:
            return json.loads(answer)
        except (ValueError, RecursionError) as exc:
            raise PermanentFailure(EXTRACT_FAILED, "The CRM's API did not answer with JSON.") from exc

    def _connected(self) -> "Client":
        import httpx

        if self._client is None:
            keep_urls_out_of_logs()
            self._client = httpx.Client(
                timeout=self._endpoint.timeout_seconds, follow_redirects=False, headers=self._headers
            )
        return self._client


def _refuse(status: int, retry_after: str, setting: str) -> None:
    """Raise for an answer that is none."""
    if status == _SUCCESS:
        return
    if status in _SERVER_FAULT or status in {_LOCKED, _TOO_MANY_REQUESTS}:
        raise _TryAgain(f"answered HTTP {status}", seconds_until_retry(retry_after), status=status)
    raise PermanentFailure(
        EXTRACT_FAILED,
        f"The CRM's API answered HTTP {status}. Check {setting}, CRM_API_AUTH and the company's cid.",
        details={"http_status": status},
    )


def _say(state: "RetryCallState") -> None:
    error = state.outcome.exception() if state.outcome else None
    seconds = state.next_action.sleep if state.next_action else 0.0
    _log.warning("asking the CRM's API again in %.1f s: %s", seconds, error)
