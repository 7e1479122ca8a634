"""Fetching addresses that strangers chose, such as the attachments of a CRM's notes (SPEC 6), and posting to them.

Belongs here: one download from first look at the URL to the last byte, with its redirects, limits and attempts; one
try of posting a small body, such as a webhook's. Not here: reading URLs and the policy (`domain/web_address.py`),
connecting to checked addresses (`safe_http_network.py`), what an attachment may hold (`domain/contact_notes`), and our
own neighbours, which are known (`http_client.py`).
"""

import hashlib
import itertools
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from cdp_pipelines.domain.web_address import FetchPolicy, WebAddress, read_address, read_redirect
from cdp_pipelines.resources.content_coding import CodingBroken, CodingUnknown, Unpack, unpackers
from cdp_pipelines.resources.http_client import printable, seconds_until_retry
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
_PASSING: Final = frozenset({408, 423, 429})
"""Refusals that say "not now" (timeout, locked, too many requests)."""
_CLIENT_FAULTS_FROM: Final = 400
_SERVER_FAULTS_FROM: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came: size, SHA-256 in hex, content type as the server put it ("" if it did not), and the first 4 KiB.

    All but the type are of the file itself; `received_bytes` is its size as it was sent, if it was sent packed.
    """

    size_bytes: int
    sha256: str
    content_type: str
    head: bytes
    received_bytes: int | None = None

    def has_size(self, expected_bytes: int) -> bool:
        """Whether it is as large as somebody says who may have looked at it packed."""
        return expected_bytes in (self.size_bytes, self.received_bytes)


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

    def fetch(self, url: str, to: BinaryIO, *, request_id: str = "", expected_bytes: int | None = None) -> Fetched:
        """Download into `to`, from where it stands; it must be one that can go back, since a failed try starts over.

        Tried again after a failed connection, a timeout, a broken answer, a 5xx, 408, 423 or 429, as often as the
        policy says, and also if the file has not the expected size, until two tries agree: an answer without a length
        may end early without anybody noticing. What `to` holds after a failure is of no use.

        Raises:
            FetchBlocked: the policy does not allow the address, or one that it leads to; `AddressInvalid`: it is none.
            FetchTooLarge: the file is larger than the policy takes.
            FetchFailed: it could not be had.
        """
        from cdp_pipelines.resources.safe_http_network import deadline

        address = read_address(url)
        self._policy.check(address)
        ends = time.monotonic() + self._policy.total_seconds
        start, sent_id, size_before = to.tell(), printable(request_id), -1
        token = deadline.set(ends)
        try:
            for attempt in itertools.count(1):
                wait = self._policy.retry_wait(attempt)
                try:
                    fetched = self._fetch_once(address, to, start, sent_id)
                except FetchFailed as exc:
                    wait = max(wait, exc.after_seconds)
                    if not exc.worth_retrying or not self._goes_on(attempt, wait, ends):
                        raise
                else:
                    agreed = expected_bytes is None or fetched.has_size(expected_bytes)
                    if agreed or fetched.size_bytes == size_before or not self._goes_on(attempt, wait, ends):
                        return fetched
                    size_before = fetched.size_bytes
                time.sleep(wait)
        finally:
            deadline.reset(token)
        raise AssertionError("the loop above ends by itself")

    def _goes_on(self, attempt: int, wait: float, ends: float) -> bool:
        """Whether there is another attempt, and time for it."""
        return attempt < self._policy.attempts and time.monotonic() + wait < ends

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
        _refuse_failure(answer, host)
        content_type = printable(_header(answer, b"content-type"))[:LONGEST_CONTENT_TYPE]
        packings = _packings(answer, content_type, host)
        declared = _header(answer, b"content-length")
        if declared.isdecimal() and int(declared) > self._policy.largest_bytes:
            raise self._too_large(host)
        digest, size, head = hashlib.sha256(), 0, bytearray()
        # The cap holds for what is sent as well as for what it unpacks to, and for all in between.
        counted = received = _Counted(answer.iter_stream(), self._policy.largest_bytes)
        try:
            for unpack in packings:
                counted = _Counted(unpack(counted), self._policy.largest_bytes)
            for chunk in counted:
                size += len(chunk)
                head += chunk[: HEAD_BYTES - len(head)]
                digest.update(chunk)
                to.write(chunk)
        except _TooMuch:
            raise self._too_large(host) from None
        except CodingBroken:
            raise FetchFailed(f"{host} sent a packed file that is broken or cut off.", worth_retrying=True) from None
        return Fetched(
            size_bytes=size,
            sha256=digest.hexdigest(),
            content_type=content_type,
            head=bytes(head),
            received_bytes=received.size if packings else None,
        )

    def _too_large(self, host: str) -> FetchTooLarge:
        return FetchTooLarge(f"The file at {host} has more than {self._policy.largest_bytes:,} bytes.")


class _TooMuch(Exception):
    """More came than may."""


class _Counted:
    """Chunks as they come, of which there may be so many bytes."""

    def __init__(self, chunks: Iterable[bytes], largest_bytes: int) -> None:
        self._chunks, self._largest_bytes, self.size = chunks, largest_bytes, 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            if self.size > self._largest_bytes:
                raise _TooMuch
            yield chunk


def _packings(answer: "httpcore.Response", content_type: str, host: str) -> list[Unpack]:
    try:
        return unpackers(_header(answer, b"content-encoding"), content_type)
    except CodingUnknown:
        raise FetchFailed(f"{host} answered in a packed form, which was not asked for.") from None


def _refuse_failure(answer: "httpcore.Response", host: str) -> None:
    status = answer.status
    if status in _SUCCESS:
        return
    raise FetchFailed(
        f"{host} answered HTTP {status}{'' if status >= _CLIENT_FAULTS_FROM else ', which brings no file'}.",
        http_status=status,
        worth_retrying=status >= _SERVER_FAULTS_FROM or status in _PASSING,
        after_seconds=seconds_until_retry(_header(answer, b"retry-after")),
    )


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
