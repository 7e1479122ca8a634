"""The demo CRM's HTTP API for development and tests: its notes from PostgreSQL, and the files that hang on them.

    python -m cdp_pipelines.local.crm_api --port 8080 --records requests.jsonl

| route | answer |
|---|---|
| `GET /api/v1/organizations/{cid}/person_notes?page=&per_page=` | `{data: [note], pagination}` |
| `GET /files/...` | a file, without credentials (`crm_files`) |
| `/_control` | as in `http_apis` |

The environment of this process holds `CRM_API_AUTH`, which the header `Authorization` must equal, and
`CRM_AUDIT_DATABASE_URL`. Not here: SQL (`crm_api_notes`), HTTP, the control and the records (`api_server`).
"""

import argparse
import hmac
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import parse_qs

from cdp_pipelines.local.api_server import ApiDesk, ApiHandler, Reply, Request, serve
from cdp_pipelines.local.crm_api_notes import notes_page
from cdp_pipelines.local.crm_files import FILES, file_reply
from cdp_pipelines.resources.crm_session import startup_options

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import DictRow

AUTH_SETTING: Final = "CRM_API_AUTH"
DATABASE_SETTING: Final = "CRM_AUDIT_DATABASE_URL"
MOST_PER_PAGE: Final = 1_000
DEFAULT_PER_PAGE: Final = 500

_NOTES_ROUTE: Final = re.compile(r"/api/v1/organizations/(\d{1,18})/person_notes")
_HIGHEST_PAGE: Final = 10**9
_ATTEMPTS: Final = 2
"""A connection that was kept may have been closed by a server that was started again."""


def notes_path(cid: int) -> str:
    """The path of an organization's notes."""
    return f"/api/v1/organizations/{cid}/person_notes"


class CrmDesk(ApiDesk):
    """The records and failures, and where the CRM's database is."""

    def __init__(self, records: Path, *, authorization: str, dsn: str) -> None:
        super().__init__(records)
        self._authorization = authorization.encode()
        self.dsn = dsn

    def authorized(self, authorization: str) -> bool:
        """Whether the header is the one that is asked for."""
        return hmac.compare_digest(authorization.encode(), self._authorization)


class CrmHandler(ApiHandler):
    """One client's connection, with a connection to the database of its own once it is needed."""

    desk: ClassVar[CrmDesk]
    _crm: "Connection[DictRow] | None" = None

    def reply(self, request: Request) -> Reply:
        """See `ApiHandler.reply`."""
        if request.method == "GET" and request.path.startswith(FILES):
            return file_reply(request.path)
        route = _NOTES_ROUTE.fullmatch(request.path)
        if not self.desk.authorized(self.headers.get("Authorization", "")):
            return Reply(status=401, body={"error": "unauthorized"})
        if route is None or request.method != "GET":
            return Reply(status=404, body={"error": "no such route"})
        query = parse_qs(request.query)
        page = _number(query.get("page", ["1"]), _HIGHEST_PAGE)
        per_page = _number(query.get("per_page", [str(DEFAULT_PER_PAGE)]), MOST_PER_PAGE)
        if page is None or per_page is None:
            return Reply(status=400, body={"error": f"page is from 1 on, per_page from 1 to {MOST_PER_PAGE}"})
        return self._notes(int(route[1]), page, per_page)

    def finish(self) -> None:
        """Close what was open for this client."""
        self._forget()
        super().finish()

    def _notes(self, cid: int, page: int, per_page: int) -> Reply:
        import psycopg

        for _ in range(_ATTEMPTS):
            try:
                crm = self._connection()
                with crm.transaction():
                    return Reply(status=200, body=notes_page(crm, cid, page=page, per_page=per_page))
            except psycopg.OperationalError:
                self._forget()
            except psycopg.Error as exc:
                self._forget()
                return Reply(status=500, body={"error": type(exc).__name__})
        return Reply(status=503, body={"error": "the database does not answer"})

    def _connection(self) -> "Connection[DictRow]":
        import psycopg
        from psycopg.rows import dict_row

        if self._crm is None:
            self._crm = psycopg.connect(
                self.desk.dsn, row_factory=dict_row, autocommit=True, connect_timeout=10, client_encoding="UTF8",
                options=startup_options(),
            )  # fmt: skip
            # A page, its files and its total are of one moment.
            self._crm.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return self._crm

    def _forget(self) -> None:
        if self._crm is not None:
            self._crm.close()
            self._crm = None


def _number(values: Sequence[str], most: int) -> int | None:
    """The number from 1 to `most` that was given once, else None."""
    text = values[0] if len(values) == 1 else ""
    number = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0
    return number if 1 <= number <= most else None


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and serve on 127.0.0.1 until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The demo CRM's HTTP API and files, for development and tests.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--records", type=Path, required=True, help="file that gets a JSON line for each request")
    arguments = parser.parse_args(argv)
    desk = CrmDesk(arguments.records, authorization=os.environ[AUTH_SETTING], dsn=os.environ[DATABASE_SETTING])
    serve(type("Handler", (CrmHandler,), {"desk": desk}), arguments.port)


if __name__ == "__main__":
    main()
