"""A small real HTTP server for tests: answers as told, one answer a request, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias

Answer: TypeAlias = int | tuple[int, Mapping[str, str], bytes] | Literal["hang", "hang up"]
Answers: TypeAlias = Sequence[Answer] | Callable[["Asked"], Answer]


@dataclass
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RecordingServer:
    """Answers of a sequence are used up in order, and the last one is repeated; a function decides by the request."""

    url: str
    answers: Answers
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if callable(self.answers):
            return self.answers(asked)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@contextmanager
def recording_server(answers: Answers = (200,)) -> Iterator[RecordingServer]:
    """A server on a free port of 127.0.0.1; gone, with all its connections, at the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.answer(Asked(self.command, self.path, headers, body))
            self.close_connection = True
            if answer == "hang up":
                return
            if answer == "hang":
                server.released.wait(30)
                return
            status, extra, content = (answer, {}, b"") if isinstance(answer, int) else answer
            self.send_response(status)
            # Said, not only done: a client that reuses the connection just before it closes loses an attempt.
            self.send_header("Connection", "close")
            for name, value in {"Content-Length": str(len(content)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names the base class looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's signature
            """Stay silent."""

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = RecordingServer(f"http://127.0.0.1:{http_server.server_port}", answers)
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        http_server.shutdown()
        http_server.server_close()
        thread.join()


def closed_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
