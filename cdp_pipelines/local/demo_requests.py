"""The demo's queue: `bulk_upload_jobs` documents (SPEC 3.1), each with the ending it must come to.

Belongs here: what the demo asks for. Not here: putting it in the queue, waiting, and showing the table (`cdp demo`).
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from bson.objectid import ObjectId

from cdp_pipelines.local.demo_companies import (
    BIG,
    EMPTY,
    FLAG_OFF,
    MEDIUM,
    NO_FEATURES,
    RHEINLAND,
    SMALL,
    DemoCompany,
    contact_hex_id,
)
from cdp_pipelines.local.demo_fields import HIDDEN_FIELDS, layout_id

PERMISSION: Final = "customers_customers_export"
HOURLY_LIMIT: Final = 5
_MOST_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class ExportRequestSpec:
    """One request of the demo and the ending it must come to.

    `expected_code` is the code of a rejection, None otherwise; `expected_rows` the rows of the file, None where the
    data decides or there is no file.
    """

    title: str
    document: dict[str, Any]
    expected_status: str
    expected_code: str | None = None
    expected_rows: int | None = None


def demo_requests(*, now: datetime, scale: float = 1.0) -> list[ExportRequestSpec]:
    """The demo's requests in the order to insert them, oldest `created_at` first and the last one at `now`.

    Each call makes fresh ids. The rate limit is shown on the smallest company alone: its first five requests are
    admitted and the sixth is not, provided that nobody asked for an export of it within the hour before.

    Args:
        now: UTC-aware; the documents' timestamps lie within the second before it.
        scale: the scale that `load_demo_data` was called with, which decides the rows to expect.
    """
    specs = [*_exports(scale), *_rejections(), *_rate_limit()]
    for age, spec in enumerate(reversed(specs)):
        spec.document["created_at"] = spec.document["updated_at"] = now - timedelta(milliseconds=10 * age)
    return specs


def export_request(company: DemoCompany, **asked: Any) -> dict[str, Any]:
    """A queued, well-formed `bulk_upload_jobs` document of the company; `asked` adds or replaces keys."""
    return {
        "_id": ObjectId(),
        "job_id": str(uuid.uuid4()),
        "job_type": "export",
        "status": "queued",
        "company_sso_id": company.company_sso_id,
        "user_sso_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"user:{company.slug}")),
        "email": f"ops@{company.slug}.example",
        "permissions": ["customers_customers_view", PERMISSION],
        "layout_id": layout_id(company.slug, "default"),
        "selected_fields": [],
        "format": "xlsx",
        "timezone": "Asia/Jakarta",
        "locale": "id",
        "created_at": None,
        "updated_at": None,
        "total_records": 0,
        "success_count": 0,
        "failed_count": 0,
        "list_failed_rows": [],
        "failure_reason": None,
        "error": None,
        "result": None,
        "run_id": None,
        "expires_at": None,
    } | asked


def _ids(company: DemoCompany, count: int, *, start: int = 0) -> list[str]:
    return [contact_hex_id(company.slug, index) for index in range(start, start + count)]


def _exports(scale: float) -> Iterator[ExportRequestSpec]:
    yield ExportRequestSpec(
        "50 chosen contacts to XLSX, every field, the mess of real life in it",
        # Asked twice on purpose: a contact is written once.
        export_request(BIG, selection_mode="contact_ids", contact_ids=[*_ids(BIG, 50), *_ids(BIG, 2)]),
        "completed",
        expected_rows=50,
    )
    yield ExportRequestSpec(
        "First 10,000 by name to CSV",
        export_request(
            BIG,
            selection_mode="first_10k_sorted",
            order_by="name",
            order_direction="asc",
            format="csv",
            timezone="(GMT+07:00) Asia/Jakarta",
        ),
        "completed",
        expected_rows=min(_MOST_ROWS, BIG.contact_count(scale)),
    )
    yield ExportRequestSpec(
        "Filter with period and sources, sales layout, to XLSX in Tokyo time",
        export_request(
            MEDIUM,
            selection_mode="filter",
            filter={
                "and": [
                    {"field": "segment", "op": "in", "value": ["Ritel", "Grosir"]},
                    {"or": [
                        {"field": "vip", "op": "eq", "value": True},
                        {"field": "lifetime_value", "op": "gte", "value": 1_000_000},
                    ]},
                ]
            },
            period={"start_date": "2025-01-01", "end_date": "2025-12-31"},
            source=["whatsapp", "instagram"],
            layout_id=layout_id(MEDIUM.slug, "sales"),
            timezone="Asia/Tokyo",
            locale="ja",
        ),
        "completed",
    )  # fmt: skip
    unknown = [f"{number:024x}" for number in (1, 2, 3)]
    yield ExportRequestSpec(
        "Partial: 45 contacts, 3 unknown ids and 2 of another company",
        export_request(RHEINLAND, contact_ids=[*_ids(RHEINLAND, 45), *unknown, *_ids(BIG, 2)], locale="de"),
        "partial",
        expected_rows=45,
    )
    yield ExportRequestSpec(
        "A company without contacts: a header only",
        export_request(EMPTY, selection_mode="first_10k_sorted", format="CSV"),
        "completed",
        expected_rows=0,
    )
    yield ExportRequestSpec(
        "Failed: only hidden and unknown fields asked",
        export_request(RHEINLAND, contact_ids=_ids(RHEINLAND, 3), selected_fields=[*HIDDEN_FIELDS, "no_such_field"]),
        "failed",
    )


def _rejections() -> Iterator[ExportRequestSpec]:
    def rejected(title: str, code: str, company: DemoCompany, **asked: Any) -> ExportRequestSpec:
        document = export_request(company, **({"contact_ids": _ids(company, 3)} | asked))
        return ExportRequestSpec(f"Rejected: {title}", document, "rejected", expected_code=code)

    yield rejected("the company's switch is off", "FLAG_DISABLED", FLAG_OFF)
    yield rejected("the company has no switches at all", "FLAG_DISABLED", NO_FEATURES)
    yield rejected("no permission to export", "FORBIDDEN", MEDIUM, permissions=["customers_customers_view"])
    yield rejected(
        "an id that is none, a raw Mongo operator, a period that is no date",
        "EXPORT_REQUEST_INVALID",
        MEDIUM,
        contact_ids=["not-an-id"],
        filter={"name": {"$ne": None}},
        period={"start_date": "yesterday"},
    )
    yield rejected("unknown selection mode", "EXPORT_SELECTION_MODE_INVALID", MEDIUM, selection_mode="everything")
    yield rejected("10,001 ids", "EXPORT_LIMIT_EXCEEDED", MEDIUM, contact_ids=_ids(MEDIUM, _MOST_ROWS + 1))
    yield rejected("a PDF", "EXPORT_FORMAT_INVALID", MEDIUM, format="pdf")


def _rate_limit() -> Iterator[ExportRequestSpec]:
    for number in range(1, HOURLY_LIMIT + 1):
        yield ExportRequestSpec(
            f"Small export {number} of {HOURLY_LIMIT} within the hour",
            export_request(
                SMALL,
                contact_ids=_ids(SMALL, 3, start=3 * number),
                layout_id=layout_id(SMALL.slug, "compact"),
                format="csv" if number % 2 else "xlsx",
            ),
            "completed",
            expected_rows=3,
        )
    yield ExportRequestSpec(
        "Rejected: the sixth within the hour",
        export_request(SMALL, contact_ids=_ids(SMALL, 3)),
        "rejected",
        expected_code="EXPORT_RATE_LIMIT_EXCEEDED",
    )
