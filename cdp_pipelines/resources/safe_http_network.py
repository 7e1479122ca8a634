"""Connections that go to checked addresses only and are over when the fetch's time is (for `safe_http`).

The name is looked up here, once for each connection; every address it gives is checked, and the connection is made to
one of those: nothing looks the name up again in between. TLS, which comes after, goes by the name. Not here: URLs and
the allow list (`domain/web_address.py`).
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any, Final

import httpcore

from cdp_pipelines.domain.public_address import is_public_address
from cdp_pipelines.domain.web_address import FetchPolicy
from cdp_pipelines.resources.safe_http_errors import FetchBlocked, FetchFailed

MOST_ADDRESSES_TRIED: Final = 4

deadline: ContextVar[float] = ContextVar("deadline")
"""When the fetch that runs in this thread is over, by `time.monotonic`: connections outlive fetches."""


def seconds_left(at_most: float) -> float:
    """How long the running fetch may still wait, at most so long; never 0, which sockets take for "do not wait"."""
    return max(0.001, min(at_most, deadline.get() - time.monotonic()))


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects as a policy allows."""

    def __init__(
        self,
        policy: FetchPolicy,
        resolve: Callable[[str, int], Sequence[str]],
        connect: Callable[[str, int, float], httpcore.NetworkStream] | None,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._connect = connect or _connect

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the policy's holds
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - httpcore's signature
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that takes it.

        Raises:
            FetchBlocked: the host has an address that is not public.
            FetchFailed: it has none.
        """
        refused: httpcore.NetworkError | httpcore.TimeoutException = httpcore.ConnectTimeout()
        for address in self._checked_addresses(host, port)[:MOST_ADDRESSES_TRIED]:
            try:
                stream = self._connect(address, port, seconds_left(self._policy.connect_seconds))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                refused = exc
            else:
                return TimedStream(stream)
        raise refused

    def _checked_addresses(self, host: str, port: int) -> Sequence[str]:
        addresses = [host] if _is_address(host) else self._look_up(host, port)
        # One private address among public ones is a trap, or a host that is partly ours: either way not for strangers.
        if not self._policy.trusts(host, port) and not all(is_public_address(address) for address in addresses):
            raise FetchBlocked(f"{host} leads to an address that is not in the public internet.")
        return addresses

    def _look_up(self, host: str, port: int) -> Sequence[str]:
        answers: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(self._resolve(host, port))
            except OSError as exc:
                answers.put(exc)

        # The system's resolver knows no time limit, so it is left behind where it takes too long.
        threading.Thread(target=look_up, name="look-up", daemon=True).start()
        try:
            answer = answers.get(timeout=seconds_left(self._policy.connect_seconds))
        except Empty:
            raise FetchFailed(f"{host} did not resolve in time.", worth_retrying=True) from None
        if isinstance(answer, OSError) or not answer:
            later = isinstance(answer, OSError) and answer.errno == socket.EAI_AGAIN
            raise FetchFailed(f"{host} does not resolve.", worth_retrying=later)
        return answer


class TimedStream(httpcore.NetworkStream):
    """A connection whose every wait ends with the fetch: drops that come just in time do not keep it up for ever."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """As `NetworkStream`."""
        return self._stream.read(max_bytes, _limited(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """As `NetworkStream`."""
        self._stream.write(buffer, _limited(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """As `NetworkStream`."""
        return TimedStream(self._stream.start_tls(ssl_context, server_hostname, _limited(timeout)))

    def close(self) -> None:
        """As `NetworkStream`."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """As `NetworkStream`."""
        return self._stream.get_extra_info(info)


def _limited(timeout: float | None) -> float:
    if deadline.get() <= time.monotonic():
        raise httpcore.ReadTimeout("the time for the whole fetch is over")
    return seconds_left(timeout or float("inf"))


def _connect(address: str, port: int, timeout: float) -> httpcore.NetworkStream:
    return httpcore.SyncBackend().connect_tcp(address, port, timeout)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
