"""Does the bucket take, give and lose a file, do links to it work, and does it forget by itself?"""

import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp_pipelines.cli.doctor.findings import Finding, Findings
from cdp_pipelines.domain.contact_export.delivery import FILE_KEPT_DAYS, KEY_PREFIX

if TYPE_CHECKING:
    from cdp_pipelines.resources.object_store import ObjectStore, StoredObject

_CONTENT: Final = b"cdp doctor was here\n"
_LINK_SECONDS: Final = 60
_HTTP_SECONDS: Final = 10.0
_HTTP_OK: Final = 200
_CLOCK_NOTE_SECONDS: Final = 30
_CLOCK_BROKEN_SECONDS: Final = 600
"""S3 refuses requests signed more than 15 minutes off."""


def check_object_store(findings: Findings) -> Iterator[Finding]:
    """Bucket, region, a probe written, read through a link and removed, encryption, expiry rule, clock."""
    from cdp_pipelines.resources.object_store import ObjectStoreResource

    store = ObjectStoreResource().open()
    try:
        facts = store.check()
        yield findings.ok("bucket", f"{facts['bucket']} at {facts['endpoint']}, credentials: {facts['credentials']}")
        yield findings.ok("region", facts["region"])
        if facts["credentials end"] != "never":
            yield findings.note("credentials", f"end {facts['credentials end']}", "Links end with them.")
        if facts["keeps old versions"] != "no":
            yield findings.note(
                "old versions", facts["keeps old versions"], "Set a rule for noncurrent versions: cdp local up does."
            )
        yield from _probe(findings, store)
        yield _expiry(findings, store)
    finally:
        store.close()


def _probe(findings: Findings, store: "ObjectStore") -> Iterator[Finding]:
    key = f"{KEY_PREFIX}.doctor-{uuid.uuid4().hex}"
    with tempfile.TemporaryDirectory(prefix="cdp-doctor-") as folder:
        path = Path(folder) / "probe.txt"
        path.write_bytes(_CONTENT)
        stored = store.upload_file(
            path=path, key=key, content_type="text/plain", download_name="probe.txt", request_id="doctor"
        )
    try:
        same = b"".join(store.iter_bytes(key)) == _CONTENT
        yield (
            findings.ok("write and read", "a probe was kept")
            if same
            else findings.broken(
                "write and read", "what was read differs from what was written", "Look at the object store."
            )
        )
        yield _encryption(findings, stored)
        yield from _link(findings, store, key)
    finally:
        store.delete(key)
    if store.exists(key):
        yield findings.broken("delete", "a deleted probe is still there", "Purging would not purge; see the store.")
    else:
        yield findings.ok("delete", "the probe is gone")


def _encryption(findings: Findings, stored: "StoredObject") -> Finding:
    if stored.encryption:
        return findings.ok("encryption at rest", stored.encryption)
    return findings.note("encryption at rest", "none", "Encrypt the disks, or use a store that offers SSE.")


def _link(findings: Findings, store: "ObjectStore", key: str) -> Iterator[Finding]:
    import httpx

    from cdp_pipelines.resources.http_client import keep_urls_out_of_logs

    keep_urls_out_of_logs()
    url = store.presign(key, valid_seconds=_LINK_SECONDS).url
    try:
        response = httpx.get(url, timeout=_HTTP_SECONDS, follow_redirects=False)
    except httpx.HTTPError as exc:
        advice = "Set CDP_S3_PUBLIC_ENDPOINT_URL to the address that users reach."
        yield findings.broken("link", f"a signed link does not answer from here ({type(exc).__name__})", advice)
        return
    if response.status_code == _HTTP_OK and response.content == _CONTENT:
        yield findings.ok("link", "a signed link gives the probe without credentials")
    else:
        yield findings.broken(
            "link", f"a signed link answers HTTP {response.status_code}", "Check region, endpoint and clock."
        )
    yield _clock(findings, response.headers.get("Date", ""))


def _clock(findings: Findings, date: str) -> Finding:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return findings.note("clock", "the store does not tell its time")
    skew = abs((datetime.now(UTC) - theirs).total_seconds())
    advice = "Run NTP: the store refuses signatures that are 15 minutes off."
    if skew > _CLOCK_BROKEN_SECONDS:
        return findings.broken("clock", f"{skew:.0f} s apart from the store's", advice)
    if skew > _CLOCK_NOTE_SECONDS:
        return findings.note("clock", f"{skew:.0f} s apart from the store's", advice)
    return findings.ok("clock", f"within {skew:.0f} s of the store's")


def _expiry(findings: Findings, store: "ObjectStore") -> Finding:
    status = store.expiry_rule_status(KEY_PREFIX)
    if status.state == "present" and status.days is not None and status.days <= FILE_KEPT_DAYS:
        return findings.ok("expiry rule", status.sentence())
    if status.state in ("present", "absent"):
        advice = f"Have the bucket expire {KEY_PREFIX} after {FILE_KEPT_DAYS} days: cdp doctor --fix-expiry-rule"
        return findings.broken("expiry rule", status.sentence(), advice)
    return findings.note("expiry rule", status.sentence())
