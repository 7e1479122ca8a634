"""The signed notice of an ended export, as the Standard Webhooks specification has it (standardwebhooks.com).

    webhook-id: msg_…             the same for every try and every repeat of the same notice: receivers drop the second
    webhook-timestamp: 1767225600 seconds, of this try
    webhook-signature: v1,…       base64 of HMAC-SHA256 over "{id}.{timestamp}.{body}", with the company's secret

No secret is stored: a company's is derived from the setting `CDP_WEBHOOK_SIGNING_KEY` and its id, so one company's
receiver can forge nothing for another. Belongs here: payload, signature, and judging an address by what it says. Not
here: sending (`cdp_pipelines.resources.webhooks`).
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from cdp_pipelines.domain.failure_words import program_message
from cdp_pipelines.domain.public_address import is_public_address
from cdp_pipelines.domain.web_address import FetchBlocked, FetchPolicy, WebAddress, read_address, refuse_blanks

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with
TOLERANCE_SECONDS: Final = 300
LONGEST_URL: Final = 2_048

WebhookEvent: TypeAlias = Literal["export.done", "export.error", "export.canceled"]
TrustedHosts: TypeAlias = frozenset[tuple[str, int]]

_EVENTS: Final[Mapping[str, WebhookEvent]] = {
    "DONE": "export.done",
    "ERROR": "export.error",
    "CANCELED": "export.canceled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    """What is sent: the id that makes a repeat recognisable, and the body. Signed anew at every try."""

    id: str
    body: bytes


def message_of(export: Mapping[str, Any]) -> WebhookMessage:
    """The notice about an ended `exports` document. `cached` and `made_at` are there if an earlier file serves again.

    `{type, timestamp, data: {id, exported_object, status, record_count, size_bytes, sha256, url?, expires_at?,
    error?: {code, message}}}`; `timestamp` is when it ended, counts are null where there is no file.

    Raises:
        ValueError: it has not ended.
    """
    event = _EVENTS.get(str(export.get("status")))
    if event is None:
        raise ValueError("an export that has not ended has no notice")
    export_id = export.get("id")
    # A request may have been refused for its id; others may have been for the same one.
    named = export_id if isinstance(export_id, str) and export_id else repr(export.get("_id"))
    identity = f"{export.get('company_sso_id')}:{named}:{event}"
    payload = {
        "type": event,
        "timestamp": _instant(export.get("ended_at") or export.get("updated_at")),
        "data": _data(export, event),
    }
    # What a refused request holds may be anything, also what JSON does not know.
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")
    # A digest, because the specification wants no full stop in it, and ids in a queue may be anything.
    return WebhookMessage(id="msg_" + hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32], body=body)


def _data(export: Mapping[str, Any], event: WebhookEvent) -> dict[str, Any]:
    result: Mapping[str, Any] = (export.get("result") if event == "export.done" else None) or {}
    data = {name: export.get(name) for name in ("id", "exported_object", "status")}
    data |= {name: result.get(name) for name in ("record_count", "size_bytes", "sha256")}
    if result.get("cached") is True:
        data["cached"] = True
        data["made_at"] = _instant(result.get("made_at"))
    if result.get("url"):
        data["url"] = result["url"]
    if result.get("expires_at"):
        data["expires_at"] = _instant(result["expires_at"])
    error = export.get("error")
    if event == "export.error":
        error = error if isinstance(error, Mapping) else {}
        data["error"] = {"code": error.get("code"), "message": program_message(error, export.get("locale"))}
        if export.get("schedule_switched_off") is True:
            data["schedule_switched_off"] = True
    return data


def _instant(value: object) -> str | None:
    """RFC 3339 in UTC; a date without a zone is UTC, as BSON's are."""
    if not isinstance(value, datetime):
        return None
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def company_secret(signing_key: str, company_sso_id: str) -> str:
    """The secret that a company's receiver verifies with: `whsec_` and 32 bytes in base64."""
    derived = hmac.digest(signing_key.encode(), f"webhook:{company_sso_id}".encode(), "sha256")
    return SECRET_PREFIX + base64.b64encode(derived).decode("ascii")


def signed_headers(secret: str, message: WebhookMessage, *, now: datetime) -> dict[str, str]:
    """The three headers of one try at this instant."""
    timestamp = str(int(now.timestamp()))
    return {
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + _signature(secret, message.id, timestamp, message.body),
    }


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, *, now: datetime, tolerance_seconds: int = TOLERANCE_SECONDS
) -> bool:
    """What a receiver does: whether one of the signatures holds and the timestamp is near; compared in constant time.

    `body` is what came, byte for byte. False for whatever is missing or odd; a wrong secret of one's own raises.

    Raises:
        ValueError: the secret is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not message_id or not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 15):
        return False
    if abs(int(now.timestamp()) - int(timestamp)) > tolerance_seconds:
        return False
    expected = _signature(secret, message_id, timestamp, body).encode()
    signatures = [entry.partition(",") for entry in given.get("webhook-signature", "").split()]
    return any(
        version == "v1" and hmac.compare_digest(value.encode("utf-8", "replace"), expected)
        for version, _, value in signatures
    )


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook secret is whsec_ and base64") from None
    content = f"{message_id}.{timestamp}.".encode("utf-8", "replace") + body
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode("ascii")


def check_webhook_url(url: object, trusted: TrustedHosts = frozenset()) -> str | None:
    """What is wrong with an address for webhooks, as text for people, by what it says alone; None if nothing is.

    `trusted` are hosts and ports that may be private and without TLS. Where a name leads is looked at when it is sent.
    """
    try:
        read_webhook_address(url, trusted)
    except FetchBlocked as exc:
        return exc.message
    return None


def read_webhook_address(url: object, trusted: TrustedHosts) -> WebAddress:
    """The parts of an address for webhooks.

    Raises:
        FetchBlocked: it is none that anything is sent to; the message names the host at most.
    """
    if not isinstance(url, str) or not url:
        raise FetchBlocked("The address must be a text such as https://hooks.example.com/exports.")
    if len(url) > LONGEST_URL:
        raise FetchBlocked(f"The address is longer than {LONGEST_URL:,} characters.")
    refuse_blanks(url)
    address = read_address(url)
    if (address.host, address.port) in trusted:
        return address
    FetchPolicy(allowed_hosts=None).check(address)
    if address.scheme != "https":
        raise FetchBlocked("The address must begin with https://.")
    if address.is_ip and not is_public_address(address.host):
        raise FetchBlocked("The address is not in the public internet.")
    return address
