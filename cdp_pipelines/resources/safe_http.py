"""Fetching addresses that strangers chose, such as the attachments of a CRM's notes (SPEC 6), and posting to them.

Belongs here: one download from first look at the URL to the last byte, with its redirects, limits and attempts; one
try of posting a small body, such as a webhook's. Not here: reading URLs and the policy (`domain/web_address.py`),
connecting to checked addresses (`safe_http_network.py`), what an attachment may hold (`domain/contact_notes`), and our
own neighbours, which are known (`http_client.py`).
"""

import hashlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from cdp_pipelines.domain.web_address import FetchPolicy, WebAddress, read_address, read_redirect
from cdp_pipelines.resources.http_client import printable
from cdp_pipelines.resources.safe_http_errors import FetchBlocked, FetchFailed, FetchTooLarge

if TYPE_CHECKING:
    import httpcore

__all__ = [
    "FetchBlocked",
    "FetchFailed",
    "FetchPolicy",
    "FetchTooLarge",
    "Fetched",
    "Posted",
    "SafeFetcher",
    "system_resolver",
]

HEAD_BYTES: Final = 4_096
MOST_CONNECTIONS: Final = 32
KEPT_IDLE_SECONDS: Final = 10.0
LONGEST_CONTENT_TYPE: Final = 255

_SUCCESS: Final = frozenset({200, 203})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TOO_MANY_REQUESTS: Final = 429
_CLIENT_FAULTS_FROM: Final = 400
_SERVER_FAULTS_FROM: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came: size, SHA-256 in hex, content type as the server put it ("" if it did not), and the first 4 KiB."""

    size_bytes: int
    sha256: str
    content_type: str
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What a POST was answered with: the status, whatever it is, and `Retry-After` as it came ("" if it did not)."""

    http_status: int
    retry_after: str


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The host's addresses as the operating system finds them.

    Raises:
        OSError: it does not resolve.
    """
    # In bytes: a text would be mapped once more, by other rules than the ones that the URL was read with.
    answers = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))


class SafeFetcher:
    """Downloads what its policy allows. Safe to share between threads; keeps connections; `close()` when done.

    No proxy, cookie, password or referrer is ever sent. `resolve` gives the addresses of a host, and `connect` connects
    to an address and port within seconds; both are there for tests.
    """

    def __init__(
        self,
        policy: FetchPolicy,
        *,
        resolve: Callable[[str, int], Sequence[str]] = system_resolver,
        connect: "Callable[[str, int, float], httpcore.NetworkStream] | None" = None,
    ) -> None:
        import httpcore

        from cdp_pipelines.resources.safe_http_network import CheckedNetwork

        self._policy = policy
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpcore.default_ssl_context(),
            max_connections=MOST_CONNECTIONS,
            keepalive_expiry=KEPT_IDLE_SECONDS,
            network_backend=CheckedNetwork(policy, resolve, connect),
        )
        # At DEBUG it writes down every header, and a redirect's has the whole address.
        logging.getLogger("httpcore.http11").setLevel(logging.INFO)

    def fetch(self, url: str, to: BinaryIO, *, request_id: str = "") -> Fetched:
        """Download into `to`, from where it stands; it must be one that can go back, since a failed try starts over.

        Tried again after a failed connection, a timeout, a broken answer, a 5xx or a 429, as often as the policy says.
        What `to` holds after a failure is of no use.

        Raises:
            FetchBlocked: the policy does not allow the address, or one that it leads to.
            FetchTooLarge: the file is larger than the policy takes.
            FetchFailed: it could not be had.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_fixed

        from cdp_pipelines.resources.safe_http_network import deadline

        address = read_address(url)
        self._policy.check(address)
        retrying = Retrying(
            retry=retry_if_exception(lambda exc: isinstance(exc, FetchFailed) and exc.worth_retrying),
            stop=stop_after_attempt(self._policy.attempts) | stop_after_delay(self._policy.total_seconds),
            wait=wait_fixed(self._policy.retry_wait_seconds),
            reraise=True,
        )
        token = deadline.set(time.monotonic() + self._policy.total_seconds)
        try:
            return retrying(self._fetch_once, address, to, to.tell(), printable(request_id))
        finally:
            deadline.reset(token)

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Posted:
        """POST a small body, once: no redirect is followed and nothing is tried again.

        `total_seconds` and the policy's other times hold. Of the answer, at most `largest_bytes` are read and dropped;
        what is wrong with its body matters to nobody, once the status is known.

        Raises:
            FetchBlocked: the policy does not allow the address.
            FetchFailed: no status came.
        """
        from cdp_pipelines.resources.safe_http_network import deadline

        address = read_address(url)
        self._policy.check(address)
        # A new connection for each: one that was kept may be gone by now, and then nobody knows whether it was taken.
        sent = {"Connection": "close"} | {name: printable(value) for name, value in headers.items()}
        token = deadline.set(time.monotonic() + self._policy.total_seconds)
        posted: Posted | None = None
        try:
            with self._answer(address, "POST", sent, body) as answer:
                posted = Posted(http_status=answer.status, retry_after=_header(answer, b"retry-after"))
                self._drop_body(answer)
        except FetchFailed:
            if posted is None:
                raise
        finally:
            deadline.reset(token)
        return posted

    def _drop_body(self, answer: "httpcore.Response") -> None:
        """Read it, so that the sender is not cut off in the middle; but only so far."""
        left = self._policy.largest_bytes
        for chunk in answer.iter_stream():
            left -= len(chunk)
            if left < 0:
                return

    def close(self) -> None:
        """Give the connections back."""
        self._pool.close()

    def _fetch_once(self, address: WebAddress, to: BinaryIO, start: int, request_id: str) -> Fetched:
        to.seek(start)
        to.truncate()
        seen = {address}
        while True:
            with self._answer(address, "GET", {"X-Request-ID": request_id} if request_id else {}) as answer:
                if answer.status not in _REDIRECTS:
                    return self._receive(answer, address.host, to)
                location = _header(answer, b"location")
            address = self._follow(address, location)
            if address in seen or len(seen) > self._policy.most_redirects:
                raise FetchBlocked(f"{address.host} redirects in a circle, or too often.")
            seen.add(address)

    def _follow(self, address: WebAddress, location: str) -> WebAddress:
        if not location:
            raise FetchFailed(f"{address.host} redirects, but does not say where to.")
        target = read_redirect(address, location)
        self._policy.check(target)
        return target

    @contextmanager
    def _answer(
        self, address: WebAddress, method: str, more_headers: Mapping[str, str], content: bytes | None = None
    ) -> "Iterator[httpcore.Response]":
        import httpcore

        from cdp_pipelines.resources.safe_http_network import seconds_left

        headers: dict[str | bytes, str | bytes] = {
            "Host": address.authority,
            "User-Agent": "cdp_pipelines",
            "Accept": "*/*",
            # Packed, a small answer could grow without a bound.
            "Accept-Encoding": "identity",
        }
        headers.update(more_headers.items())
        url = httpcore.URL(scheme=address.scheme, host=address.host, port=address.port, target=address.target)
        timeouts = {
            "connect": self._policy.connect_seconds,
            "read": self._policy.read_seconds,
            "write": self._policy.read_seconds,
            "pool": seconds_left(self._policy.total_seconds),
        }
        with (
            _translating(address.host),
            self._pool.stream(
                method, url, headers=headers, content=content, extensions={"timeout": timeouts}
            ) as answer,
        ):
            yield answer

    def _receive(self, answer: "httpcore.Response", host: str, to: BinaryIO) -> Fetched:
        _refuse_failure(answer.status, host)
        if _header(answer, b"content-encoding").lower() not in ("", "identity"):
            raise FetchFailed(f"{host} answered in a packed form, which was not asked for.")
        declared = _header(answer, b"content-length")
        if declared.isdecimal() and int(declared) > self._policy.largest_bytes:
            raise self._too_large(host)
        digest, size, head = hashlib.sha256(), 0, bytearray()
        for chunk in answer.iter_stream():
            size += len(chunk)
            if size > self._policy.largest_bytes:
                raise self._too_large(host)
            head += chunk[: HEAD_BYTES - len(head)]
            digest.update(chunk)
            to.write(chunk)
        content_type = printable(_header(answer, b"content-type"))[:LONGEST_CONTENT_TYPE]
        return Fetched(size_bytes=size, sha256=digest.hexdigest(), content_type=content_type, head=bytes(head))

    def _too_large(self, host: str) -> FetchTooLarge:
        return FetchTooLarge(f"The file at {host} has more than {self._policy.largest_bytes:,} bytes.")


def _refuse_failure(status: int, host: str) -> None:
    if status not in _SUCCESS:
        again = status >= _SERVER_FAULTS_FROM or status == _TOO_MANY_REQUESTS
        hint = "" if status >= _CLIENT_FAULTS_FROM else ", which brings no file"
        raise FetchFailed(f"{host} answered HTTP {status}{hint}.", http_status=status, worth_retrying=again)


def _header(answer: "httpcore.Response", name: bytes) -> str:
    values = [value for key, value in answer.headers if key.lower() == name]
    # Some servers write UTF-8 where only ASCII should be.
    return ", ".join(value.decode("utf-8", "replace") for value in values).strip()


@contextmanager
def _translating(host: str) -> Iterator[None]:
    """Raise httpcore's errors as ours, without their texts where those could repeat what the server sent."""
    import httpcore

    try:
        yield
    except httpcore.TimeoutException:
        raise FetchFailed(f"{host} did not answer in time.", worth_retrying=True) from None
    except httpcore.ConnectError as exc:
        # Its pool cuts the cause off, but the first error is the argument of its own.
        if any(isinstance(argument, ssl.SSLCertVerificationError) for argument in exc.args):
            raise FetchFailed(f"The certificate that {host} shows does not hold for it.") from exc
        raise FetchFailed(f"{host} could not be connected to.", worth_retrying=True) from exc
    except (httpcore.NetworkError, httpcore.ProtocolError):
        raise FetchFailed(
            f"{host} broke its answer off, or did not answer as HTTP asks.", worth_retrying=True
        ) from None
