"""Fetching over real connections: what arrives, what is refused, and what is tried again."""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import pytest

from cdp_pipelines.resources.safe_http import (
    FetchBlocked,
    Fetched,
    FetchFailed,
    FetchPolicy,
    SafeFetcher,
)
from cdp_pipelines_tests.integration.resources.fetching import (
    CONTENT,
    HEAD,
    OK,
    answer_for_ever,
    fetch,
    fetch_from,
    fetcher_for,
)
from cdp_pipelines_tests.integration.resources.http_servers import (
    closed_port,
    recording_server,
)
from cdp_pipelines_tests.integration.resources.raw_servers import (
    Authority,
    Connection,
    certificate_authority,
    raw_server,
)


def test_a_file_arrives_whole() -> None:
    to = BytesIO(b"kept")
    to.seek(0, 2)
    with recording_server([OK]) as server:
        fetched = fetch(server.url + "/a.png?v=1", to)
    assert to.getvalue() == b"kept" + CONTENT
    assert fetched == Fetched(
        size_bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        content_type="image/png",
        head=CONTENT[:4_096],
    )
    assert server.asked[0].path == "/a.png?v=1"


def test_an_empty_file_without_a_type_arrives_too() -> None:
    fetched, _ = fetch_from([200])
    assert (fetched.size_bytes, fetched.content_type, fetched.head) == (0, "", b"")


def test_what_is_sent_says_nothing_of_us(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    with recording_server([(200, {"Set-Cookie": "a=b", "Connection": "close"}, b"")]) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with fetcher_for(port) as fetcher:
            fetcher.fetch(server.url + "/1", BytesIO(), request_id="r-1\r\nX: y")
            fetcher.fetch(server.url + "/2", BytesIO())
    common = {
        "host": f"127.0.0.1:{port}",
        "user-agent": "cdp_pipelines",
        "accept": "*/*",
        "accept-encoding": "identity",
    }
    assert server.asked[0].headers == {**common, "x-request-id": "r-1??X: y"}
    assert server.asked[1].headers == common


def test_chunks_are_put_together() -> None:
    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n", b"1;x=y\r\n!\r\n0\r\n\r\n")

    to = BytesIO()
    with raw_server(serve) as server:
        fetch(server.url + "/", to)
    assert to.getvalue() == b"hello!"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("relative", [True, False])
def test_redirects_are_followed(status: int, relative: bool) -> None:
    def answer(asked: Any) -> Any:
        if asked.path == "/new":
            return OK
        return status, {"Location": "new" if relative else f"http://{asked.headers['host']}/new"}, b"moved"

    fetched, server = fetch_from(answer, "/old")
    assert fetched.size_bytes == len(CONTENT)
    assert [asked.path for asked in server.asked] == ["/old", "/new"]
    assert "referer" not in server.asked[1].headers


def test_as_many_redirects_as_the_policy_says() -> None:
    def answer(asked: Any) -> Any:
        number = int(asked.path[1:])
        return OK if number == 3 else (302, {"Location": f"/{number + 1}"}, b"")

    assert fetch_from(answer, "/0")[0].size_bytes == len(CONTENT)
    with pytest.raises(FetchBlocked, match="too often"):
        fetch_from(answer, "/0", most_redirects=2)


@pytest.mark.parametrize(
    "location",
    [
        "/start",
        "http://10.0.0.1/",
        "http://127.0.0.1/",
        "//127.0.0.1:22/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "http://a.example/SECRET",
    ],
)
def test_a_redirect_to_where_nobody_may_go_is_blocked_and_not_tried_again(location: str) -> None:
    with recording_server([(302, {"Location": location}, b"")]) as server, pytest.raises(FetchBlocked) as caught:
        fetch(server.url + "/start")
    assert len(server.asked) == 1
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("status", [204, 206, 300, 302, 304, 400, 401, 404, 410])
def test_an_answer_that_is_no_file_is_a_failure_at_once(status: int) -> None:
    with recording_server([status]) as server, pytest.raises(FetchFailed) as caught:
        fetch(server.url + "/SECRET?SECRET")
    assert len(server.asked) == 1
    assert "SECRET" not in str(caught.value)
    assert caught.value.code == "FETCH_FAILED"


@pytest.mark.parametrize("first", [500, 503, 429, "hang up"])
def test_a_passing_fault_is_tried_once_more(first: Any) -> None:
    fetched, server = fetch_from([first, OK])
    assert fetched.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_lasting_fault_ends_after_the_attempts(status: int) -> None:
    with recording_server([status]) as server, pytest.raises(FetchFailed) as caught:
        fetch(server.url + "/", attempts=3)
    assert len(server.asked) == 3
    assert caught.value.details == {"http_status": status}


def test_what_a_failed_try_wrote_is_gone_after_the_next() -> None:
    def serve(connection: Connection) -> None:
        connection.read_request()
        sent = b"x" * 50 if connection.server.connections == 1 else b"y" * 10
        connection.send(HEAD + f"Content-Length: {60 if sent[:1] == b'x' else 10}\r\n\r\n".encode() + sent)

    to = BytesIO(b"kept")
    to.seek(0, 2)
    with raw_server(serve) as server:
        fetched = fetch(server.url + "/", to)
    assert to.getvalue() == b"kept" + b"y" * 10
    assert (fetched.size_bytes, fetched.head) == (10, b"y" * 10)


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 100\r\n\r\n" + b"x" * 99,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nSECRET\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        HEAD + b"Content-Le",
        HEAD + b"X: " + b"x" * 200_000,
        b"SECRET SECRET SECRET\r\n\r\n",
        b"",
    ],
    ids=lambda answer: repr(answer[:60]),
)
def test_a_broken_answer_is_a_failure(answer: bytes) -> None:
    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.send(answer)

    with raw_server(serve) as server, pytest.raises(FetchFailed) as caught:
        fetch(server.url + "/")
    assert server.connections == 2
    assert "SECRET" not in str(caught.value)


def test_nobody_listens() -> None:
    with pytest.raises(FetchFailed, match="could not be connected to"):
        fetch(f"http://127.0.0.1:{closed_port()}/")


def test_the_system_looks_up_names_and_knows_none_that_is_invalid() -> None:
    with recording_server([OK]) as server:
        port = int(server.url.rsplit(":", 1)[1])
        policy = FetchPolicy(allowed_hosts=(), trusted=frozenset({("localhost", port), ("a.invalid", port)}))
        fetcher = SafeFetcher(policy)
        assert fetcher.fetch(f"http://localhost:{port}/", BytesIO()).size_bytes == len(CONTENT)
        with pytest.raises(FetchFailed, match="does not resolve"):
            fetcher.fetch(f"http://a.invalid:{port}/", BytesIO())
        fetcher.close()


def test_connections_are_kept_and_names_looked_up_once_for_each() -> None:
    """The second answer would lead elsewhere: while the connection stands, nobody asks for it."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    with (
        raw_server(answer_for_ever) as server,
        fetcher_for(server.port, "files.example", resolve=lambda host, port: next(answers)) as fetcher,
    ):
        for _ in range(5):
            fetcher.fetch(f"http://files.example:{server.port}/", BytesIO())
    assert len(server.requests) == 5
    assert server.connections == 1


def test_many_threads_at_once_each_get_their_own_file() -> None:
    def fetch_one(number: int) -> bool:
        to = BytesIO()
        fetched = fetcher.fetch(f"{server.url}/{number}", to)
        expected = f"/{number}".encode() * 100
        return to.getvalue() == expected and fetched.sha256 == hashlib.sha256(expected).hexdigest()

    with (
        raw_server(answer_for_ever) as server,
        fetcher_for(server.port) as fetcher,
        ThreadPoolExecutor(max_workers=48) as threads,
    ):
        assert all(threads.map(fetch_one, range(300)))
    assert server.connections < 100


def test_logs_hold_no_addresses(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        fetch_from([(302, {"Location": "/SECRET?SECRET"}, b""), OK], "/SECRET")
    assert "SECRET" not in caplog.text


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl command to make certificates with")
    return certificate_authority(tmp_path_factory.mktemp("tls"), "files.example")


@contextmanager
def tls_fetcher(authority: Authority) -> Iterator[tuple[SafeFetcher, int]]:
    with raw_server(answer_for_ever, tls=authority.server) as server:
        trusted = frozenset({("other.example", server.port), ("127.0.0.1", server.port)})
        with fetcher_for(server.port, "files.example", trusted=trusted) as fetcher:
            yield fetcher, server.port


def test_certificates_are_judged_by_the_name_though_the_address_is_connected_to(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    authority.names_asked.clear()
    with tls_fetcher(authority) as (fetcher, port):
        assert fetcher.fetch(f"https://files.example:{port}/x", BytesIO()).size_bytes == 200
        assert fetcher.fetch(f"https://files.example:{port}/y", BytesIO()).size_bytes == 200
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(FetchFailed, match=f"certificate that {host} shows"):
                fetcher.fetch(f"https://{host}:{port}/", BytesIO())
    # An address has no place in the greeting, and a refused certificate is not asked for again.
    assert authority.names_asked == ["files.example", "other.example", None]


def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority) -> None:
    with tls_fetcher(authority) as (fetcher, port), pytest.raises(FetchFailed, match="certificate"):
        fetcher.fetch(f"https://files.example:{port}/", BytesIO())


def test_plain_http_where_tls_is_asked_for_is_a_failure() -> None:
    with (
        raw_server(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server,
        pytest.raises(FetchFailed, match="could not be connected to"),
    ):
        fetch(f"https://127.0.0.1:{server.port}/")
