"""MIME: what goes in comes out, and nothing can be smuggled into a header."""

import email
import email.policy
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.resources.email_message import Attachment, OutgoingEmail, build_message, read_address

SENDER = read_address("CDP Ekspor <no-reply@cdp.example>", "CDP_EMAIL_FROM")
DATE = datetime(2026, 11, 23, 7, 5, tzinfo=UTC)


def outgoing(**changes: Any) -> OutgoingEmail:
    fields: dict[str, Any] = {
        "to": "user@example.com",
        "subject": "Ekspor siap ✔",
        "text": "Halo,\n.\n..titik\nFrom here ü\n",
        "html": "<p>Halo ü</p>",
        "message_id": "<export.1.succeeded@cdp.example>",
        "headers": {"X-Request-ID": "r-1"},
    }
    return OutgoingEmail(**(fields | changes))


def built(message: OutgoingEmail) -> EmailMessage:
    raw = build_message(message, sender=SENDER, recipient=read_address(message.to, "The recipient"), date=DATE)
    assert b"\r\n" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def test_headers_and_parts() -> None:
    message = built(outgoing())
    assert message["From"] == "CDP Ekspor <no-reply@cdp.example>"
    assert message["To"] == "user@example.com"
    assert message["Subject"] == "Ekspor siap ✔"
    assert message["Date"].datetime == DATE
    assert message["Message-ID"] == "<export.1.succeeded@cdp.example>"
    assert message["X-Request-ID"] == "r-1"
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == "Halo,\n.\n..titik\nFrom here ü\n"
    assert html.get_content().strip() == "<p>Halo ü</p>"
    assert list(message.iter_attachments()) == []


def test_attachment_comes_out_as_it_went_in(tmp_path: Path) -> None:
    path = tmp_path / "x"
    content = bytes(range(256)) * 50
    path.write_bytes(content)
    attachment = Attachment(path=path, name='客户 "1"\r\n.xlsx', content_type="text/csv; charset=utf-8")
    (part,) = built(outgoing(attachment=attachment)).iter_attachments()
    assert part.get_payload(decode=True) == content
    assert part.get_filename() == "客户 1.xlsx"
    assert part.get_content_type() == "text/csv"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: {"subject": text},
        lambda text: {"headers": {"X-Request-ID": text}},
        lambda text: {"headers": {f"X-A{text}": "1"}},
        lambda text: {"message_id": f"<a{text}@b>"},
        lambda text: {"to": f"user@example.com{text}"},
        lambda text: {"to": f"{text}user@example.com"},
    ],
)
@pytest.mark.parametrize("text", ["\r\nBcc: x@example.com", "\nX: 1", "\rX: 1", "\x00", "\u2028X: 1"])
def test_line_breaks_in_headers_are_refused(spoil: Callable[[str], dict[str, Any]], text: str) -> None:
    with pytest.raises(PermanentFailure) as caught:
        built(outgoing(**spoil(text)))
    assert caught.value.code == "EMAIL_INVALID"
    assert "example.com" not in str(caught.value).replace("name@example.com", "")


@pytest.mark.parametrize("name", ["Bcc", "to", "CC", "Content-Type", "message-id"])
def test_callers_cannot_add_recipients_or_structure(name: str) -> None:
    with pytest.raises(PermanentFailure, match="EMAIL_INVALID"):
        built(outgoing(headers={name: "x@example.com"}))


@pytest.mark.parametrize("message_id", ["", "a@b", "<a@b", "<a b@c>", "<a@b>>", "<@b>"])
def test_malformed_message_id_is_refused(message_id: str) -> None:
    with pytest.raises(PermanentFailure, match="Message-ID"):
        built(outgoing(message_id=message_id))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "user",
        "user@",
        "@example.com",
        "a@b.example, c@d.example",
        "a@b@c.example",
        "undisclosed:;",
        "user@exa mple.com",
        "user@-..example",
        "a" * 250 + "@example.com",
        "<>",
    ],
)
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(PermanentFailure, match="EMAIL_INVALID: The recipient"):
        read_address(text, "The recipient")


@pytest.mark.parametrize(
    ("text", "addr_spec"),
    [
        ("user@example.com", "user@example.com"),
        (" user+tag@example.com ", "user+tag@example.com"),
        ("Budi, S. <budi@example.com>", None),
        ('"Budi, S." <budi@example.com>', "budi@example.com"),
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("dev@localhost", "dev@localhost"),
        ("pengguna@例え.example", "pengguna@xn--r8jz45g.example"),
    ],
)
def test_addresses(text: str, addr_spec: str | None) -> None:
    if addr_spec is None:
        with pytest.raises(PermanentFailure):
            read_address(text, "The recipient")
    else:
        assert read_address(text, "The recipient").addr_spec == addr_spec


def test_half_a_surrogate_pair_does_not_break_the_email() -> None:
    text = built(outgoing(text="cut \ud83d here")).get_body(("plain",))
    assert text is not None
    assert text.get_content().strip() == "cut ? here"


def test_nobody_is_in_the_repr() -> None:
    assert "user@example.com" not in repr(outgoing())
