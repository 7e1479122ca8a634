"""How received mails are listed, shown and saved. Not here: reading the Maildir (`local/mailbox_reader.py`)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import Refused

if TYPE_CHECKING:
    from rich.table import Table

    from cdp_pipelines.local.mailbox_reader import ReceivedMail

_VARIANT: Final = re.compile(r"<export\.(?P<job_id>[^@]+)\.(?P<variant>[a-z_]+)@")
_LONGEST_NAME_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class NumberedMail:
    """A mail and its number: 1 is the newest."""

    number: int
    mail: "ReceivedMail"

    @property
    def variant(self) -> str:
        """`succeeded`, `partially_succeeded` or `failed`, from the Message-ID; empty for a mail that is not ours."""
        match = _VARIANT.search(self.mail.message_id)
        return match["variant"] if match else ""

    @property
    def request_id(self) -> str:
        """The export that the mail is about."""
        return str(self.mail.message.get("X-Request-ID", ""))

    def facts(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "number": self.number,
            "received_at": self.mail.received_at,
            "to": list(self.mail.recipients),
            "subject": self.mail.subject,
            "variant": self.variant or None,
            "request_id": self.request_id or None,
            "message_id": self.mail.message_id.strip(),
            "attachments": [
                {"name": name, "size_bytes": len(content)} for name, content in self.mail.attachments().items()
            ],
        }


def numbered(mails: Sequence["ReceivedMail"]) -> list[NumberedMail]:
    """Mails that came oldest first, newest first and numbered from 1."""
    return [NumberedMail(number, mail) for number, mail in enumerate(reversed(mails), start=1)]


def pick(mails: Sequence[NumberedMail], number: int) -> NumberedMail:
    """The mail of this number.

    Raises:
        Refused: `MAIL_NOT_FOUND`.
    """
    if not 1 <= number <= len(mails):
        there = f"There are {len(mails)}; 1 is the newest." if mails else "The mailbox is empty."
        raise Refused("MAIL_NOT_FOUND", f"There is no mail {number}. {there}")
    return mails[number - 1]


def mails_table(mails: Sequence[NumberedMail]) -> "Table":
    """Mails in rows, in the order given."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("no", justify="right")
    for name in ("received", "to", "variant", "subject", "attachments"):
        table.add_column(name, overflow="fold")
    for mail in mails:
        attachments = [f"{name} ({output.size_text(len(data))})" for name, data in mail.mail.attachments().items()]
        table.add_row(
            str(mail.number),
            output.instant_text(mail.mail.received_at),
            ", ".join(mail.mail.recipients),
            mail.variant,
            mail.mail.subject,
            ", ".join(attachments),
        )
    return table


def save(mail: NumberedMail, folder: Path) -> list[Path]:
    """Write the message as `mail.eml`, its parts and its attachments into `folder`; returns the files.

    Raises:
        Refused: `FILE_UNWRITABLE`.
    """
    contents: dict[str, bytes] = {"mail.eml": mail.mail.message.as_bytes()}
    contents |= {"text.txt": mail.mail.text().encode(), "page.html": mail.mail.html().encode()}
    for name, data in mail.mail.attachments().items():
        contents[_unused(_safe_name(name), contents)] = data
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            (folder / name).write_bytes(data)
    except OSError as exc:
        raise Refused("FILE_UNWRITABLE", f"{folder} cannot be written ({exc.strerror}).") from exc
    return [folder / name for name in contents]


def _safe_name(name: str) -> str:
    """A name from a mail, which anybody may have written, as one that stays in its folder."""
    plain = "".join(c for c in name.replace("\\", "/").rsplit("/", 1)[-1] if unicodedata.category(c)[0] != "C")
    plain = plain.strip().lstrip(".").encode()[-_LONGEST_NAME_BYTES:].decode(errors="ignore")
    return plain or "attachment"


def _unused(name: str, taken: dict[str, bytes]) -> str:
    stem, suffix = Path(name).stem, Path(name).suffix
    count = 1
    while name in taken:
        count += 1
        name = f"{stem}-{count}{suffix}"
    return name
