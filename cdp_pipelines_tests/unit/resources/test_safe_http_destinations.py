"""Where fetches of hostile URLs lead to: every name and address is made up, and all connections end at one server."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpcore
import pytest

from cdp_pipelines.domain.public_address import is_public_address
from cdp_pipelines.resources.safe_http import FetchBlocked, Fetched, FetchFailed, FetchPolicy, SafeFetcher
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, recording_server
from cdp_pipelines_tests.unit.corpora import load_corpus

ANY_HOST = FetchPolicy(allowed_hosts=None, attempts=1)


class WithoutTls(httpcore.NetworkStream):
    """A connection that takes plain text for TLS: certificates are the business of the integration tests."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self.read = stream.read  # type: ignore[method-assign]
        self.write = stream.write  # type: ignore[method-assign]
        self.close = stream.close  # type: ignore[method-assign]

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return self


@dataclass
class Internet:
    """Names and addresses as a row of the corpus has them; every address leads to one server here."""

    row: dict[str, Any]
    server_port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    lookups: int = 0

    def resolve(self, host: str, port: int) -> Sequence[str]:
        self.lookups += 1
        sequence = self.row.get("fake_dns_sequence")
        if sequence:
            return list(sequence[min(self.lookups, len(sequence)) - 1])
        try:
            return list(self.row.get("fake_dns", {})[host])
        except KeyError:
            raise socket.gaierror(socket.EAI_NONAME, "no such name") from None

    def connect(self, address: str, port: int, timeout: float) -> httpcore.NetworkStream:
        self.connected.append(address)
        return WithoutTls(httpcore.SyncBackend().connect_tcp("127.0.0.1", self.server_port, timeout))

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        redirects = self.row.get("redirects", [])
        if not redirects:
            return 200, {"Content-Type": "image/png", "Connection": "close"}, b"content"
        redirect = redirects[min(len(self.asked), len(redirects)) - 1]
        return redirect["status"], {"Location": redirect["location"]}, b""

    @contextmanager
    def fetcher(self, policy: FetchPolicy) -> Iterator[SafeFetcher]:
        with recording_server(self.answer) as server:
            self.server_port = urlsplit(server.url).port or 0
            fetcher = SafeFetcher(policy, resolve=self.resolve, connect=self.connect)
            try:
                yield fetcher
            finally:
                fetcher.close()


@pytest.fixture(scope="module")
def behind_allow_list() -> Iterator[SafeFetcher]:
    """A fetcher for which it is a failure, of another kind than a refusal, if it so much as looks a name up."""
    policy = FetchPolicy(allowed_hosts=("allowed.example", "*.allowed.example"), attempts=1)
    fetcher = SafeFetcher(policy, resolve=Internet({}).resolve, connect=Internet({}).connect)
    yield fetcher
    fetcher.close()


CORPUS = load_corpus("ssrf.json")


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.get("id"))
def test_corpus(row: dict[str, Any]) -> None:
    internet = Internet(row)
    with internet.fetcher(ANY_HOST) as fetcher:
        if row["expected"] == "allow":
            to = BytesIO()
            fetched = fetcher.fetch(row["url"], to)
            assert (fetched.content_type, to.getvalue()) == ("image/png", b"content")
            assert internet.connected == expected_addresses(row)
        elif "fake_dns_sequence" in row:
            # The lookup that was checked is the one that counts; the next one is judged anew.
            fetcher.fetch(row["url"], BytesIO())
            assert internet.connected == row["fake_dns_sequence"][0]
            with pytest.raises(FetchBlocked):
                fetcher.fetch(row["url"], BytesIO())
        else:
            with pytest.raises(FetchBlocked):
                fetcher.fetch(row["url"], BytesIO())
    assert all(is_public_address(address) for address in internet.connected)
    if "redirects" not in row and "fake_dns_sequence" not in row and row["expected"] == "block":
        assert internet.connected == []


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: row.get("id"))
def test_corpus_behind_an_allow_list(row: dict[str, Any], behind_allow_list: SafeFetcher) -> None:
    with pytest.raises(FetchBlocked):
        behind_allow_list.fetch(row["url"], BytesIO())


def expected_addresses(row: dict[str, Any]) -> list[str]:
    answers: list[list[str]] = list(row.get("fake_dns", {}).values())
    return answers[0] if answers else [urlsplit(row["url"]).hostname or ""]


def fetch(row: dict[str, Any], url: str, policy: FetchPolicy = ANY_HOST) -> tuple[Internet, Fetched]:
    internet = Internet(row)
    with internet.fetcher(policy) as fetcher:
        return internet, fetcher.fetch(url, BytesIO())


def test_the_request_is_made_from_the_parts_that_were_checked() -> None:
    row = {"fake_dns": {"xn--bcher-kva.example": ["93.184.216.34"]}}
    internet, _ = fetch(row, "http://BÜCHER.example.:80/a b".replace(" ", "%20") + "?q=é#part")

    (asked,) = internet.asked
    assert asked.headers["host"] == "xn--bcher-kva.example"
    assert asked.path == "/a%20b?q=%C3%A9"


def test_the_host_header_of_an_ipv6_address_has_brackets() -> None:
    internet, _ = fetch({}, "http://[2606:2800:220:1::1]:443/")

    assert internet.asked[0].headers["host"] == "[2606:2800:220:1::1]:443"


@pytest.mark.parametrize("row", [{}, {"fake_dns": {"a.example": []}}])
def test_a_name_that_leads_nowhere_is_a_failure(row: dict[str, Any]) -> None:
    with pytest.raises(FetchFailed, match=r"a\.example does not resolve"):
        fetch(row, "http://a.example/x")


def test_a_trusted_host_may_be_private_and_is_pinned_all_the_same() -> None:
    policy = FetchPolicy(allowed_hosts=(), trusted=frozenset({("files.internal", 9000)}))
    internet, _ = fetch({"fake_dns": {"files.internal": ["10.0.0.5"]}}, "http://files.internal:9000/", policy)

    assert internet.connected == ["10.0.0.5"]
    with pytest.raises(FetchBlocked):
        fetch({"fake_dns": {"files.internal": ["10.0.0.5"]}}, "http://files.internal/", policy)


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    internet = Internet({"fake_dns": {"a.example": ["2606:2800:220:1::1", "93.184.216.34"]}})

    def connect(address: str, port: int, timeout: float) -> httpcore.NetworkStream:
        if ":" in address:
            raise httpcore.ConnectError
        return internet.connect(address, port, timeout)

    with recording_server() as server:
        internet.server_port = urlsplit(server.url).port or 0
        fetcher = SafeFetcher(ANY_HOST, resolve=internet.resolve, connect=connect)
        fetcher.fetch("http://a.example/", BytesIO())
        fetcher.close()
    assert internet.connected == ["93.184.216.34"]


@pytest.mark.parametrize("location", ["https://b.example/", "//b.example/x", "https://a.example:8443/", "/\\b.example"])
def test_a_redirect_is_judged_by_the_allow_list_again(location: str) -> None:
    dns = {"a.example": ["93.184.216.34"], "b.example": ["93.184.216.35"]}
    internet = Internet({"fake_dns": dns, "redirects": [{"status": 302, "location": location}]})
    with (
        internet.fetcher(FetchPolicy(allowed_hosts=("a.example",))) as fetcher,
        pytest.raises(FetchBlocked),
    ):
        fetcher.fetch("https://a.example/", BytesIO())
    assert internet.connected == ["93.184.216.34"]
