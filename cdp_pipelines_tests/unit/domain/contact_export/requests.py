"""A request that is admitted as it stands, for tests to spoil."""

from datetime import UTC, datetime
from typing import Any

from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.contact_export.admission import ExportFacts
from cdp_pipelines.domain.contact_export.filters import FilterField

COMPANY = "5f8a1f3e-0000-4000-8000-000000000001"
CONTACT = "65f0c0ffee0000000000abcd"

FIELDS = {
    "name": FilterField("name", custom=False),
    "city": FilterField("city", custom=True),
    "age": FilterField("age", custom=True),
    "created_at": FilterField("created_at", custom=False, is_instant=True),
    "updated_at": FilterField("updated_at", custom=False, is_instant=True),
}


def good_request(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "job_id": "3f0d2c1e-8a54-4c55-9d0e-6a9f0c9b7b11",
        "job_type": "export",
        "status": "queued",
        "company_sso_id": COMPANY,
        "user_sso_id": "user-1",
        "email": "ops@example.com",
        "permissions": ["customers_customers_export"],
        "contact_ids": [CONTACT],
        "selected_fields": ["name"],
        "format": "xlsx",
        "timezone": "Asia/Jakarta",
        "locale": "en",
        "created_at": datetime(2024, 5, 1, tzinfo=UTC),
    }
    document.update(changes)
    return {key: value for key, value in document.items() if value is not ...}


def good_facts(**changes: Any) -> ExportFacts:
    company = Company(COMPANY, 7, "Demo", {"cdp_export_customer_enabled": True})
    return ExportFacts(**{"company": company, "fields": FIELDS, **changes})
