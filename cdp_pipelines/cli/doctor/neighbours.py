"""Mail, notifications, export history, launchpad, alerts: are they set, and does somebody answer? Nothing is sent."""

import os
from collections.abc import Iterator
from typing import Final

from cdp_pipelines.cli.doctor.findings import Finding, Findings

_HTTP_SECONDS: Final = 5.0


def check_mail(findings: Findings) -> Iterator[Finding]:
    """Connect, greet, log in if set."""
    from cdp_pipelines.resources.mailer import MailerResource

    facts = MailerResource().open().check()
    yield findings.ok("reachable", f"{facts['server']}, login: {facts['login']}, from {facts['from']}")
    if facts["tls"] == "none" and not facts["server"].startswith(("127.0.0.1:", "localhost:")):
        yield findings.note("encryption", "mails travel unencrypted", "Set CDP_SMTP_TLS to starttls or ssl.")
    else:
        yield findings.ok("encryption", f"tls: {facts['tls']}")
    yield findings.ok("largest email", f"{facts['largest email (bytes)']} bytes")


def check_notifications(findings: Findings) -> Iterator[Finding]:
    """In-app notifications are off while their address is unset."""
    from cdp_pipelines.resources.notifications import NotificationsResource

    NotificationsResource().open()
    yield api_finding(findings, "NOTIFICATION_API_ROOT_URL", "no in-app notifications are sent")


def check_export_history(findings: Findings) -> Iterator[Finding]:
    """The shared export history is off while its address is unset."""
    from cdp_pipelines.resources.export_history import ExportHistoryResource

    ExportHistoryResource().open()
    yield api_finding(findings, "EXPORT_HISTORY_API_ROOT_URL", "exports are only in our own history")


def check_launchpad(findings: Findings) -> Iterator[Finding]:
    """Who did what in the CRM is known only through the launchpad, so it is needed where the CRM is."""
    from cdp_pipelines.resources.crm_session import SETTING
    from cdp_pipelines.resources.launchpad import LaunchpadResource

    name = "LAUNCHPAD_API_ROOT_URL"
    if os.environ.get(SETTING) and not os.environ.get(name):
        # Runs would go on without it, and everybody would be a deleted user on the migrated timelines.
        advice = f"Set {name} and LAUNCHPAD_API_AUTH before anything is migrated."
        yield findings.broken("configured", "off: migrated logs would not name their users", advice)
        return
    if os.environ.get(name):
        LaunchpadResource().open("doctor")
    yield api_finding(findings, name, "no users of the CRM are known")


def check_alerts(findings: Findings) -> Iterator[Finding]:
    """Whether alerts go anywhere; no alert is sent."""
    from cdp_pipelines.resources.alerts import SETTING
    from cdp_pipelines.resources.http_client import HttpEndpoint

    url = os.environ.get(SETTING, "")
    if not url:
        yield findings.note(
            "webhook", "off: alerts go to the log only", f"Set {SETTING} to a Slack-compatible webhook."
        )
        return
    HttpEndpoint(name="The alert webhook", code="ALERT", setting=SETTING, url=url)
    yield findings.ok("webhook", "set (nothing was sent)")


def api_finding(findings: Findings, setting: str, when_off: str) -> Finding:
    """Whether somebody answers at the address in a setting; a note when it is not set."""
    import httpx

    url = os.environ.get(setting, "")
    if not url:
        prefix = setting.removesuffix("ROOT_URL")
        alone = sorted(name for name in os.environ if name.startswith(prefix) and name != setting and os.environ[name])
        if alone:
            # Somebody meant to switch it on.
            detail = f"off: {when_off}; {', '.join(alone)} is set without {setting}"
            return findings.note("configured", detail, f"Set {setting}, or take the others away.")
        return findings.note("configured", f"off: {when_off}", f"Set {setting} and its credentials to switch it on.")
    try:
        with httpx.stream("GET", url, timeout=_HTTP_SECONDS, follow_redirects=False) as response:
            # Any answer will do: the root of an API is usually nobody's page.
            return findings.ok("reachable", f"answers (HTTP {response.status_code})")
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        return findings.broken("reachable", f"does not answer ({type(exc).__name__})", f"Check {setting}.")
