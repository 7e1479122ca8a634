"""Small real SMTP servers for tests: one that keeps mail (aiosmtpd), one that follows a script to the byte."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

Script = Callable[["Conversation"], None]


class KeepingHandler:
    """Keeps every message; `answers` maps a command to the answers it gives instead, in order, then accepts."""

    def __init__(self, answers: Mapping[str, list[str]] | None = None) -> None:
        self.envelopes: list[Envelope] = []
        self.seen: list[str] = []
        self._answers = {command: list(lines) for command, lines in (answers or {}).items()}

    def _answer(self, command: str, otherwise: str) -> str:
        self.seen.append(command)
        waiting = self._answers.get(command, [])
        return waiting.pop(0) if waiting else otherwise

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self._answer("MAIL", "250 OK")

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        answer = self._answer("RCPT", "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self._answer("DATA", "250 OK")
        if answer.startswith("250"):
            self.envelopes.append(envelope)
        return answer


@contextmanager
def keeping_server(handler: KeepingHandler, **options: Any) -> Iterator[int]:
    """The port of an aiosmtpd server on 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@dataclass
class Conversation:
    """One connection of a scripted server."""

    connection: socket.socket
    stream: Any
    lines: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.connection.sendall(text.encode() + b"\r\n")

    def hear(self) -> str:
        line: str = self.stream.readline().decode("utf-8", "replace").rstrip("\r\n")
        self.lines.append(line)
        return line

    def hear_message(self) -> None:
        while self.hear() != ".":
            pass

    def until_data(self) -> None:
        """Greet and agree to everything until the message may begin."""
        self.say("220 test")
        self.hear()
        self.say("250 test")
        for answer in ("250 ok", "250 ok", "354 go on"):
            self.hear()
            self.say(answer)


@contextmanager
def scripted_server(script: Script) -> Iterator[tuple[int, list[Conversation]]]:
    """A server that plays `script` on every connection and then closes it; yields its port and the conversations."""
    conversations: list[Conversation] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                conversation = Conversation(connection, stream)
                conversations.append(conversation)
                try:
                    script(conversation)
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], conversations
    finally:
        # A blocked accept() is woken only by a connection or by shutdown.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
