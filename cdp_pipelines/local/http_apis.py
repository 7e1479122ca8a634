"""The neighbours' HTTP APIs for development and tests: real servers that speak the contract and write down what came.

    python -m cdp_pipelines.local.http_apis --port 8080 --records requests.jsonl [--launchpad-users users.json]

| route | answer |
|---|---|
| `POST /notif/v1/notifications` | 201 `{id}` |
| `POST /report/v1/billings/logs/export` | 201 `{id}` |
| `POST /GetUsersByEmails` `{company_sso_id, emails}` | 200 `{users: [{email, sso_id, name}]}`, those known |
| `POST /alerts` | 200 `ok` |
| `POST /_control` `{path, status?, delay_seconds?, drop?, times?}` | 204; from now on that path fails so |
| `GET /_control`, `DELETE /_control` | 200 the failures in force; 204 none any more |

Credentials are asked where the environment of this process sets them: `NOTIFICATION_API_CLIENT_ID` and `_SECRET`,
`EXPORT_HISTORY_API_CLIENT_ID` and `_SECRET`, `LAUNCHPAD_API_AUTH`. Not here: reading what was written down
(`api_records`).
"""

import argparse
import base64
import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import urlsplit

from cdp_pipelines.local.api_records import (
    ALERTS,
    CONTROL,
    DROPPED,
    EXPORT_HISTORY,
    LAUNCHPAD,
    NOTIFICATIONS,
    ApiFailure,
)
from cdp_pipelines.local.ports import HOST

UNKNOWN_DOMAIN: Final = "@unknown.example"
"""Users with such an address are nobody to the launchpad, unless a list of users names them."""

_LARGEST_BODY_BYTES: Final = 10 * 1024 * 1024
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie"})
Answer: TypeAlias = tuple[int, object]
"""Status and what goes into the body as JSON; None: no body."""


class Neighbours:
    """What the APIs know and do, apart from HTTP. Safe to use from many threads."""

    def __init__(self, records: Path, environment: Mapping[str, str], launchpad_users: Path | None = None) -> None:
        self._records = records
        self._expected = _expected_authorization(environment)
        self._users = json.loads(launchpad_users.read_text(encoding="utf-8")) if launchpad_users else None
        self._lock = threading.Lock()
        self._failures: list[ApiFailure] = []
        self._used: dict[int, int] = {}

    def authorized(self, path: str, authorization: str) -> bool:
        """Whether the header is what the API at this path asks; an API that asks nothing takes anything."""
        return self._expected.get(path, authorization) == authorization

    def next_failure(self, path: str) -> ApiFailure | None:
        """The failure due for this path now, which uses it up once."""
        with self._lock:
            for index, failure in enumerate(self._failures):
                used = self._used.get(index, 0)
                if failure.path == path and (failure.times is None or used < failure.times):
                    self._used[index] = used + 1
                    return failure
        return None

    def answer(self, path: str, body: Any) -> Answer:
        """What the contract says to a well-formed, authorized request."""
        if path in (NOTIFICATIONS, EXPORT_HISTORY):
            return (201, {"id": str(uuid.uuid4())}) if isinstance(body, dict) else (400, {"error": "not an object"})
        if path == ALERTS:
            return (200, "ok") if isinstance(body, dict) and "text" in body else (400, "no_text")
        if path == LAUNCHPAD:
            return self._find_users(body)
        return 404, {"error": "no such route"}

    def control(self, method: str, body: Any) -> Answer:
        """Ask for failures, show them, or end them."""
        with self._lock:
            if method == "POST":
                try:
                    self._failures.append(ApiFailure(**body))
                except TypeError as exc:
                    return 400, {"error": str(exc)}
                return 204, None
            if method == "DELETE":
                self._failures.clear()
                self._used.clear()
                return 204, None
            return 200, [asdict(failure) for failure in self._failures]

    def write_down(self, record: Mapping[str, object]) -> None:
        """Add one line to the records."""
        line = json.dumps(record, ensure_ascii=False) + "\n"
        with self._lock, self._records.open("a", encoding="utf-8") as file:
            file.write(line)

    def _find_users(self, body: Any) -> Answer:
        emails = body.get("emails") if isinstance(body, dict) else None
        company = body.get("company_sso_id") if isinstance(body, dict) else None
        if not isinstance(company, str) or not isinstance(emails, list):
            return 400, {"error": "company_sso_id and emails are needed"}
        return 200, {"users": [user for email in emails if (user := self._user(company, str(email)))]}

    def _user(self, company: str, email: str) -> dict[str, str] | None:
        if self._users is not None:
            known = self._users.get(company, {}).get(email.casefold())
            return {"email": email, **known} if known else None
        if email.casefold().endswith(UNKNOWN_DOMAIN):
            return None
        # Without a list everybody else is known, under an id that is the same on every machine.
        number = uuid.uuid5(uuid.NAMESPACE_URL, f"{company}/{email.casefold()}")
        return {"email": email, "sso_id": str(number), "name": email.split("@", 1)[0].replace(".", " ").title()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it is written down; header names in lower case, secrets left out."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))


class NeighbourHandler(BaseHTTPRequestHandler):
    """HTTP around `Neighbours`."""

    neighbours: ClassVar[Neighbours]
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """Answer."""
        self._serve()

    def do_POST(self) -> None:
        """Answer."""
        self._serve()

    def do_DELETE(self) -> None:
        """Answer."""
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Stay silent: the records say it all."""

    def _serve(self) -> None:
        try:
            request = self._read()
        except ValueError:
            self._send(400, {"error": "not JSON, or too large"})
            self.close_connection = True
            return
        if request.path == CONTROL:
            self._send(*self.neighbours.control(request.method, request.body))
            return
        failure = self.neighbours.next_failure(request.path)
        status, answer = self._decide(request, failure)
        # Before the delay: a client that gives up has been heard all the same.
        self.neighbours.write_down({**asdict(request), "status": status})
        if failure is not None:
            time.sleep(failure.delay_seconds)
        if failure is not None and failure.drop:
            self.close_connection = True
            return
        self._send(status, answer)

    def _decide(self, request: Request, failure: ApiFailure | None) -> Answer:
        if failure is not None and (failure.drop or failure.status is not None):
            return failure.status or DROPPED, {"error": "asked for by the control"}
        if not self.neighbours.authorized(request.path, self.headers.get("Authorization", "")):
            return 401, {"error": "unauthorized"}
        if request.method != "POST":
            return 404, {"error": "no such route"}
        return self.neighbours.answer(request.path, request.body)

    def _read(self) -> Request:
        length = int(self.headers.get("Content-Length", "0"))
        if length > _LARGEST_BODY_BYTES:
            raise ValueError("too large")
        raw = self.rfile.read(length)
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=parts.path,
            query=parts.query,
            headers={
                name.lower(): "(kept out)" if name.lower() in _SECRET_HEADERS else value
                for name, value in self.headers.items()
            },
            body=json.loads(raw) if raw else None,
        )

    def _send(self, status: int, answer: object) -> None:
        content = b"" if answer is None else json.dumps(answer, ensure_ascii=False).encode()
        try:
            self.send_response(status)
            if answer is not None:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            # The client gave up waiting.
            self.close_connection = True


def _expected_authorization(environment: Mapping[str, str]) -> dict[str, str]:
    expected = {}
    for path, prefix in ((NOTIFICATIONS, "NOTIFICATION_API"), (EXPORT_HISTORY, "EXPORT_HISTORY_API")):
        client_id, secret = environment.get(f"{prefix}_CLIENT_ID", ""), environment.get(f"{prefix}_SECRET", "")
        if client_id or secret:
            expected[path] = "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode("ascii")
    if environment.get("LAUNCHPAD_API_AUTH"):
        expected[LAUNCHPAD] = environment["LAUNCHPAD_API_AUTH"]
    return expected


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and serve on 127.0.0.1 until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The neighbours' HTTP APIs, for development and tests.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--records", type=Path, required=True, help="file that gets a JSON line for each request")
    parser.add_argument("--launchpad-users", type=Path, help='JSON: {company: {email: {"sso_id": …, "name": …}}}')
    arguments = parser.parse_args(argv)
    neighbours = Neighbours(arguments.records, os.environ, arguments.launchpad_users)
    handler = type("Handler", (NeighbourHandler,), {"neighbours": neighbours})
    server = ThreadingHTTPServer((HOST, arguments.port), handler)
    # Leaving at once: nothing here is worth finishing, and `shutdown` may not be called from the serving thread.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
