"""A proxy before MongoDB that loses answers: the server has done what it was told, and the client never hears of it."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import bson

_HEADER = 16
_OP_MSG = 2013
_BODY_AT = 21
"""After the header, the flags and the kind of the first section."""


class LosingAnswers:
    """Forwards every message; after `lose(command, collection)`, that command's next answer is not forwarded."""

    def __init__(self, uri: str) -> None:
        address = urlsplit(uri)
        self._server = (address.hostname or "127.0.0.1", address.port or 27017)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        own = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.uri = uri.replace(address.netloc.rpartition("@")[2], own)
        self._wanted: tuple[str, str] | None = None
        self.lost = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, command: str, collection: str) -> None:
        self._wanted, self.lost = (command, collection), 0

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._server) as server, contextlib.suppress(OSError, EOFError):
            while True:
                asked = _message(client)
                wanted = self._is_wanted(asked)
                server.sendall(asked)
                answer = _message(server)
                if wanted:
                    self._wanted, self.lost = None, self.lost + 1
                    return
                client.sendall(answer)
                while _more_to_come(answer):
                    answer = _message(server)
                    client.sendall(answer)

    def _is_wanted(self, message: bytes) -> bool:
        if self._wanted is None or struct.unpack_from("<i", message, 12)[0] != _OP_MSG:
            return False
        (length,) = struct.unpack_from("<i", message, _BODY_AT)
        body = bson.decode(message[_BODY_AT : _BODY_AT + length])
        command = next(iter(body))
        return (command, body[command]) == self._wanted


def _message(connection: socket.socket) -> bytes:
    head = _exactly(connection, _HEADER)
    return head + _exactly(connection, struct.unpack_from("<i", head)[0] - _HEADER)


def _exactly(connection: socket.socket, number: int) -> bytes:
    received = b""
    while len(received) < number:
        data = connection.recv(number - len(received))
        if not data:
            raise EOFError
        received += data
    return received


def _more_to_come(answer: bytes) -> bool:
    """Whether the server goes on by itself, as it does for a driver that watches it (exhaust)."""
    return struct.unpack_from("<i", answer, 12)[0] == _OP_MSG and bool(struct.unpack_from("<I", answer, 16)[0] & 2)


@contextmanager
def losing_answers(uri: str) -> Iterator[LosingAnswers]:
    proxy = LosingAnswers(uri)
    try:
        yield proxy
    finally:
        proxy.close()
