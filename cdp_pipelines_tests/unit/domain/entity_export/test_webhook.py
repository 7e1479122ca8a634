"""The notice of an ended export: payload, signature, and which addresses are none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines.domain.entity_export.webhook import (
    WebhookMessage,
    check_webhook_url,
    company_secret,
    message_of,
    signed_headers,
    verify,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = company_secret("a signing key of the installation", "company-1")
DONE: dict[str, Any] = {
    "id": "exp_1a2b",
    "company_sso_id": "company-1",
    "exported_object": "voucher",
    "status": "DONE",
    "ended_at": NOW,
    "email": "person@example.com",
    "result": {
        "url": "https://s3.example.com/x?sig=1",
        "token": "secret",
        "key": "c/exports/x",
        "record_count": 12,
        "size_bytes": 345,
        "sha256": "ab",
        "expires_at": (NOW + timedelta(hours=1)).replace(tzinfo=None),
    },
}


def test_payload_of_a_finished_export() -> None:
    message = message_of(DONE)
    assert json.loads(message.body) == {
        "type": "export.done",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "data": {
            "id": "exp_1a2b",
            "exported_object": "voucher",
            "status": "DONE",
            "record_count": 12,
            "size_bytes": 345,
            "sha256": "ab",
            "url": "https://s3.example.com/x?sig=1",
            "expires_at": "2026-01-01T01:00:00.000Z",
        },
    }


@pytest.mark.parametrize(
    ("status", "event", "more"),
    [
        ("ERROR", "export.error", {"error": {"code": "invalid_export_fields", "message": "No such field."}}),
        ("CANCELED", "export.canceled", {}),
    ],
)
def test_payload_without_a_file(status: str, event: str, more: dict[str, Any]) -> None:
    error = {"code": "invalid_export_fields", "message": "No such field.", "http_status": 422}
    payload = json.loads(message_of({**DONE, "status": status, "error": error}).body)
    assert payload["type"] == event
    assert payload["data"] == {
        "id": "exp_1a2b",
        "exported_object": "voucher",
        "status": status,
        "record_count": None,
        "size_bytes": None,
        "sha256": None,
        **more,
    }


@pytest.mark.parametrize("status", ["SCHEDULED", "IN_PROGRESS", None])
def test_an_export_that_has_not_ended_has_no_notice(status: Any) -> None:
    with pytest.raises(ValueError, match="not ended"):
        message_of({**DONE, "status": status})


def test_a_repeat_has_the_same_id_and_nothing_else_has() -> None:
    assert message_of(DONE) == message_of(dict(DONE))
    others = [{**DONE, "id": "exp_2"}, {**DONE, "status": "ERROR"}, {**DONE, "company_sso_id": "company-2"}]
    ids = {message_of(export).id for export in (DONE, *others)}
    assert len(ids) == 4
    assert all("." not in message_id for message_id in ids)


def test_the_test_vector_of_the_specification() -> None:
    message = WebhookMessage(id="msg_p5jXN8AQM9LWM0D4loKWxJek", body=b'{"test": 2432232314}')
    when = datetime.fromtimestamp(1_614_265_330, UTC)
    assert signed_headers("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", message, now=when) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_verifies_what_was_signed_and_nothing_else() -> None:
    message = message_of(DONE)
    headers = signed_headers(SECRET, message, now=NOW)
    assert verify(SECRET, headers, message.body, now=NOW)
    assert verify(SECRET, {k.title(): v for k, v in headers.items()}, message.body, now=NOW + timedelta(minutes=5))
    rotated = {**headers, "webhook-signature": f"v1a,x v1,AAAA {headers['webhook-signature']}"}
    assert verify(SECRET, rotated, message.body, now=NOW)

    for late in (timedelta(seconds=301), -timedelta(seconds=301)):
        assert not verify(SECRET, headers, message.body, now=NOW + late)
    assert not verify(SECRET, headers, message.body + b" ", now=NOW)
    assert not verify(SECRET, {**headers, "webhook-id": "msg_2"}, message.body, now=NOW)
    assert not verify(company_secret("a signing key of the installation", "company-2"), headers, message.body, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v2,{same}"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 5_000},
        {"webhook-id": ""},
    ],
    ids=lambda change: str(change)[:50].encode("unicode_escape").decode(),
)
def test_odd_headers_are_not_verified(change: dict[str, str]) -> None:
    message = message_of(DONE)
    headers = signed_headers(SECRET, message, now=NOW)
    same = headers["webhook-signature"].removeprefix("v1,")
    changed = {name: value.replace("{same}", same) for name, value in change.items()}
    assert not verify(SECRET, {**headers, **changed}, message.body, now=NOW)
    assert not verify(SECRET, {}, message.body, now=NOW)


def test_secrets_are_strong_and_a_wrong_one_is_named() -> None:
    assert SECRET.startswith("whsec_")
    assert len(SECRET) == len("whsec_") + 44
    with pytest.raises(ValueError, match="whsec_ and base64"):
        signed_headers("whsec_*", message_of(DONE), now=NOW)


@pytest.mark.parametrize(
    "url", ["https://hooks.example.com/a?b=c", "https://93.184.216.34/", "https://[2606:2800:220:1::1]/x"]
)
def test_addresses_that_are_taken(url: str) -> None:
    assert check_webhook_url(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (None, "must be a text"),
        ("", "must be a text"),
        (["https://a.example"], "must be a text"),
        ("hooks.example.com", "http:// or https://"),
        ("ftp://hooks.example.com", "http:// or https://"),
        ("https:///x", "one plain host"),
        ("https://user:SECRET@hooks.example.com/", "one plain host"),
        ("http://hooks.example.com/", "https://"),
        ("https://hooks.example.com:8443/", "Port 8443"),
        ("https://localhost/", "this machine"),
        ("https://10.0.0.1/", "public internet"),
        ("https://[::1]/", "public internet"),
        ("https://169.254.169.254/latest/meta-data", "public internet"),
        ("https://2130706433/", "unusual spelling"),
        ("https://hooks.example.com/" + "SECRET" * 400, "2,048"),
        ("https://hooks.example.com/\n", "control characters"),
        ("https://hooks.example.com\\@10.0.0.1/", "backslash"),
    ],
    ids=lambda value: str(value)[:40].encode("unicode_escape").decode(),
)
def test_addresses_that_are_refused(url: object, problem: str) -> None:
    found = check_webhook_url(url)
    assert found is not None
    assert problem in found
    assert "SECRET" not in found


def test_trusted_hosts_may_be_private_and_plain_at_their_port_alone() -> None:
    trusted = frozenset({("127.0.0.1", 8_080)})
    assert check_webhook_url("http://127.0.0.1:8080/x", trusted) is None
    assert check_webhook_url("http://127.0.0.1:8081/x", trusted) is not None
    assert check_webhook_url("http://127.0.0.1/x", trusted) is not None


def test_a_file_that_serves_again_says_so() -> None:
    again = {**DONE, "result": {**DONE["result"], "cached": True, "made_at": NOW - timedelta(hours=2)}}
    data = json.loads(message_of(again).body)["data"]
    assert (data["cached"], data["made_at"]) == (True, "2025-12-31T22:00:00.000Z")
    assert "cached" not in json.loads(message_of(DONE).body)["data"]
