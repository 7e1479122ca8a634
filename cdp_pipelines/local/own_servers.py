"""How `stack` starts the two servers that are our own: mail, and the neighbours' HTTP APIs.

Belongs here: starting and finding them. Not here: what they do (`mail_server`, `http_apis`).
"""

import http.client
import smtplib
import sys
from pathlib import Path
from secrets import token_hex
from typing import ClassVar, Final

import cdp_pipelines
from cdp_pipelines.local.api_records import CONTROL
from cdp_pipelines.local.ports import HOST
from cdp_pipelines.local.server import Launch, LocalServer, NotReady, Place

SENDER: Final = "CDP exports <exports@cdp.example>"
CLIENT_ID: Final = "cdp-local"
_ANSWER_SECONDS: Final = 2
_OK: Final = 200


class MailServer(LocalServer):
    """SMTP into a Maildir."""

    name: ClassVar[str] = "mail"
    port_names: ClassVar[tuple[str, ...]] = ("smtp",)

    def prepare(self, place: Place) -> Launch:
        """See `LocalServer.prepare`. Failures that a test asked for do not outlive the server."""
        place.data.mkdir(parents=True, exist_ok=True)
        mail_control(place.data).unlink(missing_ok=True)
        arguments = ["--port", str(place.ports["smtp"]), "--maildir", str(maildir(place.data))]
        return _module("mail_server", [*arguments, "--control", str(mail_control(place.data))])

    def check(self, place: Place) -> None:
        """See `LocalServer.check`."""
        try:
            with smtplib.SMTP(HOST, place.ports["smtp"], local_hostname="localhost", timeout=_ANSWER_SECONDS) as smtp:
                smtp.noop()
        except (smtplib.SMTPException, OSError) as exc:
            raise NotReady("it does not greet") from exc

    def variables(self, place: Place) -> dict[str, str]:
        """See `LocalServer.variables`."""
        return {
            "CDP_SMTP_HOST": HOST,
            "CDP_SMTP_PORT": str(place.ports["smtp"]),
            "CDP_SMTP_TLS": "none",
            "CDP_EMAIL_FROM": SENDER,
            "CDP_MAILDIR": str(maildir(place.data)),
        }

    def address(self, place: Place) -> str:
        """See `LocalServer.address`."""
        return f"smtp://{HOST}:{place.ports['smtp']}"


class HttpApis(LocalServer):
    """Notifications, export history, launchpad and alerts, on one port."""

    name: ClassVar[str] = "apis"
    port_names: ClassVar[tuple[str, ...]] = ("http",)

    def prepare(self, place: Place) -> Launch:
        """See `LocalServer.prepare`."""
        place.data.mkdir(parents=True, exist_ok=True)
        place.settings.setdefault("secret", token_hex(16))
        arguments = ["--port", str(place.ports["http"]), "--records", str(api_records(place.data))]
        secret = place.settings["secret"]
        return _module(
            "http_apis",
            arguments,
            {
                "NOTIFICATION_API_CLIENT_ID": CLIENT_ID,
                "NOTIFICATION_API_SECRET": secret,
                "EXPORT_HISTORY_API_CLIENT_ID": CLIENT_ID,
                "EXPORT_HISTORY_API_SECRET": secret,
                "LAUNCHPAD_API_AUTH": f"Bearer {secret}",
            },
        )

    def check(self, place: Place) -> None:
        """See `LocalServer.check`."""
        connection = http.client.HTTPConnection(HOST, place.ports["http"], timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", CONTROL)
            if connection.getresponse().status != _OK:
                raise NotReady("another server answers on its port")
        except (OSError, http.client.HTTPException) as exc:
            raise NotReady("it does not answer") from exc
        finally:
            connection.close()

    def variables(self, place: Place) -> dict[str, str]:
        """The export history API is not switched on: who wants it sets `EXPORT_HISTORY_API_ROOT_URL` to the same."""
        secret, root_url = place.settings["secret"], self.address(place)
        return {
            "NOTIFICATION_API_ROOT_URL": root_url,
            "NOTIFICATION_API_CLIENT_ID": CLIENT_ID,
            "NOTIFICATION_API_SECRET": secret,
            "EXPORT_HISTORY_API_CLIENT_ID": CLIENT_ID,
            "EXPORT_HISTORY_API_SECRET": secret,
            "LAUNCHPAD_API_ROOT_URL": root_url,
            "LAUNCHPAD_API_AUTH": f"Bearer {secret}",
            "CDP_ALERT_WEBHOOK_URL": f"{root_url}/alerts",
        }

    def address(self, place: Place) -> str:
        """See `LocalServer.address`."""
        return f"http://{HOST}:{place.ports['http']}"


def maildir(data: Path) -> Path:
    """Where the mail server keeps what it received."""
    return data / "Maildir"


def mail_control(data: Path) -> Path:
    """The mail server's control file, see `mail_control.MailControl`."""
    return data / "control.json"


def api_records(data: Path) -> Path:
    """Where the APIs write down what they were asked, see `api_records.read_requests`."""
    return data / "requests.jsonl"


def _module(name: str, arguments: list[str], environment: dict[str, str] | None = None) -> Launch:
    # From the folder that holds the package, so that it is found even when it is not installed.
    directory = Path(cdp_pipelines.__file__ or "").parent.parent
    argv = [sys.executable, "-m", f"cdp_pipelines.local.{name}", *arguments]
    return Launch(argv=argv, directory=directory, environment=environment or {})
