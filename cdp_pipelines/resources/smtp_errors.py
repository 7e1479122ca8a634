"""What an SMTP server's answers and silences mean for an email: refused, put off, or nobody knows.

Belongs here: naming failures, without the server's own text, which repeats addresses. Not here: the conversation
(`mailer`).
"""

import smtplib
import ssl
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from cdp_pipelines.domain.errors import CdpError, ConfigurationError, PermanentFailure, TransientFailure

OK: Final = (250,)
_PERMANENT: Final = 500
_TOO_LARGE: Final = 552


class MailerOutcomeUnknown(TransientFailure):
    """The connection died between the end of the message and the server's answer: it may or may not have been sent.

    Whoever must not send twice must not send again.
    """

    def __init__(self) -> None:
        super().__init__(
            "SMTP_OUTCOME_UNKNOWN",
            "The mail server took the whole email but its answer was lost, so it may or may not have been sent. "
            "It is not sent again; look for its Message-ID in the mail server's log.",
        )


class NotAccepted(TransientFailure):
    """`SMTP_UNAVAILABLE`: surely not accepted, and a later attempt may be."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "SMTP_UNAVAILABLE", f"{what}; nothing was sent. Check CDP_SMTP_HOST and CDP_SMTP_PORT (cdp doctor)."
        )


def expect(reply: tuple[int, bytes], what: str, *, good: Collection[int] = OK) -> None:
    """Go on only after a good answer to `what` ("the sender").

    Raises:
        PermanentFailure: `SMTP_REFUSED`, or `SMTP_TOO_LARGE`.
        NotAccepted: the server put it off.
    """
    if reply[0] not in good:
        raise refusal(reply[0], what)


def refusal(code: int, what: str) -> CdpError:
    """The error for an answer that is not the one hoped for."""
    if code == _TOO_LARGE:
        return too_large()
    if code >= _PERMANENT:
        return PermanentFailure(
            "SMTP_REFUSED", f"The mail server refused {what} (code {code}).", details={"smtp_code": code}
        )
    return NotAccepted(f"The mail server put off {what} (code {code})")


def too_large() -> PermanentFailure:
    """`SMTP_TOO_LARGE`: the same email without its attachment may pass."""
    return PermanentFailure("SMTP_TOO_LARGE", "The email is larger than the mail server takes.")


@contextmanager
def translating() -> Iterator[None]:
    """Translate what smtplib and the socket raise before the end of a message; after it, see `MailerOutcomeUnknown`.

    `from None` where the driver's own error repeats addresses, which a traceback in a log would show.

    Raises:
        NotAccepted, PermanentFailure, ConfigurationError: see above; the last for login and TLS.
    """
    try:
        yield
    except smtplib.SMTPAuthenticationError as exc:
        if exc.smtp_code < _PERMANENT:
            raise NotAccepted(f"The mail server put off the login (code {exc.smtp_code})") from None
        raise ConfigurationError(
            "SETTING_INVALID", "The mail server refused the login: check CDP_SMTP_USER and CDP_SMTP_PASSWORD."
        ) from None
    except smtplib.SMTPNotSupportedError as exc:
        raise ConfigurationError(
            "SETTING_INVALID", "The mail server offers no TLS or no login: check CDP_SMTP_TLS and CDP_SMTP_USER."
        ) from exc
    except ssl.SSLCertVerificationError as exc:
        raise ConfigurationError(
            "SETTING_INVALID", "The mail server's certificate is not valid for CDP_SMTP_HOST."
        ) from exc
    except smtplib.SMTPResponseException as exc:
        raise refusal(exc.smtp_code, "the connection") from None
    except (smtplib.SMTPException, OSError) as exc:
        raise NotAccepted(f"The mail server could not be reached or hung up ({type(exc).__name__})") from exc
