"""A mail server for development and tests: takes everything, delivers nothing, keeps it all in a Maildir.

    python -m cdp_pipelines.local.mail_server --port 2525 --maildir Maildir [--control FILE] [--size-limit BYTES]

Belongs here: the SMTP side. Not here: which failures can be asked for (`mail_control`), reading (`mailbox_reader`).
"""

import argparse
import asyncio
import contextlib
import mailbox
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cdp_pipelines.local.mail_control import MailFailure, MailFaults, MailStage
from cdp_pipelines.local.mailbox_reader import envelope_headers
from cdp_pipelines.local.ports import HOST

DEFAULT_SIZE_LIMIT_BYTES: Final = 35 * 1024 * 1024


class KeepEverything:
    """What aiosmtpd calls at each step; its signatures are aiosmtpd's."""

    def __init__(self, maildir: Path, faults: MailFaults) -> None:
        self._maildir = mailbox.Maildir(maildir, create=True)
        self._faults = faults

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Greet."""
        session.host_name = hostname
        refusal = await self._refusal("hello", server, envelope)
        return responses if refusal is None else [refusal]

    async def handle_HELO(self, server: Any, session: Any, envelope: Any, hostname: str) -> str:  # noqa: N802
        """Greet a client of the old kind, which a client falls back to when EHLO is refused."""
        session.host_name = hostname
        return await self._refusal("hello", server, envelope) or f"250 {server.hostname}"

    async def handle_MAIL(  # noqa: N802
        self,
        server: Any,
        session: Any,  # noqa: ARG002
        envelope: Any,
        address: str,
        mail_options: list[str],
    ) -> str:
        """Take the sender."""
        refusal = await self._refusal("sender", server, envelope)
        if refusal is None:
            envelope.mail_from = address
            envelope.mail_options.extend(mail_options)
        return refusal or "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self,
        server: Any,
        session: Any,  # noqa: ARG002
        envelope: Any,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        """Take a recipient."""
        refusal = await self._refusal("recipient", server, envelope, address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(rcpt_options)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802
        """Keep a message."""
        refusal = await self._refusal("data", server, envelope)
        if refusal is not None:
            return refusal
        headers = envelope_headers(envelope.mail_from, envelope.rcpt_tos)
        self._maildir.add(headers + envelope.original_content)
        return await self._refusal("stored", server, envelope) or "250 2.0.0 Kept"

    async def _refusal(self, stage: MailStage, server: Any, envelope: Any, *recipients: str) -> str | None:
        failure = self._faults.next_failure(stage, [*envelope.rcpt_tos, *recipients])
        return None if failure is None else await _carry_out(failure, server)


async def _carry_out(failure: MailFailure, server: Any) -> str | None:
    await asyncio.sleep(failure.delay_seconds)
    if failure.drop:
        server.transport.abort()
        # The client is gone; whatever is returned now goes nowhere.
        return "421 4.3.2 Closing"
    return failure.answer or None


async def serve(port: int, maildir: Path, *, control: Path | None, size_limit_bytes: int) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT."""
    from aiosmtpd.smtp import SMTP

    handler = KeepEverything(maildir, MailFaults(control))
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def protocol() -> asyncio.Protocol:
        session: asyncio.Protocol = SMTP(
            handler, enable_SMTPUTF8=True, data_size_limit=size_limit_bytes, hostname="localhost", loop=loop
        )
        return session

    server = await loop.create_server(protocol, HOST, port)
    await ended.wait()
    server.close()
    # Clients that keep their connection open do not keep the server; the process ends with them connected.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 1.0)


def main(argv: Sequence[str] | None = None) -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="Keep every mail in a Maildir; deliver nothing.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--maildir", type=Path, required=True)
    parser.add_argument("--control", type=Path, help="file that asks for failures, see mail_control")
    parser.add_argument("--size-limit", type=int, default=DEFAULT_SIZE_LIMIT_BYTES, help="bytes a message may have")
    arguments = parser.parse_args(argv)
    for folder in ("tmp", "new", "cur"):
        (arguments.maildir / folder).mkdir(parents=True, exist_ok=True)
    asyncio.run(
        serve(arguments.port, arguments.maildir, control=arguments.control, size_limit_bytes=arguments.size_limit)
    )


if __name__ == "__main__":
    main()
