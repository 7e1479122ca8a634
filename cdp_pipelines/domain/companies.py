"""What is known of a company, and which of its switches are on.

Source of the shape: SPEC section 1. A missing flag, or one that is not exactly `true`, is off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FLAG_EXPORT_CUSTOMER = "cdp_export_customer_enabled"
FLAG_ACTIVITY_LOGS = "crm_activity_logs_migration_enabled"
FLAG_CONTACT_NOTES = "crm_notes_migration_enabled"
FLAG_ENTITY_EXPORTS = "entity_exports_enabled"

# U+FFFD stands for bytes that are no text, so two different keys may read the same: it is nobody's.
_INVALID_PARTITION_CHARACTERS = frozenset("\n\r\t\0,[]*|\"'\ufffd")
_LONGEST_PARTITION_KEY = 200


@dataclass(frozen=True, slots=True)
class Company:
    """A company: its key everywhere (`company_sso_id`), the CRM's organization id, and its switches."""

    company_sso_id: str
    cid: int | None
    name: str
    features: Mapping[str, Any]

    def has(self, flag: str) -> bool:
        """Whether the switch is on; only a stored `true` counts."""
        return self.features.get(flag) is True


def company_from_document(document: Mapping[str, Any]) -> Company:
    """Read a `companies` document: `{_id, cid, name, features: {flag: bool}}`, tolerating missing parts."""
    cid = document.get("cid")
    features = document.get("features")
    return Company(
        company_sso_id=str(document["_id"]),
        cid=cid if isinstance(cid, int) and not isinstance(cid, bool) else None,
        name=str(document.get("name") or ""),
        features=features if isinstance(features, Mapping) else {},
    )


def is_partition_key(company_sso_id: object) -> bool:
    """Whether a company's key can be a Dagster partition key and part of an object key without surprises."""
    return (
        isinstance(company_sso_id, str)
        and 0 < len(company_sso_id) <= _LONGEST_PARTITION_KEY
        and company_sso_id.strip() == company_sso_id
        and not _INVALID_PARTITION_CHARACTERS.intersection(company_sso_id)
        and "/" not in company_sso_id
        and "..." not in company_sso_id
        and company_sso_id not in {".", ".."}
    )


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """What `company_partitions` does in one tick: keys to add, keys to remove, and keys it cannot use."""

    add: tuple[str, ...]
    remove: tuple[str, ...]
    unusable: int


def plan_partitions(
    companies: Iterable[object], existing: Iterable[str], materialized: Iterable[str], *, at_most: int
) -> PartitionPlan:
    """Keep the partitions equal to the companies, at most `at_most` changes a tick.

    A key that is gone from `companies` is removed only if nothing was ever materialized under it, because its
    history would become unreachable in the UI.
    """
    keys = list(companies)
    usable = {key for key in keys if isinstance(key, str) and is_partition_key(key)}
    present, kept = set(existing), set(materialized)
    add = sorted(usable - present)[:at_most]
    remove = sorted(present - usable - kept)[: at_most - len(add)]
    return PartitionPlan(add=tuple(add), remove=tuple(remove), unusable=sum(1 for key in keys if key not in usable))
