"""Reading what the local mail server received.

Belongs here: a Maildir as typed, parsed messages. Not here: receiving (`mail_server`), showing (`cdp mail`).
"""

import email
import email.policy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from pathlib import Path
from typing import Final, cast

SENDER_HEADER: Final = "X-Envelope-From"
RECIPIENTS_HEADER: Final = "X-Envelope-To"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMail:
    """One message: who the envelope says it is from and for, when it came (UTC), and the parsed message."""

    key: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    message_id: str
    received_at: datetime
    message: EmailMessage = field(repr=False)

    def text(self) -> str:
        """The plain part; "" when there is none."""
        return self._body("plain")

    def html(self) -> str:
        """The HTML part; "" when there is none."""
        return self._body("html")

    def attachments(self) -> dict[str, bytes]:
        """The attached files by name."""
        return {
            part.get_filename() or "": cast(bytes, part.get_payload(decode=True))
            for part in self.message.iter_attachments()
        }

    def _body(self, kind: str) -> str:
        part = self.message.get_body(preferencelist=(kind,))
        return "" if part is None else str(part.get_content())


def read_mailbox(maildir: Path, *, to: str | None = None) -> list[ReceivedMail]:
    """What is in the Maildir, oldest first; with `to` only messages whose envelope names that address.

    A Maildir that does not exist yet is empty.
    """
    found = []
    for path in [path for folder in ("new", "cur") for path in (maildir / folder).glob("*")]:
        try:
            content, changed_ns = path.read_bytes(), path.stat().st_mtime_ns
        except FileNotFoundError:  # a mail reader moved it from `new` to `cur`
            continue
        found.append((changed_ns, _read(path.name, content, changed_ns)))
    mails = [mail for _, mail in sorted(found, key=lambda pair: (pair[0], pair[1].key))]
    return [mail for mail in mails if to is None or to.casefold() in (name.casefold() for name in mail.recipients)]


def envelope_headers(sender: str, recipients: list[str]) -> bytes:
    """The lines that keep a message's envelope in front of it; any address, in ASCII."""
    lines = [f"{SENDER_HEADER}: {_encoded(sender)}", *(f"{RECIPIENTS_HEADER}: {_encoded(name)}" for name in recipients)]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _encoded(text: str) -> str:
    return text if text.isascii() and text.isprintable() else Header(text, "utf-8").encode(linesep="\r\n")


def _read(name: str, content: bytes, changed_ns: int) -> ReceivedMail:
    message = email.message_from_bytes(content, policy=email.policy.default)
    return ReceivedMail(
        key=name.split(":", 1)[0],
        sender=str(message.get(SENDER_HEADER, "")),
        recipients=tuple(str(value) for value in message.get_all(RECIPIENTS_HEADER, [])),
        subject=str(message.get("Subject", "")),
        message_id=str(message.get("Message-ID", "")),
        received_at=datetime.fromtimestamp(changed_ns / 1e9, UTC),
        message=message,
    )
