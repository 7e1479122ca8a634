"""The mailer against real SMTP servers: accepted once, retried only when nothing was accepted, never sent twice."""

import email
import email.policy
import ssl
import subprocess
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.email_message import Attachment, OutgoingEmail
from cdp_pipelines.resources.mailer import Mailer, MailerResource, SmtpServer
from cdp_pipelines.resources.smtp_errors import MailerOutcomeUnknown
from cdp_pipelines_tests.integration.resources.http_servers import closed_port
from cdp_pipelines_tests.integration.resources.smtp_servers import (
    Conversation,
    KeepingHandler,
    keeping_server,
    scripted_server,
)


def mailer(port: int, **changes: Any) -> Mailer:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "sender": "CDP <no-reply@cdp.example>",
        "connect_seconds": 5,
        "answer_seconds": 5,
        "first_wait_seconds": 0,
    }
    return Mailer(SmtpServer(**(settings | changes)))


def outgoing(**changes: Any) -> OutgoingEmail:
    fields: dict[str, Any] = {
        "to": "user@example.com",
        "subject": "Export ready",
        "text": "Hello\n.\n.hidden line\n",
        "html": "<p>Hello</p>",
        "message_id": "<export.1.succeeded@cdp.example>",
        "headers": {"X-Request-ID": "r-1"},
    }
    return OutgoingEmail(**(fields | changes))


def parsed(content: bytes | str | None) -> EmailMessage:
    assert isinstance(content, bytes)
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_resource_sends() -> None:
    handler = KeepingHandler()
    with keeping_server(handler) as port:
        resource = MailerResource(host="127.0.0.1", port=port, sender="CDP <no-reply@cdp.example>", tls="none")
        resource.open().send(outgoing())
    (envelope,) = handler.envelopes
    assert envelope.mail_from == "no-reply@cdp.example"
    assert envelope.rcpt_tos == ["user@example.com"]
    message = parsed(envelope.content)
    assert message["X-Request-ID"] == "r-1"
    assert message["Message-ID"] == "<export.1.succeeded@cdp.example>"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().splitlines() == ["Hello", ".", ".hidden line"]


def test_attachment_of_ten_megabytes_arrives_whole(tmp_path: Path) -> None:
    path = tmp_path / "export.xlsx"
    content = bytes(n * n % 251 for n in range(1024)) * 10_240
    path.write_bytes(content)
    handler = KeepingHandler()
    with keeping_server(handler, data_size_limit=20_000_000) as port:
        mailer(port).send(
            outgoing(attachment=Attachment(path=path, name="export.xlsx", content_type="application/zip"))
        )
    (part,) = parsed(handler.envelopes[0].content).iter_attachments()
    assert part.get_payload(decode=True) == content
    assert part.get_filename() == "export.xlsx"


def test_too_large_for_the_server_is_known_before_it_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "export.xlsx"
    path.write_bytes(b"x" * 100_000)
    handler = KeepingHandler()
    attachment = Attachment(path=path, name="export.xlsx")
    with keeping_server(handler, data_size_limit=50_000) as port:
        with pytest.raises(PermanentFailure, match="SMTP_TOO_LARGE"):
            mailer(port).send(outgoing(attachment=attachment))
        assert handler.seen == []
        mailer(port).send(outgoing())
    assert len(handler.envelopes) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_put_off_twice_then_accepted_once(command: str) -> None:
    handler = KeepingHandler({command: ["451 later", "421 busy"]})
    with keeping_server(handler) as port:
        mailer(port).send(outgoing())
    assert handler.seen.count(command) == 3
    assert len(handler.envelopes) == 1


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_put_off_for_ever_gives_up_after_four_attempts(command: str) -> None:
    handler = KeepingHandler({command: ["451 <user@example.com> later"] * 9})
    with keeping_server(handler) as port, pytest.raises(TransientFailure) as caught:
        mailer(port).send(outgoing())
    assert caught.value.code == "SMTP_UNAVAILABLE"
    assert handler.seen.count(command) == 4
    assert handler.envelopes == []
    assert "user@example.com" not in str(caught.value)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_refused_for_good_is_not_repeated_and_the_address_not_told(command: str) -> None:
    handler = KeepingHandler({command: ["550 <user@example.com> unknown"] * 9})
    with keeping_server(handler) as port, pytest.raises(PermanentFailure) as caught:
        mailer(port).send(outgoing())
    assert caught.value.code == "SMTP_REFUSED"
    assert caught.value.details == {"smtp_code": 550}
    assert handler.seen.count(command) == 1
    assert "user@example.com" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nobody_listens() -> None:
    with pytest.raises(TransientFailure, match="SMTP_UNAVAILABLE"):
        mailer(closed_port()).send(outgoing())


def hang_up_at_once(conversation: Conversation) -> None:
    """Say nothing at all."""


def hang_up_after_greeting(conversation: Conversation) -> None:
    conversation.say("220 test")
    conversation.hear()


def hang_up_when_the_message_may_begin(conversation: Conversation) -> None:
    conversation.until_data()


def hang_up_inside_the_message(conversation: Conversation) -> None:
    conversation.until_data()
    conversation.hear()


@pytest.mark.parametrize("script", [hang_up_at_once, hang_up_after_greeting])
def test_connection_lost_before_the_message_is_tried_again(script: Callable[[Conversation], None]) -> None:
    with scripted_server(script) as (port, conversations), pytest.raises(TransientFailure) as caught:
        mailer(port).send(outgoing())
    assert not isinstance(caught.value, MailerOutcomeUnknown)
    assert len(conversations) == 4


@pytest.mark.parametrize("script", [hang_up_when_the_message_may_begin, hang_up_inside_the_message])
def test_connection_lost_inside_a_long_message_is_tried_again(
    script: Callable[[Conversation], None], tmp_path: Path
) -> None:
    path = tmp_path / "large"
    # More than the sockets buffer between them, so the loss is felt before the last line.
    path.write_bytes(b"x" * 16_000_000)
    attachment = Attachment(path=path, name="large")
    with scripted_server(script) as (port, conversations), pytest.raises(TransientFailure) as caught:
        mailer(port, attempts=2).send(outgoing(attachment=attachment))
    assert not isinstance(caught.value, MailerOutcomeUnknown)
    assert len(conversations) == 2


def lose_the_answer(conversation: Conversation) -> None:
    conversation.until_data()
    conversation.hear_message()


def answer_nonsense(conversation: Conversation) -> None:
    lose_the_answer(conversation)
    conversation.say("hello there")


def answer_halfway(conversation: Conversation) -> None:
    lose_the_answer(conversation)
    conversation.say("354 and now?")


@pytest.mark.parametrize("script", [lose_the_answer, answer_nonsense, answer_halfway])
def test_lost_answer_is_unknown_and_never_repeated(script: Callable[[Conversation], None]) -> None:
    with scripted_server(script) as (port, conversations), pytest.raises(MailerOutcomeUnknown) as caught:
        mailer(port).send(outgoing())
    assert caught.value.code == "SMTP_OUTCOME_UNKNOWN"
    assert len(conversations) == 1


def test_silence_after_the_message_is_unknown_too() -> None:
    def keep_silent(conversation: Conversation) -> None:
        lose_the_answer(conversation)
        conversation.hear()  # until the mailer has had enough

    with scripted_server(keep_silent) as (port, conversations), pytest.raises(MailerOutcomeUnknown):
        mailer(port, answer_seconds=0.2).send(outgoing())
    assert len(conversations) == 1


def test_rude_goodbye_after_acceptance_is_no_failure() -> None:
    def accept_and_hang_up(conversation: Conversation) -> None:
        lose_the_answer(conversation)
        conversation.say("250 taken")

    with scripted_server(accept_and_hang_up) as (port, conversations):
        mailer(port).send(outgoing())
    assert len(conversations) == 1
    assert conversations[0].lines[0] == "ehlo cdp.example"


@pytest.mark.parametrize("to", ["user@example.com\r\nRCPT TO:<x@example.com>", "a@b.example, c@d.example", "user"])
def test_bad_recipient_never_reaches_the_server(to: str) -> None:
    handler = KeepingHandler()
    with keeping_server(handler) as port, pytest.raises(PermanentFailure, match="EMAIL_INVALID"):
        mailer(port).send(outgoing(to=to))
    assert handler.seen == []


def test_address_with_other_letters_goes_through_where_the_server_takes_it() -> None:
    handler = KeepingHandler()
    with keeping_server(handler, enable_SMTPUTF8=True) as port:
        mailer(port).send(outgoing(to="pengguna.é@example.com"))
    assert handler.envelopes[0].rcpt_tos == ["pengguna.é@example.com"]


def test_address_with_other_letters_is_refused_plainly_where_it_does_not() -> None:
    handler = KeepingHandler()
    with keeping_server(handler, enable_SMTPUTF8=False) as port, pytest.raises(PermanentFailure) as caught:
        mailer(port).send(outgoing(to="pengguna.é@example.com"))
    assert caught.value.code == "SMTP_ADDRESS_UNSUPPORTED"
    assert handler.seen == []


def test_starttls_never_falls_back_to_plain_text() -> None:
    handler = KeepingHandler()
    with keeping_server(handler) as port, pytest.raises(ConfigurationError, match="CDP_SMTP_TLS"):
        mailer(port, tls="starttls").send(outgoing())
    assert handler.seen == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate of its own, and a client's that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 "
        f"-keyout {key} -out {cert}".split(),
        check=True,
        capture_output=True,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


def let_in(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and data == LoginPassword(b"cdp", b"right")
    return AuthResult(success=right, handled=False)


def test_starttls_and_login(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_context, client_context = certificate
    handler = KeepingHandler()
    options: dict[str, Any] = {
        "tls_context": server_context,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": let_in,
    }
    secure: dict[str, Any] = {"tls": "starttls", "user": "cdp", "ssl_context": client_context}
    with keeping_server(handler, **options) as port:
        mailer(port, password="right", **secure).send(outgoing())
        assert mailer(port, password="right", **secure).check()["login"] == "yes"
        with pytest.raises(ConfigurationError, match="CDP_SMTP_PASSWORD") as caught:
            mailer(port, password="wrong", **secure).send(outgoing())
    assert len(handler.envelopes) == 1
    assert "wrong" not in str(caught.value)


def test_unknown_certificate_is_refused(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    handler = KeepingHandler()
    with keeping_server(handler, tls_context=certificate[0]) as port, pytest.raises(ConfigurationError, match="certif"):
        mailer(port, tls="starttls").send(outgoing())
    assert handler.seen == []


def test_check_says_what_the_server_takes() -> None:
    with keeping_server(KeepingHandler(), data_size_limit=12_345) as port:
        assert mailer(port).check() == {
            "server": f"127.0.0.1:{port}",
            "tls": "none",
            "login": "no",
            "from": "CDP <no-reply@cdp.example>",
            "largest email (bytes)": "12345",
        }


def test_check_of_a_server_that_is_not_there() -> None:
    with pytest.raises(TransientFailure, match="CDP_SMTP_HOST"):
        mailer(closed_port()).check()


def test_password_is_not_in_the_repr() -> None:
    assert "hush" not in repr(SmtpServer(host="h", port=1, sender="a@b.example", user="u", password="hush"))
