"""What is taken of an answer: packed or not, whole or cut off, and when it is asked for again."""

import gzip
import hashlib
import itertools
import time
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import Any

import pytest

from cdp_pipelines.domain.web_address import AddressInvalid, FetchPolicy
from cdp_pipelines.resources.safe_http import Fetched, FetchFailed, FetchTooLarge, SafeFetcher
from cdp_pipelines_tests.integration.resources.fetching import (
    CONTENT,
    HEAD,
    MEBIBYTE,
    OK,
    fetch,
    fetch_from,
    fetcher_for,
)
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, recording_server
from cdp_pipelines_tests.integration.resources.raw_servers import Connection, raw_server


@pytest.mark.parametrize("coding", ["aws-chunked", "utf-8", "identity, identity", "binary", "", "base64"])
def test_a_coding_that_packs_nothing_is_none(coding: str) -> None:
    fetched, server = fetch_from([(200, {"Content-Encoding": coding}, CONTENT)])
    assert fetched.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("coding", "packed"),
    [("gzip", gzip.compress(CONTENT, mtime=0)), ("x-gzip, identity", gzip.compress(CONTENT, mtime=0)),
     ("gzip,aws-chunked", gzip.compress(CONTENT, mtime=0)), ("deflate", zlib.compress(CONTENT))],
)  # fmt: skip
def test_a_packed_file_is_unpacked(coding: str, packed: bytes) -> None:
    to = BytesIO()
    with recording_server([(200, {"Content-Encoding": coding, "Content-Type": "image/png"}, packed)]) as server:
        fetched = fetch(server.url + "/", to)
    assert to.getvalue() == CONTENT
    assert fetched == Fetched(
        size_bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        content_type="image/png",
        head=CONTENT[:4_096],
        received_bytes=len(packed),
    )


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "deflate"])
def test_a_bomb_is_left_at_the_limit(coding: str) -> None:
    packed = zlib.compress(bytes(30 * MEBIBYTE)) if coding == "deflate" else gzip.compress(bytes(30 * MEBIBYTE))
    if coding == "gzip, gzip":
        packed = gzip.compress(packed)
    to = BytesIO()
    with (
        recording_server([(200, {"Content-Encoding": coding}, packed)]) as server,
        pytest.raises(FetchTooLarge, match="more than 1,048,576 bytes"),
    ):
        fetch(server.url + "/", to, largest_bytes=MEBIBYTE)
    assert len(server.asked) == 1
    assert len(to.getvalue()) <= MEBIBYTE


def test_what_unpacks_to_the_largest_size_is_taken_and_one_byte_more_is_not() -> None:
    fetched, _ = fetch_from([(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(1_000)))], largest_bytes=1_000)
    assert fetched.size_bytes == 1_000
    with pytest.raises(FetchTooLarge):
        fetch_from([(200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(1_001)))], largest_bytes=1_000)


def test_a_packed_file_that_is_cut_off_is_tried_again() -> None:
    packed = gzip.compress(CONTENT)
    headers = {"Content-Encoding": "gzip"}
    fetched, server = fetch_from([(200, headers, packed[:-9]), (200, headers, packed)])
    assert (fetched.size_bytes, len(server.asked)) == (len(CONTENT), 2)
    with pytest.raises(FetchFailed, match="broken or cut off"):
        fetch_from([(200, headers, packed[:-9])])


def test_a_packing_that_is_unknown_here_is_a_failure_at_once() -> None:
    with recording_server([(200, {"Content-Encoding": "br"}, b"\x0b\x02\x80hello\x03")]) as server:
        with pytest.raises(FetchFailed, match="packed form"):
            fetch(server.url + "/")
        assert len(server.asked) == 1


def without_a_length(contents: Sequence[bytes]) -> Any:
    """Each connection gets one of the contents, the last one for ever; its end is the end of the connection."""

    def serve(connection: Connection) -> None:
        connection.read_request()
        content = contents[min(connection.server.connections, len(contents)) - 1]
        connection.send(HEAD + b"Connection: close\r\n\r\n" + content)

    return serve


def fetch_expecting(contents: Sequence[bytes], expected_bytes: int | None) -> tuple[Fetched, bytes, int]:
    to = BytesIO()
    with raw_server(without_a_length(contents)) as server, fetcher_for(server.port, attempts=4) as fetcher:
        fetched = fetcher.fetch(server.url + "/", to, expected_bytes=expected_bytes)
        return fetched, to.getvalue(), server.connections


def test_a_file_that_ended_early_without_a_length_is_asked_for_again() -> None:
    fetched, content, asked = fetch_expecting([CONTENT[:700], CONTENT[:9_000], CONTENT], len(CONTENT))
    assert (content, fetched.size_bytes, asked) == (CONTENT, len(CONTENT), 3)


@pytest.mark.parametrize("expected_bytes", [1, len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_size_that_two_tries_agree_on_is_the_files(expected_bytes: int) -> None:
    fetched, content, asked = fetch_expecting([CONTENT], expected_bytes)
    assert (content, asked, fetched.has_size(expected_bytes)) == (CONTENT, 2, False)


def test_sizes_that_never_agree_end_with_the_attempts() -> None:
    _, content, asked = fetch_expecting([CONTENT[:size] for size in (1, 2, 3, 4, 5)], len(CONTENT))
    assert (content, asked) == (CONTENT[:4], 4)


def test_a_file_of_the_size_that_is_expected_or_of_no_expected_one_is_asked_for_once() -> None:
    for expected_bytes in (len(CONTENT), None):
        fetched, content, asked = fetch_expecting([CONTENT], expected_bytes)
        assert (content, asked) == (CONTENT, 1)
    packed = gzip.compress(CONTENT)
    for expected_bytes in (len(CONTENT), len(packed)):
        with recording_server([(200, {"Content-Encoding": "gzip"}, packed)]) as server:
            port = int(server.url.rsplit(":", 1)[1])
            with fetcher_for(port) as fetcher:
                fetched = fetcher.fetch(server.url + "/", BytesIO(), expected_bytes=expected_bytes)
        assert fetched.has_size(expected_bytes)
        assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 423, 429, 500, 503])
def test_two_passing_faults_in_a_row_give_no_file_up(status: int) -> None:
    fetched, server = fetch_from([status, status, status, OK], attempts=4)
    assert (fetched.size_bytes, len(server.asked)) == (len(CONTENT), 4)


def test_waits_grow_threefold() -> None:
    policy = FetchPolicy(allowed_hosts=None, retry_wait_seconds=1)
    assert [policy.retry_wait(attempt) for attempt in (1, 2, 3)] == [1, 3, 9]
    times: list[float] = []

    def answer(asked: Asked) -> Answer:
        times.append(time.monotonic())
        return 503

    with pytest.raises(FetchFailed):
        fetch_from(answer, attempts=4, retry_wait_seconds=0.05)
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert all(waited >= least for waited, least in zip(waits, (0.05, 0.15, 0.45), strict=True))


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_heeded(as_date: bool) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if as_date else "1"
    times: list[float] = []

    def answer(asked: Asked) -> Answer:
        times.append(time.monotonic())
        return (503, {"Retry-After": at}, b"") if len(times) == 1 else OK

    fetched, _ = fetch_from(answer)
    assert fetched.size_bytes == len(CONTENT)
    # A date has whole seconds, so up to one of its two is gone already.
    assert times[1] - times[0] >= (0.9 if as_date else 1)


@pytest.mark.parametrize("after", ["120", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_who_asks_for_more_time_than_there_is_is_not_asked_again(after: str) -> None:
    begun = time.monotonic()
    with recording_server([(429, {"Retry-After": after}, b"")]) as server, pytest.raises(FetchFailed, match="HTTP 429"):
        fetch(server.url + "/", attempts=4, total_seconds=30)
    assert len(server.asked) == 1
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("after", ["", "soon", "-5", "0", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_none(after: str) -> None:
    fetched, server = fetch_from([(503, {"Retry-After": after}, b""), OK])
    assert (fetched.size_bytes, len(server.asked)) == (len(CONTENT), 2)


@pytest.mark.parametrize(
    ("location", "path"),
    [("/My File (1).pdf", "/My%20File%20(1).pdf"), ("/Laporan – Q1.pdf", "/Laporan%20%E2%80%93%20Q1.pdf"),
     ("50%.pdf", "/50%25.pdf"), ("/x?name=a b", "/x?name=a%20b")],
)  # fmt: skip
def test_a_redirect_to_a_name_that_was_never_encoded_is_followed(location: str, path: str) -> None:
    def serve(connection: Connection) -> None:
        asked = connection.read_request().split(" ")[1]
        answer = b"Content-Length: 2\r\n\r\nok" if asked == path else b"Content-Length: 0\r\n\r\n"
        first = HEAD if asked == path else b"HTTP/1.1 302 Found\r\nLocation: " + location.encode() + b"\r\n"
        connection.send(first + b"Connection: close\r\n" + answer)

    with raw_server(serve) as server:
        assert fetch(server.url + "/start").size_bytes == 2


def test_an_address_that_is_none_is_told_from_one_that_is_forbidden() -> None:
    fetcher = SafeFetcher(FetchPolicy(allowed_hosts=None))
    for url in ("", "a.png", "https://cdn..example.com/", "https://cdn.example.com:x/SECRET"):
        with pytest.raises(AddressInvalid) as caught:
            fetcher.fetch(url, BytesIO())
        assert "SECRET" not in str(caught.value)
    fetcher.close()
