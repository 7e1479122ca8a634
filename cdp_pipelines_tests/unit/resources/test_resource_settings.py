"""Resources without settings: loadable, and plain about what is missing at the moment it is needed."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.alerts import AlertsResource
from cdp_pipelines.resources.export_history import ExportHistoryResource, NoExportHistory
from cdp_pipelines.resources.http_client import HttpEndpoint
from cdp_pipelines.resources.mailer import MailerResource, TlsMode, read_tls_mode
from cdp_pipelines.resources.notifications import NoNotifications, NotificationsResource
from cdp_pipelines.resources.object_store import Encryption, ObjectStoreResource, read_encryption
from cdp_pipelines.resources.object_store_connection import StoreConnection
from cdp_pipelines.resources.webhooks import WebhooksResource

NAMES = (
    "CDP_S3_BUCKET",
    "CDP_S3_ENDPOINT_URL",
    "CDP_S3_PUBLIC_ENDPOINT_URL",
    "CDP_S3_ENCRYPTION",
    "CDP_SMTP_HOST",
    "CDP_SMTP_PORT",
    "CDP_SMTP_USER",
    "CDP_SMTP_PASSWORD",
    "CDP_SMTP_TLS",
    "CDP_EMAIL_FROM",
    "CDP_ALERT_WEBHOOK_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "NOTIFICATION_API_ROOT_URL",
    "NOTIFICATION_API_CLIENT_ID",
    "NOTIFICATION_API_SECRET",
    "EXPORT_HISTORY_API_ROOT_URL",
    "EXPORT_HISTORY_API_CLIENT_ID",
    "EXPORT_HISTORY_API_SECRET",
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.mark.parametrize(
    ("open_resource", "missing"),
    [
        (ObjectStoreResource().open, "CDP_S3_BUCKET"),
        (ObjectStoreResource(bucket="b").open, "AWS_DEFAULT_REGION"),
        (MailerResource().open, "CDP_EMAIL_FROM"),
        (MailerResource(sender="a@b.example").open, "CDP_SMTP_HOST"),
        (MailerResource(sender="a@b.example", host="h", user="u").open, "CDP_SMTP_PASSWORD"),
        (NotificationsResource(root_url="http://h").open, "NOTIFICATION_API_CLIENT_ID"),
        (NotificationsResource(root_url="http://h", client_id="i").open, "NOTIFICATION_API_SECRET"),
        (ExportHistoryResource(root_url="http://h").open, "EXPORT_HISTORY_API_CLIENT_ID"),
        (ExportHistoryResource(root_url="http://h", client_id="i").open, "EXPORT_HISTORY_API_SECRET"),
    ],
)
def test_missing_setting_is_named_when_needed(open_resource: Callable[[], Any], missing: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_resource()
    assert caught.value.code == "SETTING_MISSING"
    assert missing in caught.value.message


def test_unset_addresses_switch_off() -> None:
    assert isinstance(NotificationsResource().open(), NoNotifications)
    assert isinstance(ExportHistoryResource().open(), NoExportHistory)


def test_empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFICATION_API_ROOT_URL", "")
    monkeypatch.setenv("CDP_S3_BUCKET", "")
    assert isinstance(NotificationsResource().open(), NoNotifications)
    with pytest.raises(ConfigurationError, match="CDP_S3_BUCKET"):
        ObjectStoreResource().open()


def test_alerts_without_webhook_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert AlertsResource().open().send("export 1 failed", cause="export_failed:1", request_id="1") == "logged"
    assert "export 1 failed" in caplog.text
    assert "export_failed:1" in caplog.text


@pytest.mark.parametrize("sender", ["nobody", "a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example"])
def test_from_address_that_is_none(sender: str) -> None:
    with pytest.raises(ConfigurationError, match="CDP_EMAIL_FROM"):
        MailerResource(sender=sender, host="h").open()


@pytest.mark.parametrize(
    ("text", "port", "login", "mode"),
    [
        ("", 25, False, "none"),
        ("", 1025, True, "starttls"),
        ("", 587, False, "starttls"),
        ("", 465, False, "ssl"),
        ("none", 465, True, "none"),
        ("STARTTLS", 25, False, "starttls"),
        (" ssl ", 25, False, "ssl"),
        ("true", 25, False, "starttls"),
        ("false", 587, False, "none"),
    ],
)
def test_tls_mode(text: str, port: int, *, login: bool, mode: TlsMode) -> None:
    assert read_tls_mode(text, port=port, login=login) == mode


def test_unknown_tls_mode() -> None:
    with pytest.raises(ConfigurationError, match="CDP_SMTP_TLS"):
        read_tls_mode("tls1.0", port=25, login=False)


@pytest.mark.parametrize(
    ("text", "mode"), [("auto", "auto"), ("aes256", "AES256"), ("AWS:KMS", "aws:kms"), ("OFF", "off")]
)
def test_encryption_mode(text: str, mode: Encryption) -> None:
    assert read_encryption(text) == mode


def test_unknown_encryption_mode() -> None:
    with pytest.raises(ConfigurationError, match="CDP_S3_ENCRYPTION"):
        read_encryption("rot13")


@pytest.mark.parametrize(
    "url", ["s3.example.com:9000", "ftp://s3", "https://", "http://user:secret@s3", "https://s3/?x=1"]
)
def test_endpoint_that_is_no_plain_address(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        StoreConnection(bucket="b", endpoint_url=url)
    assert "CDP_S3_ENDPOINT_URL" in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("url", ["api.example.com", "ftp://api", "http://user:secret@api.example.com"])
def test_http_endpoint_that_is_no_plain_address(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        HttpEndpoint(name="The API", code="API", setting="API_ROOT_URL", url=url)
    assert "API_ROOT_URL" in caught.value.message
    assert "secret" not in caught.value.message


def test_region_and_credentials_are_described_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-3")
    store = ObjectStoreResource(bucket="b").open()
    try:
        described = store.describe()
        assert store.region() == "ap-southeast-3"
    finally:
        store.close()
    assert described["region"] == "ap-southeast-3"
    assert described["endpoint"] == "AWS"
    assert described["credentials"] == "env"
    assert "very-secret" not in str(described)
    assert "AKIDEXAMPLE" not in str(described)


def test_webhooks_say_why_they_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CDP_WEBHOOK_SIGNING_KEY", raising=False)
    assert "CDP_WEBHOOK_SIGNING_KEY is not set" in (WebhooksResource().setup_problem() or "")
    assert "at least 32 characters" in (WebhooksResource(signing_key="short").setup_problem() or "")
    assert WebhooksResource(signing_key="k" * 32).setup_problem() is None
