"""The mails that came since a test began."""

from pathlib import Path

from cdp_pipelines.local.mail_control import MailControl
from cdp_pipelines.local.mailbox_reader import ReceivedMail, read_mailbox
from cdp_pipelines_tests.support.waiting import wait_for


class Inbox:
    """What the mail server received after this object was made. `control` makes the server fail."""

    def __init__(self, maildir: Path, control_path: Path) -> None:
        self.path = maildir
        self.control = MailControl(control_path)
        self._before = {mail.key for mail in read_mailbox(maildir)}

    def mails(self, to: str | None = None) -> list[ReceivedMail]:
        """Oldest first; with `to` only those for that address."""
        return [mail for mail in read_mailbox(self.path, to=to) if mail.key not in self._before]

    def wait(self, count: int = 1, *, to: str | None = None, seconds: float = 30.0) -> list[ReceivedMail]:
        """The mails, as soon as there are at least `count`."""

        def enough() -> list[ReceivedMail]:
            mails = self.mails(to)
            return mails if len(mails) >= count else []

        return wait_for(f"{count} mail(s)", enough, seconds=seconds)
