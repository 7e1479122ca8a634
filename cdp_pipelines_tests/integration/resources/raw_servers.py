"""Servers for tests that misbehave below HTTP: each connection is handed to a function that writes what it likes."""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Connection:
    """One connection; `stopped` is set when the test is over."""

    socket: socket.socket
    stopped: threading.Event
    server: "RawServer"

    def read_request(self) -> str:
        """The next request with its body, if it has one; "" when the client is gone."""
        received = b""
        while b"\r\n\r\n" not in received:
            data = self.socket.recv(65_536)
            if not data:
                return ""
            received += data
        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        while length and len(body) < int(length[1]) and (data := self.socket.recv(65_536)):
            body += data
        request = (head + b"\r\n\r\n" + body).decode("latin-1")
        self.server.requests.append(request)
        return request

    def send(self, *parts: bytes, pause: float = 0) -> None:
        """Send the parts, waiting between them, until the test is over."""
        for part in parts:
            if self.stopped.wait(pause) if pause else self.stopped.is_set():
                return
            self.socket.sendall(part)


@dataclass
class RawServer:
    """Where it listens, and what came in so far."""

    port: int
    requests: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def raw_server(serve: Callable[[Connection], None], *, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """A server on a free port of 127.0.0.1 that calls `serve` in a thread for each connection, then closes it."""
    stopped = threading.Event()
    threads: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = RawServer(listener.getsockname()[1])

    def handle(accepted: socket.socket) -> None:
        # A client that gives up, or refuses the certificate, is what many of these tests are about.
        with accepted, contextlib.suppress(OSError):
            accepted.settimeout(30)
            wrapped = tls.wrap_socket(accepted, server_side=True) if tls else accepted
            with wrapped:
                serve(Connection(wrapped, stopped, server))

    def accept() -> None:
        while True:
            accepted, _ = listener.accept()
            if stopped.is_set():
                accepted.close()
                return
            server.connections += 1
            thread = threading.Thread(target=handle, args=(accepted,))
            thread.start()
            threads.append(thread)

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        stopped.set()
        socket.create_connection(("127.0.0.1", server.port)).close()
        acceptor.join()
        listener.close()
        for thread in threads:
            thread.join()


@contextmanager
def server_that_never_accepts() -> Iterator[RawServer]:
    """A port whose queue of waiting connections is full: connecting to it hangs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield RawServer(listener.getsockname()[1])


@dataclass
class Authority:
    """A certificate authority of the test's own, and a server's certificate from it for one name."""

    certificate: Path
    server: ssl.SSLContext
    names_asked: list[str | None] = field(default_factory=list)


def certificate_authority(folder: Path, name: str) -> Authority:
    """Make both with the `openssl` command."""
    (folder / "extensions").write_text(f"subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc")
    issuer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    for arguments in (
        ("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test authority"),
        ("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"),
        ("x509", "-req", "-in", "server.csr", *issuer, "-days", "2", "-extfile", "extensions", "-out", "server.pem"),
    ):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    authority = Authority(folder / "ca.pem", context)

    def remember(_: ssl.SSLObject, asked: str | None, __: ssl.SSLContext) -> None:
        authority.names_asked.append(asked)

    context.sni_callback = remember
    return authority
