"""An email as bytes: headers that cannot be injected into, text and HTML parts, one attachment.

Belongs here: MIME. Not here: what an email says (`cdp_pipelines.domain.contact_export.messages`), sending (`mailer`).
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from cdp_pipelines.domain.email_address import MAX_CHARACTERS, read_email_address
from cdp_pipelines.domain.errors import PermanentFailure

_HEADER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_NOT_FOR_CALLERS: Final = frozenset({"cc", "bcc", "content-type", "content-transfer-encoding", "mime-version"})
_MESSAGE_ID: Final = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file on disk, and the name and MIME type under which it goes out. All of it is held in memory while sending."""

    path: Path
    name: str
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingEmail:
    """One email to one person. `message_id` in angle brackets; `headers` are further ones, such as `X-Request-ID`."""

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    message_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    attachment: Attachment | None = None


def read_address(text: str, what: str) -> Address:
    """One mailbox, with or without a display name. The domain comes back in ASCII (UTS 46).

    Raises:
        PermanentFailure: `EMAIL_INVALID`, it is not one address; the text itself is not repeated.
    """
    invalid = PermanentFailure("EMAIL_INVALID", f"{what} is not one email address such as name@example.com.")
    text = text.strip()
    if _has_control_characters(text) or len(text) > MAX_CHARACTERS * 2:
        raise invalid
    message = EmailMessage(policy=SMTP)
    try:
        message["To"] = text
        header = message["To"]
        (address,) = header.addresses
        # Letters beyond ASCII are the server's to take or refuse (SMTPUTF8); the class is younger than Python 3.11.0.
        defects = [d for d in header.defects if type(d).__name__ != "NonASCIILocalPartDefect"]
        # Not from `addr_spec`, which would put a local part that is none into quotes.
        read = read_email_address(f"{address.username}@{address.domain}", dotless=True)
        if defects or read is None:
            raise invalid
        return Address(address.display_name, username=read.local, domain=read.domain)
    except (ValueError, IndexError, MessageError):
        # Without its cause, whose text repeats the address.
        raise invalid from None


def needs_utf8(address: Address) -> bool:
    """Whether only a server with SMTPUTF8 can carry this address (its domain is ASCII by now)."""
    return not address.username.isascii()


def build_message(email: OutgoingEmail, *, sender: Address, recipient: Address, date: datetime) -> bytes:
    """The message as it goes over the wire (CRLF), marked as sent by a machine so that no out-of-office answers.

    Raises:
        PermanentFailure: `EMAIL_INVALID`, a header holds a line break or a control character, or is malformed.
    """
    message = EmailMessage(policy=SMTPUTF8 if needs_utf8(recipient) or needs_utf8(sender) else SMTP)
    headers: dict[str, Address | str] = {
        "From": sender,
        "To": recipient,
        "Subject": email.subject,
        "Date": format_datetime(date),
        "Message-ID": email.message_id,
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if taken := {name.casefold() for name in email.headers} & (
        _NOT_FOR_CALLERS | {name.casefold() for name in headers}
    ):
        raise PermanentFailure("EMAIL_INVALID", f"The email may not set these headers itself: {sorted(taken)}.")
    if not _MESSAGE_ID.fullmatch(email.message_id):
        raise PermanentFailure("EMAIL_INVALID", "The Message-ID must look like <name@example.com>.")
    for name, value in (headers | dict(email.headers)).items():
        if not _HEADER_NAME.fullmatch(name) or _has_control_characters(str(value)):
            raise PermanentFailure("EMAIL_INVALID", "A header of the email holds a line break or a control character.")
        message[name] = value
    message.set_content(_encodable(email.text), cte="quoted-printable")
    message.add_alternative(_encodable(email.html), subtype="html", cte="quoted-printable")
    if email.attachment is not None:
        media_type, _, parameters = email.attachment.content_type.partition(";")
        maintype, _, subtype = media_type.partition("/")
        charset = parameters.partition("charset=")[2].strip()
        message.add_attachment(
            email.attachment.path.read_bytes(),
            maintype=maintype,
            subtype=subtype or "octet-stream",
            filename=_safe_file_name(email.attachment.name),
            params={"charset": charset} if charset else None,
        )
    return message.as_bytes()


def _safe_file_name(name: str) -> str:
    return "".join(c for c in name if unicodedata.category(c)[0] != "C" and c not in '/\\"').strip() or "attachment"


def _encodable(text: str) -> str:
    """Half a surrogate pair, which a cut string may end in, has no UTF-8; it becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text)
