"""Sending email over SMTP, at most once.

Belongs here: the SMTP conversation, its time limits, and which failures may be tried again. Not here: what the email
says (`cdp_pipelines.domain.contact_export.messages`), MIME (`email_message`), what was sent (`stores`).
"""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from typing import Final, Literal, TypeAlias, cast

import dagster as dg
from pydantic import Field

from cdp_pipelines.domain.errors import ConfigurationError, PermanentFailure
from cdp_pipelines.resources.email_message import OutgoingEmail, build_message, needs_utf8, read_address
from cdp_pipelines.resources.environment import optional_setting, required_setting
from cdp_pipelines.resources.number_settings import whole_number_setting
from cdp_pipelines.resources.smtp_errors import MailerOutcomeUnknown, NotAccepted, expect, too_large, translating

TlsMode: TypeAlias = Literal["none", "starttls", "ssl"]

CONNECT_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 120.0
"""A server may scan an attachment before it answers; cutting it short would leave the outcome unknown."""
ATTEMPTS: Final = 4
_GOODBYE_SECONDS: Final = 5.0
FIRST_WAIT_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 15.0

_RECIPIENT_OK: Final = (250, 251)
_START_INPUT: Final = 354
_ACCEPTED: Final = range(200, 300)
_VERDICTS: Final = [*_ACCEPTED, *range(400, 600)]
_PORT_OF_SSL: Final = 465
_PORT_OF_SUBMISSION: Final = 587
_LEADING_DOT: Final = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where and how mail is handed over. `sender` is the From address, with or without a display name.

    Times are in seconds; `first_wait_seconds` doubles with each attempt, with jitter.
    """

    host: str
    port: int
    sender: str
    tls: TlsMode = "none"
    user: str = ""
    password: str = ""
    attempts: int = ATTEMPTS
    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS
    first_wait_seconds: float = FIRST_WAIT_SECONDS
    ssl_context: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, tls={self.tls})"


class Mailer:
    """Hands emails to one SMTP server, a connection each."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    def send(self, email: OutgoingEmail, *, once: bool = False) -> None:
        """Hand the email over; when this returns, the server has accepted it.

        What surely was not accepted (no connection, a 4xx answer, the connection lost before the message's end) is
        tried again, up to four attempts with growing waits (`once`: not at all, for who cannot wait); what may have
        been accepted never is.

        Raises:
            MailerOutcomeUnknown: it may or may not have been accepted. Never send it again.
            PermanentFailure: `SMTP_REFUSED`, the server said no for good; `SMTP_TOO_LARGE`, send it without the
                attachment; `EMAIL_INVALID`; `SMTP_ADDRESS_UNSUPPORTED`, a non-ASCII address and an older server.
            TransientFailure: `SMTP_UNAVAILABLE`, after the last attempt.
            ConfigurationError: `SETTING_INVALID`, login or TLS do not work as set.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential, wait_random

        sender = read_address(self._server.sender, "CDP_EMAIL_FROM")
        recipient = read_address(email.to, "The recipient")
        content = build_message(email, sender=sender, recipient=recipient, date=datetime.now(UTC))
        wait = self._server.first_wait_seconds
        retrying = Retrying(
            retry=retry_if_exception_type(NotAccepted),
            stop=stop_after_attempt(1 if once else self._server.attempts),
            wait=wait_exponential(multiplier=wait, max=_LONGEST_WAIT_SECONDS) + wait_random(0, wait),
            reraise=True,
        )
        retrying(self._send_once, sender, recipient, content)

    @property
    def domain(self) -> str:
        """The domain of the From address, where Message-IDs are at home.

        Raises:
            PermanentFailure: `EMAIL_INVALID`, the From address is none.
        """
        return read_address(self._server.sender, "CDP_EMAIL_FROM").domain

    def check(self) -> dict[str, str]:
        """Connect, greet, log in if set; for `cdp doctor`. Nothing is sent.

        Raises:
            TransientFailure, PermanentFailure, ConfigurationError: as `send`.
        """
        with translating(), self._session() as smtp:
            expect(smtp.noop(), "NOOP")
            limit = smtp.esmtp_features.get("size", "") or "not stated"
            return {**self.describe(), "largest email (bytes)": limit}

    def describe(self) -> dict[str, str]:
        """The settings in use, without secrets and without touching the network."""
        server = self._server
        login = "yes" if server.user else "no"
        return {"server": f"{server.host}:{server.port}", "tls": server.tls, "login": login, "from": server.sender}

    def _send_once(self, sender: Address, recipient: Address, content: bytes) -> None:
        with translating(), self._session() as smtp:
            options = _mail_options(smtp, len(content), utf8=needs_utf8(sender) or needs_utf8(recipient))
            expect(smtp.mail(sender.addr_spec, options), "the sender (CDP_EMAIL_FROM)")
            expect(smtp.rcpt(recipient.addr_spec), "the recipient's address", good=_RECIPIENT_OK)
            expect(smtp.docmd("DATA"), "the email", good=(_START_INPUT,))
            # Until its last line (a single dot) is sent, no server may take the message as complete (RFC 5321).
            smtp.send(_LEADING_DOT.sub(b"..", content))
            _end_message(smtp)

    @contextmanager
    def _session(self) -> Iterator[smtplib.SMTP]:
        smtp = self._connect()
        try:
            if self._server.user:
                smtp.login(self._server.user, self._server.password)
            smtp.ehlo_or_helo_if_needed()
            yield smtp
            # Once accepted, a server that fails to say goodbye changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                if smtp.sock is not None:
                    smtp.sock.settimeout(_GOODBYE_SECONDS)
                smtp.quit()
        finally:
            smtp.close()

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        # The name we greet with; the machine's own would be a DNS question, and tells the outside what it is called.
        name = self.domain
        context = server.ssl_context or ssl.create_default_context()
        if server.tls == "ssl":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, local_hostname=name, timeout=server.connect_seconds, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, local_hostname=name, timeout=server.connect_seconds)
        try:
            if server.tls == "starttls":
                # Never falls back to plain text: `starttls` raises when the server does not offer it.
                expect(smtp.starttls(context=context), "TLS", good=(220,))
            if smtp.sock is not None:
                smtp.sock.settimeout(server.answer_seconds)
        except BaseException:
            smtp.close()
            raise
        return smtp


def _mail_options(smtp: smtplib.SMTP, size_bytes: int, *, utf8: bool) -> list[str]:
    options = []
    if utf8:
        if not smtp.has_extn("smtputf8"):
            raise PermanentFailure(
                "SMTP_ADDRESS_UNSUPPORTED",
                "The address has non-ASCII letters and this mail server takes none (SMTPUTF8).",
            )
        options += ["SMTPUTF8", "BODY=8BITMIME"]
    limit = smtp.esmtp_features.get("size", "")
    if limit.isdigit() and 0 < int(limit) < size_bytes:
        raise too_large()
    return [*options, f"SIZE={size_bytes}"] if smtp.has_extn("size") else options


def _end_message(smtp: smtplib.SMTP) -> None:
    """Send the message's last line and hear the verdict: the one moment whose failure cannot be repaired."""
    try:
        smtp.send(b".\r\n")
        code, _ = smtp.getreply()
    except (smtplib.SMTPException, OSError) as exc:
        raise MailerOutcomeUnknown from exc
    if code not in _VERDICTS:
        raise MailerOutcomeUnknown
    expect((code, b""), "the email", good=_ACCEPTED)


class MailerResource(dg.ConfigurableResource[None]):
    """The SMTP server for emails to users. Settings: `CDP_SMTP_*`, `CDP_EMAIL_FROM`."""

    host: str = Field(default="", description="Host name of the SMTP server; empty: CDP_SMTP_HOST.")
    port: int | None = Field(default=None, description="Its port; empty: CDP_SMTP_PORT, else 25.")
    tls: str = Field(
        default="",
        description="none, starttls (never falls back to plain) or ssl; empty: CDP_SMTP_TLS, else ssl on port 465, "
        "starttls on port 587 or with a login, none otherwise.",
    )
    sender: str = Field(
        default="", description="From address, such as `CDP <no-reply@example.com>`; empty: CDP_EMAIL_FROM."
    )
    user: str = Field(default="", description="Login name; empty: CDP_SMTP_USER, else no login.")
    password: str = Field(default="", description="Login password; empty: CDP_SMTP_PASSWORD.")

    def open(self) -> Mailer:
        """The mailer; nothing is contacted yet.

        Raises:
            ConfigurationError: a setting is missing or wrong; the message names it.
        """
        port = whole_number_setting("CDP_SMTP_PORT", self.port)
        user = optional_setting("CDP_SMTP_USER", self.user)
        sender = required_setting("CDP_EMAIL_FROM", self.sender)
        try:
            read_address(sender, "CDP_EMAIL_FROM")
        except PermanentFailure as exc:
            raise ConfigurationError("SETTING_INVALID", exc.message) from exc
        return Mailer(
            SmtpServer(
                host=required_setting("CDP_SMTP_HOST", self.host),
                port=port,
                sender=sender,
                tls=read_tls_mode(optional_setting("CDP_SMTP_TLS", self.tls), port=port, login=bool(user)),
                user=user,
                password=required_setting("CDP_SMTP_PASSWORD", self.password) if user else "",
            )
        )


def read_tls_mode(text: str, *, port: int, login: bool) -> TlsMode:
    """The mode that is written, or what port and login suggest when nothing is. `true` and `false` are understood.

    Raises:
        ConfigurationError: `SETTING_INVALID`.
    """
    suggested: TlsMode = (
        "ssl" if port == _PORT_OF_SSL else "starttls" if login or port == _PORT_OF_SUBMISSION else "none"
    )
    written = text.strip().casefold()
    if not written:
        return suggested
    modes = {"none": "none", "false": "none", "off": "none", "starttls": "starttls", "true": "starttls", "ssl": "ssl"}
    if written not in modes:
        raise ConfigurationError("SETTING_INVALID", "CDP_SMTP_TLS must be one of none, starttls, ssl.")
    return cast(TlsMode, modes[written])
