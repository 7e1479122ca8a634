"""How `stack` starts the servers that are our own: mail, the neighbours' HTTP APIs, and the CRM's.

Belongs here: starting and finding them. Not here: what they do (`mail_server`, `http_apis`, `crm_api`).
"""

import http.client
import smtplib
import sys
from pathlib import Path
from secrets import token_hex
from typing import ClassVar, Final

import cdp_pipelines
from cdp_pipelines.local.api_records import CONTROL
from cdp_pipelines.local.crm_api import AUTH_SETTING, DATABASE_SETTING
from cdp_pipelines.local.http_apis import SIGNING_KEY_SETTING
from cdp_pipelines.local.ports import HOST
from cdp_pipelines.local.postgres import Postgres
from cdp_pipelines.local.seaweed import Seaweed
from cdp_pipelines.local.server import Launch, LocalServer, NotReady, Place

SENDER: Final = "CDP exports <exports@cdp.example>"
CLIENT_ID: Final = "cdp-local"
_ASKS_PORT: Final = "postgres_port"
_SIGNING_KEY: Final = "webhook_signing_key"
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
    """Notifications, export history, launchpad, alerts and companies' receivers of webhooks, on one port."""

    name: ClassVar[str] = "apis"
    port_names: ClassVar[tuple[str, ...]] = ("http",)

    def prepare(self, place: Place) -> Launch:
        """See `LocalServer.prepare`."""
        place.data.mkdir(parents=True, exist_ok=True)
        place.settings.setdefault("secret", token_hex(16))
        place.settings.setdefault(_SIGNING_KEY, token_hex(32))
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
                SIGNING_KEY_SETTING: place.settings[_SIGNING_KEY],
            },
        )

    def check(self, place: Place) -> None:
        """See `LocalServer.check`."""
        if _SIGNING_KEY not in place.settings:
            raise NotReady("it was started by a version that received no webhooks")
        _check_control(place.ports["http"])

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
            SIGNING_KEY_SETTING: place.settings[_SIGNING_KEY],
            "CDP_WEBHOOK_TRUSTED_HOSTS": f"{HOST}:{place.ports['http']}",
        }

    def address(self, place: Place) -> str:
        """See `LocalServer.address`."""
        return f"http://{HOST}:{place.ports['http']}"


class CrmApi(LocalServer):
    """The demo CRM over HTTP: its notes, and the files that hang on them."""

    name: ClassVar[str] = "crm"
    port_names: ClassVar[tuple[str, ...]] = ("http",)
    needs: ClassVar[tuple[str, ...]] = (Postgres.name, Seaweed.name)

    def prepare(self, place: Place) -> Launch:
        """See `LocalServer.prepare`."""
        place.data.mkdir(parents=True, exist_ok=True)
        place.settings.setdefault("secret", token_hex(16))
        place.settings[_ASKS_PORT] = _postgres_port(place)
        arguments = ["--port", str(place.ports["http"]), "--records", str(api_records(place.data))]
        database = Postgres().variables(place.near[Postgres.name])[DATABASE_SETTING]
        return _module("crm_api", arguments, {DATABASE_SETTING: database, AUTH_SETTING: _crm_auth(place)})

    def check(self, place: Place) -> None:
        """See `LocalServer.check`."""
        if place.settings.get(_ASKS_PORT) != _postgres_port(place):
            raise NotReady("PostgreSQL has moved to another port since it started")
        _check_control(place.ports["http"])

    def variables(self, place: Place) -> dict[str, str]:
        """See `LocalServer.variables`. `CDP_FILES_ROOT_URL` is where the CDP's own files are found."""
        store = Seaweed().variables(place.near[Seaweed.name])
        return {
            "CRM_API_ROOT_URL": self.address(place),
            AUTH_SETTING: _crm_auth(place),
            "CDP_ATTACHMENT_TRUSTED_HOSTS": f"{HOST}:{place.ports['http']}",
            "CDP_FILES_ROOT_URL": f"{store['CDP_S3_ENDPOINT_URL']}/{store['CDP_S3_BUCKET']}",
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


def _crm_auth(place: Place) -> str:
    return f"Bearer {place.settings['secret']}"


def _postgres_port(place: Place) -> str:
    return str(place.near[Postgres.name].ports["postgres"])


def _check_control(port: int) -> None:
    """Ask one of our own HTTP servers for its failures in force."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", CONTROL)
        if connection.getresponse().status != _OK:
            raise NotReady("another server answers on its port")
    except (OSError, http.client.HTTPException) as exc:
        raise NotReady("it does not answer") from exc
    finally:
        connection.close()


def _module(name: str, arguments: list[str], environment: dict[str, str] | None = None) -> Launch:
    # From the folder that holds the package, so that it is found even when it is not installed.
    directory = Path(cdp_pipelines.__file__ or "").parent.parent
    argv = [sys.executable, "-m", f"cdp_pipelines.local.{name}", *arguments]
    return Launch(argv=argv, directory=directory, environment=environment or {})
