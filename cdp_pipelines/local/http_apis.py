"""The neighbours' HTTP APIs for development and tests: real servers that speak the contract and write down what came.

    python -m cdp_pipelines.local.http_apis --port 8080 --records requests.jsonl [--launchpad-users users.json]

| route | answer |
|---|---|
| `POST /notif/v1/notifications` | 201 `{id}` |
| `POST /report/v1/billings/logs/export` | 201 `{id}` |
| `POST /GetUsersByEmails` `{company_sso_id, emails}` | 200 `{users: [{email, sso_id, name}]}`, those known |
| `POST /alerts` | 200 `ok` |
| `POST /hooks/{company_sso_id}` | 204 if the company's signature holds, else 401; a company's receiver of webhooks |
| `POST /_control` `{path, status?, delay_seconds?, drop?, times?, retry_after?}` | 204; that path fails so now |
| `GET /_control`, `DELETE /_control` | 200 the failures in force; 204 none any more |

Credentials are asked where the environment of this process sets them: `NOTIFICATION_API_CLIENT_ID` and `_SECRET`,
`EXPORT_HISTORY_API_CLIENT_ID` and `_SECRET`, `LAUNCHPAD_API_AUTH`. Webhooks are verified with the secret that follows
from `CDP_WEBHOOK_SIGNING_KEY`, as a company would that was told its secret. Not here: HTTP, the control and the records
(`api_server`), the CRM (`crm_api`).
"""

import argparse
import base64
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias
from urllib.parse import unquote

from cdp_pipelines.domain.entity_export.webhook import company_secret, verify
from cdp_pipelines.local.api_records import ALERTS, EXPORT_HISTORY, HOOKS, LAUNCHPAD, NOTIFICATIONS
from cdp_pipelines.local.api_server import ApiDesk, ApiHandler, Reply, Request, serve

UNKNOWN_DOMAIN: Final = "@unknown.example"
"""Users with such an address are nobody to the launchpad, unless a list of users names them."""

SIGNING_KEY_SETTING: Final = "CDP_WEBHOOK_SIGNING_KEY"

Answer: TypeAlias = tuple[int, object]
"""Status and what goes into the body as JSON; None: no body."""


class Neighbours(ApiDesk):
    """What the APIs know and do, apart from HTTP. Safe to use from many threads."""

    def __init__(self, records: Path, environment: Mapping[str, str], launchpad_users: Path | None = None) -> None:
        super().__init__(records)
        self._expected = _expected_authorization(environment)
        self._signing_key = environment.get(SIGNING_KEY_SETTING, "")
        self._users = json.loads(launchpad_users.read_text(encoding="utf-8")) if launchpad_users else None

    def authorized(self, path: str, authorization: str) -> bool:
        """Whether the header is what the API at this path asks; an API that asks nothing takes anything."""
        return self._expected.get(path, authorization) == authorization

    def answer(self, path: str, body: Any) -> Answer:
        """What the contract says to a well-formed, authorized request."""
        if path in (NOTIFICATIONS, EXPORT_HISTORY):
            return (201, {"id": str(uuid.uuid4())}) if isinstance(body, dict) else (400, {"error": "not an object"})
        if path == ALERTS:
            return (200, "ok") if isinstance(body, dict) and "text" in body else (400, "no_text")
        if path == LAUNCHPAD:
            return self._find_users(body)
        return 404, {"error": "no such route"}

    def receive(self, company_sso_id: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        """What a company's receiver does: nothing that is not signed with the company's own secret is believed."""
        secret = company_secret(self._signing_key, company_sso_id)
        if not self._signing_key or not verify(secret, headers, raw, now=datetime.now(UTC)):
            return 401, {"error": "the signature does not hold"}
        return 204, None

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


class NeighbourHandler(ApiHandler):
    """HTTP around `Neighbours`."""

    desk: ClassVar[Neighbours]

    def reply(self, request: Request) -> Reply:
        """See `ApiHandler.reply`."""
        status, body = self._decide(request)
        return Reply(status=status, body=body)

    def _decide(self, request: Request) -> Answer:
        if not self.desk.authorized(request.path, self.headers.get("Authorization", "")):
            return 401, {"error": "unauthorized"}
        if request.method != "POST":
            return 404, {"error": "no such route"}
        if request.path.startswith(f"{HOOKS}/"):
            company_sso_id = unquote(request.path.removeprefix(f"{HOOKS}/"))
            return self.desk.receive(company_sso_id, request.headers, request.raw)
        return self.desk.answer(request.path, request.body)


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
    serve(type("Handler", (NeighbourHandler,), {"desk": neighbours}), arguments.port)


if __name__ == "__main__":
    main()
