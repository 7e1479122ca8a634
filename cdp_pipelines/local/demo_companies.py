"""The demo companies: how many contacts each has, which people they are, and which switches are on.

Belongs here: `companies` documents and the ids derived from them. Not here: contacts (`demo_contacts.py`).
"""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any, Final

CRM_IDS_PER_COMPANY: Final = 1_000_000

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "demo.cdp-pipelines.example")


@dataclass(frozen=True, slots=True)
class DemoCompany:
    """A company of the demo.

    `contacts` is the number at scale 1; `locales` are Faker locales with their shares; `features` None means that
    its document has no `features` at all, which counts as every switch off.
    """

    slug: str
    cid: int
    name: str
    contacts: int
    locales: tuple[tuple[str, int], ...]
    features: dict[str, bool] | None

    @property
    def company_sso_id(self) -> str:
        """The company's key everywhere, the same on every machine."""
        return company_key(self.slug)

    def document(self) -> dict[str, Any]:
        """The `companies` document: `{_id, cid, name, features}`."""
        document: dict[str, Any] = {"_id": self.company_sso_id, "cid": self.cid, "name": self.name}
        if self.features is not None:
            document["features"] = dict(self.features)
        return document

    def contact_count(self, scale: float) -> int:
        """How many contacts at this scale; never under 50 of those it has, so that every kind of mess is there."""
        return max(round(self.contacts * scale), min(self.contacts, 50))

    def crm_id(self, index: int) -> int:
        """The CRM's id of person number `index` (from 0): all companies share one CRM, so none comes twice in it."""
        return self.cid * CRM_IDS_PER_COMPANY + index


def company_key(slug: str) -> str:
    """A `company_sso_id` that depends on the slug alone."""
    return str(uuid.uuid5(_NAMESPACE, slug))


def contact_hex_id(slug: str, index: int) -> str:
    """The 24 hex digits of a company's contact number `index` (from 0); two companies never share one."""
    return hashlib.blake2b(slug.encode(), digest_size=8).hexdigest() + f"{index:08x}"


_MOSTLY_INDONESIAN: Final = (("id_ID", 60), ("en_US", 14), ("ja_JP", 9), ("ar_AA", 8), ("de_DE", 5), ("he_IL", 4))
_ALL_ON: Final = {
    "cdp_export_customer_enabled": True,
    "crm_activity_logs_migration_enabled": True,
    "crm_notes_migration_enabled": True,
    "entity_exports_enabled": True,
}

BIG: Final = DemoCompany("nusantara", 1001, "Nusantara Ritel Tbk", 25_000, _MOSTLY_INDONESIAN, _ALL_ON)
MEDIUM: Final = DemoCompany(
    "sakura", 1002, "サクラ Kosmetik", 5_000, (("ja_JP", 50), ("id_ID", 40), ("en_US", 10)), _ALL_ON
)
RHEINLAND: Final = DemoCompany(
    "rheinland",
    1003,
    "Rheinland Großhandel GmbH & Co. KG",
    3_000,
    (("de_DE", 70), ("en_US", 30)),
    {
        "cdp_export_customer_enabled": True,
        "crm_activity_logs_migration_enabled": True,
        "entity_exports_enabled": False,
    },
)
FLAG_OFF: Final = DemoCompany(
    "alnoor",
    1004,
    "النور للتجارة",
    2_000,
    (("ar_AA", 70), ("he_IL", 10), ("en_US", 20)),
    {"cdp_export_customer_enabled": False, "crm_notes_migration_enabled": True},
)
NO_FEATURES: Final = DemoCompany("bahari", 1005, "Bahari Lama (tanpa fitur)", 500, (("id_ID", 1),), None)
SMALL: Final = DemoCompany("tugu", 1006, "Warung Kopi Tugu ☕", 50, _MOSTLY_INDONESIAN, _ALL_ON)
EMPTY: Final = DemoCompany("kosong", 1007, "Toko Baru Kosong", 0, _MOSTLY_INDONESIAN, _ALL_ON)

COMPANIES: Final[tuple[DemoCompany, ...]] = (BIG, MEDIUM, RHEINLAND, FLAG_OFF, NO_FEATURES, SMALL, EMPTY)
