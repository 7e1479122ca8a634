"""Fetching within bounds: of size, of time, and of memory."""

import threading
import tracemalloc
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest

from cdp_pipelines.resources.safe_http import (
    FetchFailed,
    FetchTooLarge,
)
from cdp_pipelines_tests.integration.resources.fetching import HEAD, MEBIBYTE, fetch, fetch_from, fetcher_for
from cdp_pipelines_tests.integration.resources.http_servers import (
    recording_server,
)
from cdp_pipelines_tests.integration.resources.raw_servers import (
    Connection,
    raw_server,
    server_that_never_accepts,
)


def test_the_largest_file_that_is_taken_is_taken() -> None:
    assert fetch_from([(200, {}, b"x" * 1_000)], largest_bytes=1_000)[0].size_bytes == 1_000


def test_a_file_that_says_it_is_too_large_is_not_begun() -> None:
    to = BytesIO()
    with recording_server([(200, {}, b"x" * 1_000_000)]) as server, pytest.raises(FetchTooLarge) as caught:
        fetch(server.url + "/SECRET", to, largest_bytes=500_000)
    assert len(server.asked) == 1
    assert to.getvalue() == b""
    assert caught.value.code == "FETCH_TOO_LARGE"
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("headers", [b"Transfer-Encoding: chunked", b"Connection: close"])
def test_an_endless_file_is_left_at_the_limit(headers: bytes) -> None:
    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.send(HEAD + headers + b"\r\n\r\n")
        piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n" if b"chunked" in headers else b"x" * 65_536
        while not connection.stopped.is_set():
            connection.send(piece)

    to = BytesIO()
    with raw_server(serve) as server, pytest.raises(FetchTooLarge):
        fetch(server.url + "/", to, largest_bytes=MEBIBYTE)
    assert len(to.getvalue()) <= MEBIBYTE
    assert server.connections == 1


@pytest.mark.parametrize("dripping", ["headers", "body"])
def test_what_comes_in_drops_is_left_when_the_time_is_over(dripping: str) -> None:
    """Without a limit for the whole fetch it would succeed in the end, each drop being in time."""

    def serve(connection: Connection) -> None:
        connection.read_request()
        drops = [HEAD, *[b"X: y\r\n"] * 40, b"Content-Length: 0\r\n\r\n"]
        if dripping == "body":
            drops = [HEAD + b"Content-Length: 40\r\n\r\n", *[b"x"] * 40]
        connection.send(*drops, pause=0.05)

    with raw_server(serve) as server, pytest.raises(FetchFailed, match="in time"):
        fetch(server.url + "/", total_seconds=0.5, read_seconds=5)


def test_interim_answers_without_end_are_left_when_the_time_is_over() -> None:
    def serve(connection: Connection) -> None:
        connection.read_request()
        while not connection.stopped.is_set():
            connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)

    with raw_server(serve) as server, pytest.raises(FetchFailed, match="in time"):
        fetch(server.url + "/", total_seconds=0.3)


def test_no_single_wait_goes_beyond_the_time_for_the_whole_fetch() -> None:
    """Without that the answer would come in time for the wait, all at once."""

    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.send(HEAD + b"Content-Length: 1\r\n\r\nx", pause=1)

    with raw_server(serve) as server, pytest.raises(FetchFailed, match="in time"):
        fetch(server.url + "/", total_seconds=0.3, read_seconds=10)


def test_the_time_for_the_whole_fetch_holds_over_redirects_and_attempts() -> None:
    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.stopped.wait(0.2)
        location = len(connection.server.requests)
        connection.send(f"HTTP/1.1 302 Found\r\nLocation: /{location}\r\nContent-Length: 0\r\n\r\n".encode())

    with raw_server(serve) as server, pytest.raises(FetchFailed, match="in time"):
        fetch(server.url + "/", total_seconds=0.5, most_redirects=20, attempts=20)
    assert server.connections < 5


def test_a_server_that_does_not_answer_is_left() -> None:
    with recording_server(["hang"]) as server, pytest.raises(FetchFailed, match="in time"):
        fetch(server.url + "/", read_seconds=0.5)
    assert len(server.asked) == 2


def test_a_server_that_takes_no_connection_is_left() -> None:
    with server_that_never_accepts() as server, pytest.raises(FetchFailed, match="in time"):
        fetch(server.url + "/", connect_seconds=0.2)


def test_a_name_that_takes_too_long_to_look_up_is_left() -> None:
    released = threading.Event()

    def resolve(host: str, port: int) -> Sequence[str]:
        released.wait(30)
        return ["127.0.0.1"]

    with pytest.raises(FetchFailed, match=r"files\.example did not resolve in time"):
        fetch("http://files.example:8080/", host="files.example", resolve=resolve, connect_seconds=0.2)
    released.set()


def test_a_large_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    size = 25 * MEBIBYTE

    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % size, *[bytes(65_536)] * (size // 65_536))

    with (
        raw_server(serve) as server,
        fetcher_for(server.port) as fetcher,
        (tmp_path / "file").open("w+b") as file,
    ):
        tracemalloc.start()
        try:
            fetched = fetcher.fetch(server.url + "/", file)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert fetched.size_bytes == size == (tmp_path / "file").stat().st_size
    assert peak < 5 * MEBIBYTE
