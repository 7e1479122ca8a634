"""What the local HTTP APIs were asked, and asking them to fail.

Belongs here: the records and the control as seen from outside. Not here: the servers (`http_apis`,
`crm_api`).
"""

import http.client
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

NOTIFICATIONS: Final = "/notif/v1/notifications"
EXPORT_HISTORY: Final = "/report/v1/billings/logs/export"
LAUNCHPAD: Final = "/GetUsersByEmails"
ALERTS: Final = "/alerts"
HOOKS: Final = "/hooks"
"""Below it, each company has a receiver of webhooks at its own path."""
CONTROL: Final = "/_control"
DROPPED: Final = 0
"""The status written down for a request whose connection was closed without an answer."""
_CONTROL_SECONDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFailure:
    """What goes wrong at one path. `status` None: the usual answer, after `delay_seconds`.

    `drop` closes the connection instead of answering. `times`: how often; None: until cleared. `retry_after`: the
    header of that name, seconds or a date, beside `status`.
    """

    path: str
    status: int | None = None
    delay_seconds: float = 0.0
    drop: bool = False
    times: int | None = None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request as it came; `status` is what it was answered, header names are in lower case."""

    at: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    status: int


def read_requests(records: Path, *, skip: int = 0, path: str | None = None) -> list[ApiRequest]:
    """The requests in the order they came, without the first `skip`; with `path` only those to it.

    Records that do not exist yet are empty.
    """
    if not records.exists():
        return []
    # A line that is being written has no end yet.
    lines = [line for line in records.read_text(encoding="utf-8").split("\n")[:-1] if line]
    requests = [ApiRequest(**json.loads(line)) for line in lines[skip:]]
    return [request for request in requests if path is None or request.path == path]


def hook_path(company_sso_id: str) -> str:
    """Where a company's receiver of webhooks is."""
    return f"{HOOKS}/{quote(company_sso_id, safe='')}"


class ApiControl:
    """Asks the local APIs at `root_url` to fail, for tests."""

    def __init__(self, root_url: str) -> None:
        self._netloc = urlsplit(root_url).netloc

    def fail(self, failure: ApiFailure) -> None:
        """From now on, besides what was asked before."""
        self._send("POST", asdict(failure))

    def clear(self) -> None:
        """Everything works again."""
        self._send("DELETE", None)

    def _send(self, method: str, document: object) -> None:
        connection = http.client.HTTPConnection(self._netloc, timeout=_CONTROL_SECONDS)
        try:
            body = None if document is None else json.dumps(document)
            connection.request(method, CONTROL, body=body, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise ValueError(f"The local APIs do not take this: {content.decode(errors='replace')}")
