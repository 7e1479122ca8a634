"""What the local HTTP APIs have in common: they write down what they are asked, and fail when they are told to.

Belongs here: HTTP, the control and the records. Not here: any API (`http_apis`, `crm_api`), and reading what was
written down (`api_records`).
"""

import json
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from cdp_pipelines.local.api_records import CONTROL, DROPPED, ApiFailure
from cdp_pipelines.local.ports import HOST

_LARGEST_BODY_BYTES: Final = 10 * 1024 * 1024
_SECRET_HEADERS: Final = frozenset({"authorization", "cookie"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it is written down, but for `raw`; header names in lower case, secrets left out.

    `raw` is the body byte for byte, which signatures are made over.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    raw: bytes = field(default=b"", repr=False)

    def record(self, status: int) -> dict[str, object]:
        """What is written down of it once it is known what it is answered."""
        return {**{name: value for name, value in asdict(self).items() if name != "raw"}, "status": status}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. `body` goes out as JSON, None is no body; `pieces` go out as they are instead.

    Pieces whose `length` together is not known go out chunked.
    """

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterable[bytes] | None = None
    length: int | None = None


class ApiDesk:
    """The records and the failures in force. Safe to use from many threads."""

    def __init__(self, records: Path) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._failures: list[ApiFailure] = []
        self._used: dict[int, int] = {}

    def next_failure(self, path: str) -> ApiFailure | None:
        """The failure due for this path now, which uses it up once."""
        with self._lock:
            for index, failure in enumerate(self._failures):
                used = self._used.get(index, 0)
                if failure.path == path and (failure.times is None or used < failure.times):
                    self._used[index] = used + 1
                    return failure
        return None

    def control(self, method: str, body: Any) -> Reply:
        """Ask for failures, show them, or end them."""
        with self._lock:
            if method == "POST":
                try:
                    self._failures.append(ApiFailure(**body))
                except TypeError as exc:
                    return Reply(status=400, body={"error": str(exc)})
                return Reply(status=204)
            if method == "DELETE":
                self._failures.clear()
                self._used.clear()
                return Reply(status=204)
            return Reply(status=200, body=[asdict(failure) for failure in self._failures])

    def write_down(self, record: Mapping[str, object]) -> None:
        """Add one line to the records."""
        line = json.dumps(record, ensure_ascii=False) + "\n"
        with self._lock, self._records.open("a", encoding="utf-8") as file:
            file.write(line)


class ApiHandler(BaseHTTPRequestHandler, ABC):
    """HTTP around an `ApiDesk`; what an API answers is in `reply`."""

    desk: ClassVar[ApiDesk]
    protocol_version = "HTTP/1.1"
    timeout = 60
    # Headers and body are two packets; the second would wait for the first to be acknowledged.
    disable_nagle_algorithm = True

    @abstractmethod
    def reply(self, request: Request) -> Reply:
        """What the contract says, credentials included."""

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
            self._send(Reply(status=400, body={"error": "not JSON, or too large"}))
            self.close_connection = True
            return
        if request.path == CONTROL:
            self._send(self.desk.control(request.method, request.body))
            return
        failure = self.desk.next_failure(request.path)
        reply = self._failed(failure) or self.reply(request)
        # Before the delay: a client that gives up has been heard all the same.
        self.desk.write_down(request.record(reply.status))
        if failure is not None:
            time.sleep(failure.delay_seconds)
        if failure is not None and failure.drop:
            self.close_connection = True
            return
        self._send(reply)

    @staticmethod
    def _failed(failure: ApiFailure | None) -> Reply | None:
        """The answer that was asked for instead of the usual one."""
        if failure is None or not (failure.drop or failure.status is not None):
            return None
        headers = {} if failure.retry_after is None else {"Retry-After": failure.retry_after}
        body = {"error": "asked for by the control"}
        return Reply(status=DROPPED if failure.drop else failure.status or DROPPED, body=body, headers=headers)

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
            raw=raw,
        )

    def _send(self, reply: Reply) -> None:
        headers, pieces = _on_the_wire(reply)
        try:
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            for piece in pieces:
                self.wfile.write(piece)
        except ConnectionError:
            # The client gave up waiting.
            self.close_connection = True


class ApiServer(ThreadingHTTPServer):
    """Many connections at once, more than usual of them waiting to be taken."""

    request_queue_size = 128
    daemon_threads = True


def serve(handler: type[ApiHandler], port: int) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT."""
    server = ApiServer((HOST, port), handler)
    # Leaving at once: nothing here is worth finishing, and `shutdown` may not be called from the serving thread.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def _on_the_wire(reply: Reply) -> tuple[dict[str, str], Iterable[bytes]]:
    """The headers with those that say how the body comes, and the body."""
    headers = dict(reply.headers)
    if reply.pieces is not None and reply.length is None:
        return {**headers, "Transfer-Encoding": "chunked"}, _chunked(reply.pieces)
    if reply.pieces is not None:
        return {**headers, "Content-Length": str(reply.length)}, reply.pieces
    content = b"" if reply.body is None else json.dumps(reply.body, ensure_ascii=False).encode()
    if reply.body is not None:
        headers["Content-Type"] = "application/json"
    return {**headers, "Content-Length": str(len(content))}, (content,)


def _chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
