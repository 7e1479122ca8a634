"""The bucket's own rule that removes files some days after they were written (SPEC 3.4).

Belongs here: one expiry rule for one prefix, kept beside whatever other rules the bucket has. Not here: reading and
writing objects (`object_store`).
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.resources.object_store_errors import is_unsupported, translating

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_NO_RULES: Final = "NoSuchLifecycleConfiguration"
_UNSAFE_IN_ID: Final = re.compile(r"[^A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class ExpiryRuleStatus:
    """`present` (files under the prefix go after `days`), `absent`, `unsupported` by the store, or `denied` to us."""

    state: Literal["present", "absent", "unsupported", "denied"]
    prefix: str
    days: int | None = None

    def sentence(self) -> str:
        """One line for `cdp doctor`, with what to do where something is missing."""
        return {
            "present": f"The bucket removes files under {self.prefix} after {self.days} days.",
            "absent": f"No rule of the bucket removes files under {self.prefix}; let cdp set one up.",
            "unsupported": f"This object store has no expiry rules: files under {self.prefix} stay until purged.",
            "denied": f"These credentials may not manage the bucket's rules: see by hand that {self.prefix} expires.",
        }[self.state]


def expiry_rule_status(client: "S3Client", bucket: str, prefix: str) -> ExpiryRuleStatus:
    """What an enabled rule says about exactly this prefix.

    Raises:
        TransientFailure, ConfigurationError: as every call of the object store.
    """
    try:
        rules = _rules(client, bucket)
    except PermanentFailure as exc:
        return ExpiryRuleStatus("unsupported" if is_unsupported(exc) else "denied", prefix)
    found = [
        rule["Expiration"]["Days"]
        for rule in rules
        if rule.get("Status") == "Enabled" and _prefix_of(rule) == prefix and "Days" in rule.get("Expiration", {})
    ]
    return ExpiryRuleStatus("present", prefix, min(found)) if found else ExpiryRuleStatus("absent", prefix)


def ensure_expiry_rule(client: "S3Client", bucket: str, prefix: str, days: int) -> ExpiryRuleStatus:
    """Have the bucket remove files under `prefix` after `days`, and uploads that never ended after a day.

    Rules of others stay as they are; ours is replaced by its id. Old versions go too where the bucket keeps versions.
    A store that lacks such rules, or forbids us to set them, is no error: the status says so.

    Raises:
        TransientFailure, ConfigurationError: as every call of the object store.
    """
    status = expiry_rule_status(client, bucket, prefix)
    if status.state in ("unsupported", "denied") or (status.state == "present" and status.days == days):
        return status
    rule_id = f"cdp-expire-{_UNSAFE_IN_ID.sub('-', prefix).strip('-')}"
    rule: dict[str, Any] = {
        "ID": rule_id,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "Expiration": {"Days": days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }
    try:
        if keeps_versions(client, bucket):
            rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": 1}
        others = [r for r in _rules(client, bucket) if r.get("ID") != rule_id]
        with translating("setting the bucket's expiry rule"):
            client.put_bucket_lifecycle_configuration(
                Bucket=bucket,
                LifecycleConfiguration={"Rules": [*others, rule]},  # type: ignore[list-item]
            )
    except PermanentFailure as exc:
        return ExpiryRuleStatus("unsupported" if is_unsupported(exc) else "denied", prefix)
    return expiry_rule_status(client, bucket, prefix)


def keeps_versions(client: "S3Client", bucket: str) -> bool:
    """Whether a deleted file lives on as an old version; a store that cannot say has none."""
    try:
        with translating("reading the bucket's versioning"):
            return "Status" in client.get_bucket_versioning(Bucket=bucket)
    except PermanentFailure:
        return False


def _rules(client: "S3Client", bucket: str) -> list[dict[str, Any]]:
    try:
        with translating("reading the bucket's expiry rules"):
            return [dict(r) for r in client.get_bucket_lifecycle_configuration(Bucket=bucket).get("Rules", [])]
    except PermanentFailure as exc:
        if exc.details.get("store_code") == _NO_RULES:
            return []
        raise


def _prefix_of(rule: dict[str, Any]) -> str | None:
    scope = rule.get("Filter") or {}
    # A rule narrowed by tags or sizes does not cover every file under its prefix.
    prefix = scope.get("Prefix", rule.get("Prefix")) if scope.keys() <= {"Prefix"} else None
    return str(prefix) if prefix is not None else None
