"""Notifications, export history and alerts against real HTTP servers: what is sent, and how often."""

import base64
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cdp_pipelines.domain.errors import CdpError, PermanentFailure, TransientFailure
from cdp_pipelines.resources.alerts import AlertSender
from cdp_pipelines.resources.export_history import ExportHistoryResource, ExportHistoryRow, HttpExportHistory
from cdp_pipelines.resources.http_client import HttpEndpoint
from cdp_pipelines.resources.notifications import HttpNotificationPublisher, Notification, NotificationsResource
from cdp_pipelines_tests.integration.resources.http_servers import Answer, closed_port, recording_server

LINK = "https://s3.example.com/f?X-Amz-Signature=abc"
NOTIFICATION = Notification(
    company_sso_id="c-1",
    user_sso_id="u-1",
    request_id="r-1",
    title="Your customer export is ready",
    description="export.xlsx holds 3 customers.",
    click_action_url=LINK,
)
ROW = ExportHistoryRow(
    file_name="export.xlsx",
    export_type="Customer Data",
    exporter="u-1",
    date=datetime(2026, 11, 23, 7, 5, 1, 234_000, tzinfo=UTC),
    link=LINK,
    status="completed",
    expires_at=datetime(2026, 11, 25, 7, 5, tzinfo=UTC),
)


def endpoint(url: str, code: str = "NOTIFICATION") -> HttpEndpoint:
    return HttpEndpoint(
        name="The API",
        code=code,
        setting="API_ROOT_URL",
        url=url,
        client_id="id",
        secret="pass:ü",
        timeout_seconds=1,
        retry_wait_seconds=0,
    )


def publish(url: str) -> str:
    return HttpNotificationPublisher(endpoint(url)).publish(NOTIFICATION)


def register(url: str) -> str:
    return HttpExportHistory(endpoint(url, "EXPORT_HISTORY")).register(ROW, request_id="r-1")


def test_notification_is_what_the_contract_says() -> None:
    with recording_server() as server:
        resource = NotificationsResource(root_url=server.url + "/", client_id="id", secret="pass")
        assert resource.open().publish(NOTIFICATION) == "sent"
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/notif/v1/notifications")
    assert asked.json() == {
        "notif_type": 1,
        "notif_category": "5",
        "origin": "external_url",
        "click_action": "OPEN_URL",
        "click_action_url": LINK,
        "title": "Your customer export is ready",
        "description": "export.xlsx holds 3 customers.",
    }
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"id:pass").decode()
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-request-id"] == "r-1"
    assert asked.headers["x-company-sso-id"] == "c-1"
    assert asked.headers["x-user-sso-id"] == "u-1"


def test_history_row_is_what_the_contract_says() -> None:
    with recording_server() as server:
        resource = ExportHistoryResource(root_url=server.url, client_id="id", secret="pass")
        assert resource.open().register(ROW, request_id="r-1") == "registered"
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/report/v1/billings/logs/export")
    assert asked.json() == {
        "file_name": "export.xlsx",
        "export_type": "Customer Data",
        "exporter": "u-1",
        "date": "2026-11-23T07:05:01.234Z",
        "link": LINK,
        "status": "completed",
        "expires_at": "2026-11-25T07:05:00.000Z",
    }
    assert asked.headers["x-request-id"] == "r-1"


def test_history_is_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXPORT_HISTORY_API_ROOT_URL", raising=False)
    assert ExportHistoryResource().open().register(ROW, request_id="r-1") == "not_configured"


@pytest.mark.parametrize("send", [publish, register])
@pytest.mark.parametrize("first", [500, 503, 429, "hang", "hang up"])
def test_one_retry_is_enough_for_a_passing_fault(send: Callable[[str], str], first: Answer) -> None:
    with recording_server([first, 201]) as server:
        assert send(server.url) in ("sent", "registered")
    assert len(server.asked) == 2
    assert server.asked[0].body == server.asked[1].body


@pytest.mark.parametrize("send", [publish, register])
@pytest.mark.parametrize("answer", [500, 429, "hang", "hang up"])
def test_two_attempts_and_no_more(send: Callable[[str], str], answer: Answer) -> None:
    with recording_server([answer]) as server, pytest.raises(TransientFailure) as caught:
        send(server.url)
    assert len(server.asked) == 2
    assert caught.value.code in ("NOTIFICATION_UNAVAILABLE", "EXPORT_HISTORY_UNAVAILABLE")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_repeated(status: int) -> None:
    with recording_server([(status, {}, b"user@example.com")]) as server, pytest.raises(PermanentFailure) as caught:
        publish(server.url)
    assert len(server.asked) == 1
    assert caught.value.code == "NOTIFICATION_REFUSED"
    assert caught.value.details == {"http_status": status}
    assert "user@example.com" not in str(caught.value)


def test_redirects_are_not_followed() -> None:
    with recording_server() as other, recording_server([(302, {"Location": other.url}, b"")]) as server:
        with pytest.raises(PermanentFailure, match="redirect"):
            publish(server.url)
        assert len(server.asked) == 1
    assert other.asked == []


def test_nobody_listens() -> None:
    with pytest.raises(TransientFailure, match="API_ROOT_URL"):
        publish(f"http://127.0.0.1:{closed_port()}")


def test_ids_cannot_add_headers() -> None:
    hostile = Notification(
        company_sso_id="c\r\nX-Evil: 1",
        user_sso_id="ü",
        request_id="r\n",
        title="t",
        description="d",
        click_action_url="",
    )
    with recording_server() as server:
        HttpNotificationPublisher(endpoint(server.url)).publish(hostile)
    assert "x-evil" not in server.asked[0].headers
    assert server.asked[0].headers["x-company-sso-id"] == "c??X-Evil: 1"


def test_alert_reaches_the_webhook_without_commanding_it() -> None:
    with recording_server() as server:
        sender = AlertSender(webhook_url=server.url + "/services/T0/B0/token")
        assert sender.send("Export 1 failed <!channel> & more", cause="export_failed:1", request_id="1") == "sent"
    (asked,) = server.asked
    assert asked.path == "/services/T0/B0/token"
    assert asked.json() == {"text": "Export 1 failed &lt;!channel&gt; &amp; more"}
    assert asked.headers["x-request-id"] == "1"


@pytest.mark.parametrize("answer", [500, 404, "hang", "hang up"])
def test_alert_that_fails_is_logged_and_never_raises(answer: Answer, caplog: pytest.LogCaptureFixture) -> None:
    with recording_server([answer]) as server, caplog.at_level(logging.WARNING):
        sender = AlertSender(webhook_url=server.url + "/T0/token", timeout_seconds=1, retry_wait_seconds=0)
        assert sender.send("Export 1 failed", cause="export_failed:1") == "failed"
    assert "was not delivered" in caplog.text
    assert "token" not in caplog.text


def test_alert_to_an_address_that_is_none_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert AlertSender(webhook_url="not a url").send("Export 1 failed", cause="c") == "failed"
    assert "CDP_ALERT_WEBHOOK_URL" in caplog.text


def test_webhook_token_stays_out_of_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    with recording_server() as server, caplog.at_level(logging.DEBUG):
        AlertSender(webhook_url=server.url + "/services/secret-token").send("x", cause="c")
    assert "127.0.0.1" in caplog.text
    assert "secret-token" not in caplog.text


def test_failures_carry_no_secret() -> None:
    with recording_server([500]) as server, pytest.raises(CdpError) as caught:
        publish(server.url)
    assert "pass" not in repr(caught.value) + str(caught.value)
    assert "Signature" not in str(caught.value)
    assert "pass" not in repr(endpoint(server.url))
