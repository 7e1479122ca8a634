from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.mail_view import numbered, pick, save
from cdp_pipelines.local.mailbox_reader import ReceivedMail


def received(subject: str, *attachments: str, message_id: str = "<x@y>") -> ReceivedMail:
    message = EmailMessage()
    message["Subject"] = subject
    message["X-Request-ID"] = "job-1"
    message.set_content("Hello.")
    for name in attachments:
        message.add_attachment(b"data", maintype="text", subtype="csv", filename=name)
    return ReceivedMail(
        key=subject, sender="s@x", recipients=("a@b.example",), subject=subject, message_id=message_id,
        received_at=datetime(2024, 5, 1, tzinfo=UTC), message=message,
    )  # fmt: skip


def test_the_newest_is_number_one() -> None:
    mails = numbered([received("old"), received("new")])
    assert [(mail.number, mail.mail.subject) for mail in mails] == [(1, "new"), (2, "old")]
    assert pick(mails, 2).mail.subject == "old"


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_number_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(Refused, match="There are 2"):
        pick(numbered([received("a"), received("b")]), number)


@pytest.mark.parametrize(
    ("message_id", "variant"),
    [
        ("<export.3f0d-1.partially_succeeded@cdp.example>", "partially_succeeded"),
        (" <export.3f0d-1.failed@cdp.example>", "failed"),
        ("<1@elsewhere.example>", ""),
    ],
)
def test_the_variant_is_read_from_the_message_id(message_id: str, variant: str) -> None:
    (mail,) = numbered([received("s", message_id=message_id)])
    assert mail.variant == variant
    assert mail.facts()["variant"] == (variant or None)
    assert mail.request_id == "job-1"


def test_what_a_mail_names_stays_in_its_folder(tmp_path: Path) -> None:
    (mail,) = numbered([received("s", "../../evil.csv", "C:\\evil.csv", ".hidden", "mail.eml")])
    paths = save(mail, tmp_path / "m")
    assert {path.parent for path in paths} == {tmp_path / "m"}
    names = sorted(path.name for path in paths)
    assert names[-2:] == ["page.html", "text.txt"]
    assert {"evil.csv", "hidden", "mail.eml", "mail-2.eml"} <= set(names)
    assert (tmp_path / "m" / "text.txt").read_text().strip() == "Hello."


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (mail,) = numbered([received("s")])
    with pytest.raises(Refused) as caught:
        save(mail, tmp_path / "file")
    assert caught.value.code == "FILE_UNWRITABLE"
