"""What the tests of the safe fetcher share."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from cdp_pipelines.resources.safe_http import (
    Fetched,
    FetchPolicy,
    SafeFetcher,
)
from cdp_pipelines_tests.integration.resources.http_servers import (
    Answers,
    RecordingServer,
    recording_server,
)
from cdp_pipelines_tests.integration.resources.raw_servers import (
    Connection,
)

CONTENT = bytes(range(256)) * 40
OK = (200, {"Content-Type": "image/png"}, CONTENT)
HEAD = b"HTTP/1.1 200 OK\r\n"
MEBIBYTE = 1024 * 1024


@contextmanager
def fetcher_for(port: int, host: str = "127.0.0.1", **settings: Any) -> Iterator[SafeFetcher]:
    resolve = settings.pop("resolve", lambda host, port: ["127.0.0.1"])
    trusted = frozenset({(host, port)}) | settings.pop("trusted", frozenset())
    policy = FetchPolicy(allowed_hosts=(), trusted=trusted, **{"retry_wait_seconds": 0, **settings})
    fetcher = SafeFetcher(policy, resolve=resolve)
    try:
        yield fetcher
    finally:
        fetcher.close()


def fetch(url: str, to: BytesIO | None = None, **settings: Any) -> Fetched:
    port = int(url.split("/")[2].rsplit(":", 1)[1])
    with fetcher_for(port, **settings) as fetcher:
        return fetcher.fetch(url, to if to is not None else BytesIO())


def fetch_from(answers: Answers, path: str = "/", **settings: Any) -> tuple[Fetched, RecordingServer]:
    with recording_server(answers) as server:
        return fetch(server.url + path, **settings), server


def answer_for_ever(connection: Connection) -> None:
    while request := connection.read_request():
        path = request.split()[1].encode()
        connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % (len(path) * 100) + path * 100)
