"""Webhooks over real connections: what arrives, what is tried again, and where nothing is ever sent to."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpcore
import pytest

from cdp_pipelines.domain.entity_export.webhook import WebhookMessage, company_secret, verify
from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.webhooks import WebhookDelivered, WebhookSender, WebhooksResource
from cdp_pipelines_tests.integration.resources.http_servers import (
    Answers,
    RecordingServer,
    closed_port,
    recording_server,
)
from cdp_pipelines_tests.integration.resources.raw_servers import Connection, raw_server, server_that_never_accepts

KEY = "a signing key of the tests' own, long enough"
MESSAGE = WebhookMessage(id="msg_1", body='{"type":"export.done","data":{"id":"exp_é"}}'.encode())
NO_WAITS = (0.0, 0.0, 0.0)


@contextmanager
def sender_for(port: int, **settings: Any) -> Iterator[WebhookSender]:
    trusted = frozenset({("127.0.0.1", port)})
    sender = WebhookSender(signing_key=KEY, **{"trusted": trusted, "retry_waits": NO_WAITS, **settings})
    try:
        yield sender
    finally:
        sender.close()


def send(url: str, **settings: Any) -> WebhookDelivered:
    port = int(url.split("/")[2].rsplit(":", 1)[1])
    with sender_for(port, **settings) as sender:
        return sender.send(url, MESSAGE, company_sso_id="company-1", request_id="exp_1")


def send_to(answers: Answers, **settings: Any) -> tuple[WebhookDelivered, RecordingServer]:
    with recording_server(answers) as server:
        return send(server.url + "/hook", **settings), server


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_receiver_can_verify_what_came(status: int) -> None:
    with recording_server([status]) as server:
        delivered = send(server.url + "/hook?a=b")
    (asked,) = server.asked
    assert delivered == WebhookDelivered(http_status=status, tries=1)
    assert (asked.method, asked.path, asked.body) == ("POST", "/hook?a=b", MESSAGE.body)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-request-id"] == "exp_1"
    now = datetime.now(UTC)
    assert verify(company_secret(KEY, "company-1"), asked.headers, asked.body, now=now)
    assert not verify(company_secret(KEY, "company-2"), asked.headers, asked.body, now=now)


@pytest.mark.parametrize("first", [500, 503, 408, 425, 429, "hang up"])
def test_a_passing_fault_is_tried_again_with_the_same_id(first: Any) -> None:
    delivered, server = send_to([first, 200])
    assert delivered == WebhookDelivered(http_status=200, tries=2)
    assert [asked.headers["webhook-id"] for asked in server.asked] == ["msg_1", "msg_1"]
    assert verify(company_secret(KEY, "company-1"), server.asked[1].headers, MESSAGE.body, now=datetime.now(UTC))


def test_a_lasting_fault_ends_after_four_tries() -> None:
    with recording_server([500, 429, 503]) as server, pytest.raises(TransientFailure) as caught:
        send(server.url + "/SECRET?SECRET")
    assert len(server.asked) == 4
    assert caught.value.code == "WEBHOOK_FAILED"
    assert caught.value.details == {"http_status": 503}
    assert "SECRET" not in str(caught.value)


def test_a_receiver_says_when_to_come_back() -> None:
    began = time.monotonic()
    send_to([(429, {"Retry-After": "1"}, b""), 200])
    assert time.monotonic() - began >= 1


def test_waits_grow_and_a_long_retry_after_is_cut() -> None:
    from tenacity import Future, RetryCallState

    from cdp_pipelines.resources.webhooks import LONGEST_WAIT_SECONDS, _TryAgain

    with sender_for(1, retry_waits=(1, 3, 9)) as sender:

        def wait(attempt: int, **of: Any) -> float:
            state = RetryCallState(None, None, (), {})  # type: ignore[arg-type]
            state.attempt_number = attempt
            state.outcome = Future.construct(attempt, _TryAgain("x", **of), has_exception=True)
            state.outcome.exception()
            return sender._wait(state)

        for attempt, least in ((1, 1), (2, 3), (3, 9)):
            assert least <= wait(attempt) <= least * 1.25
        assert wait(1, after_seconds=10_000) == LONGEST_WAIT_SECONDS == 30
        assert 1 <= wait(1, after_seconds=-5) <= 1.25


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_a_refusal_is_final(status: int) -> None:
    with recording_server([status]) as server, pytest.raises(PermanentFailure) as caught:
        send(server.url + "/SECRET")
    assert len(server.asked) == 1
    assert (caught.value.code, caught.value.details) == ("WEBHOOK_REFUSED", {"http_status": status})
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_wherever_it_leads(status: int) -> None:
    with recording_server() as second:
        for location in (second.url + "/x", "/again", "http://169.254.169.254/latest/meta-data/"):
            with recording_server([(status, {"Location": location}, b"")]) as first:
                trusted = frozenset(("127.0.0.1", int(server.url.rsplit(":", 1)[1])) for server in (first, second))
                with pytest.raises(PermanentFailure, match="redirect") as caught:
                    send(first.url, trusted=trusted)
            assert caught.value.code == "WEBHOOK_REFUSED"
            assert [asked.path for asked in first.asked] == ["/"]
    assert second.asked == []


def test_nobody_listens() -> None:
    with pytest.raises(TransientFailure, match="in 4 tries") as caught:
        send(f"http://127.0.0.1:{closed_port()}/")
    assert caught.value.code == "WEBHOOK_FAILED"


def test_a_server_that_takes_no_connection_is_left() -> None:
    with server_that_never_accepts() as server, pytest.raises(TransientFailure, match="in time"):
        send(server.url + "/", connect_seconds=0.1, retry_waits=(0,))


def test_what_comes_in_drops_is_left_when_the_time_is_over() -> None:
    def serve(connection: Connection) -> None:
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 100, b"Content-Length: 0\r\n\r\n", pause=0.05)

    began = time.monotonic()
    with raw_server(serve) as server, pytest.raises(TransientFailure, match="in time"):
        send(server.url + "/", try_seconds=0.4, retry_waits=(0,))
    assert time.monotonic() - began < 3
    assert server.connections == 2


@pytest.mark.parametrize("kind", ["endless", "drips", "cut off"])
def test_what_follows_the_status_does_not_matter(kind: str) -> None:
    sent = 0

    def serve(connection: Connection) -> None:
        nonlocal sent
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while kind == "endless" and not connection.stopped.is_set():
            connection.send(b"x" * 65_536)
            sent += 65_536
        if kind == "drips":
            connection.send(*[b"x"] * 100, pause=0.05)

    with raw_server(serve) as server:
        assert send(server.url + "/", try_seconds=0.5).tries == 1
    assert server.connections == 1
    # What the sockets between us hold, not what was offered.
    assert sent < 32 * 1024 * 1024


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "http://93.184.216.34/",
        "https://user:SECRET@hooks.example/",
        "https://hooks.example:8443/",
        "https://hooks.example/",
        "file:///etc/passwd",
    ],
)
def test_nothing_is_sent_to_what_is_private_or_plain(url: str) -> None:
    connected: list[str] = []

    def connect(address: str, port: int, timeout: float) -> httpcore.NetworkStream:
        connected.append(address)
        raise httpcore.ConnectError

    def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "192.168.1.1"]

    with (
        sender_for(closed_port(), resolve=resolve, connect=connect) as sender,
        pytest.raises(PermanentFailure) as caught,
    ):
        sender.send(url, MESSAGE, company_sso_id="company-1", request_id="exp_1")
    assert caught.value.code == "WEBHOOK_BLOCKED"
    assert connected == []
    assert "SECRET" not in str(caught.value)


def test_a_name_that_turns_private_between_tries_is_blocked() -> None:
    answers = iter([["93.184.216.34"], ["10.0.0.1"]])
    connected: list[str] = []

    def connect(address: str, port: int, timeout: float) -> httpcore.NetworkStream:
        connected.append(address)
        raise httpcore.ConnectTimeout

    with (
        sender_for(1, resolve=lambda host, port: next(answers), connect=connect) as sender,
        pytest.raises(PermanentFailure, match="not in the public internet"),
    ):
        sender.send("https://hooks.example/", MESSAGE, company_sso_id="company-1", request_id="exp_1")
    assert connected == ["93.184.216.34"]


def test_a_name_without_an_address_is_not_tried_again() -> None:
    with sender_for(1, resolve=lambda host, port: []) as sender, pytest.raises(TransientFailure) as caught:
        sender.send("https://hooks.example/", MESSAGE, company_sso_id="company-1", request_id="exp_1")
    assert caught.value.code == "WEBHOOK_FAILED"
    assert "does not resolve" in str(caught.value)


def test_logs_hold_neither_address_nor_secret_nor_body(caplog: pytest.LogCaptureFixture) -> None:
    secret = company_secret(KEY, "company-1")
    with caplog.at_level(logging.DEBUG), recording_server([500, 200]) as server:
        send(server.url + "/SECRET?SECRET")
    assert "exp_1 is tried again" in caplog.text
    for hidden in ("SECRET", secret, secret.removeprefix("whsec_"), KEY, "export.done"):
        assert hidden not in caplog.text


def test_settings_are_read_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_WEBHOOK_SIGNING_KEY", raising=False)
    monkeypatch.delenv("CDP_WEBHOOK_TRUSTED_HOSTS", raising=False)
    assert WebhooksResource().trusted() == frozenset()
    with pytest.raises(ConfigurationError, match="CDP_WEBHOOK_SIGNING_KEY") as caught:
        WebhooksResource().open()
    assert caught.value.code == "SETTING_MISSING"
    with pytest.raises(ConfigurationError, match="at least 32 characters"):
        WebhooksResource(signing_key="short").open()
    with pytest.raises(ConfigurationError, match="CDP_WEBHOOK_TRUSTED_HOSTS"):
        WebhooksResource(signing_key=KEY, trusted_hosts="a.example").open()

    with recording_server() as server:
        monkeypatch.setenv("CDP_WEBHOOK_SIGNING_KEY", KEY)
        monkeypatch.setenv("CDP_WEBHOOK_TRUSTED_HOSTS", server.url.removeprefix("http://"))
        resource = WebhooksResource()
        sender = resource.open()
        sender.send(server.url, MESSAGE, company_sso_id="company-1", request_id="exp_1")
        assert sender is resource.open()
        assert sender.secret_of("company-1") == company_secret(KEY, "company-1")
        sender.close()
    assert len(server.asked) == 1
