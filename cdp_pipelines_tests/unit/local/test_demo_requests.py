"""The demo's queue documents: full, distinct, ordered, and one for each ending."""

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.companies import company_from_document
from cdp_pipelines.domain.contact_export.admission import ExportFacts, admit
from cdp_pipelines.domain.contact_export.fields import FieldProperty, choose_columns
from cdp_pipelines.domain.contact_export.filter_fields import filter_fields
from cdp_pipelines.local.demo_companies import BIG, COMPANIES, SMALL
from cdp_pipelines.local.demo_fields import field_property_documents
from cdp_pipelines.local.demo_requests import ExportRequestSpec, demo_requests

NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def specs() -> list[ExportRequestSpec]:
    return demo_requests(now=NOW)


@pytest.mark.parametrize(
    "code",
    [
        "FLAG_DISABLED", "FORBIDDEN", "EXPORT_REQUEST_INVALID", "EXPORT_SELECTION_MODE_INVALID",
        "EXPORT_LIMIT_EXCEEDED", "EXPORT_FORMAT_INVALID", "EXPORT_RATE_LIMIT_EXCEEDED",
    ],
)  # fmt: skip
def test_each_row_of_the_admission_table_has_a_rejected_request(code: str, specs: list[ExportRequestSpec]) -> None:
    assert any(spec.expected_code == code and spec.expected_status == "rejected" for spec in specs)


def test_every_ending_but_canceled_is_there(specs: list[ExportRequestSpec]) -> None:
    assert {spec.expected_status for spec in specs} == {"completed", "partial", "failed", "rejected"}
    assert all((spec.expected_code is not None) == (spec.expected_status == "rejected") for spec in specs)


def test_documents_are_queued_exports_of_demo_companies(specs: list[ExportRequestSpec]) -> None:
    keys = {company.company_sso_id for company in COMPANIES}
    for spec in specs:
        assert (spec.document["job_type"], spec.document["status"]) == ("export", "queued")
        assert spec.document["company_sso_id"] in keys
        assert len(bson.encode(spec.document)) < 1_000_000


def test_ids_are_fresh_on_every_call(specs: list[ExportRequestSpec]) -> None:
    every = [spec.document for spec in [*specs, *demo_requests(now=NOW)]]
    assert len({document["_id"] for document in every}) == len({document["job_id"] for document in every}) == len(every)
    assert all(uuid.UUID(document["job_id"]).version == 4 for document in every)
    assert len({spec.title for spec in specs}) == len(specs)


def test_created_at_rises_in_the_order_of_the_list_up_to_now(specs: list[ExportRequestSpec]) -> None:
    created = [spec.document["created_at"] for spec in specs]
    assert created == sorted(set(created))
    assert created[-1] == NOW
    assert created[0] > NOW - timedelta(seconds=1)


def test_the_sixth_of_the_small_company_is_the_one_rejected(specs: list[ExportRequestSpec]) -> None:
    small = [spec for spec in specs if spec.document["company_sso_id"] == SMALL.company_sso_id]
    assert [spec.expected_status for spec in small] == ["completed"] * 5 + ["rejected"]


def test_no_other_company_reaches_the_hourly_limit(specs: list[ExportRequestSpec]) -> None:
    for company in COMPANIES:
        admitted = [
            spec
            for spec in specs
            if spec.document["company_sso_id"] == company.company_sso_id and spec.expected_status != "rejected"
        ]
        assert len(admitted) <= (5 if company is SMALL else 2)


@pytest.mark.parametrize(("scale", "rows"), [(1.0, 10_000), (0.01, 250)])
def test_rows_of_the_sorted_export_follow_the_scale(scale: float, rows: int) -> None:
    [spec] = [
        spec
        for spec in demo_requests(now=NOW, scale=scale)
        if spec.document["company_sso_id"] == BIG.company_sso_id
        and spec.document.get("selection_mode") == "first_10k_sorted"
    ]
    assert spec.expected_rows == rows
    assert "contact_ids" not in spec.document


def _properties(key: str) -> list[FieldProperty]:
    [company] = [company for company in COMPANIES if company.company_sso_id == key]
    read = [FieldProperty.from_document(doc) for doc in field_property_documents(company.slug, key)]
    return [field for field in read if field is not None]


def test_admission_gives_each_request_the_code_it_expects(specs: list[ExportRequestSpec]) -> None:
    companies = {company.company_sso_id: company_from_document(company.document()) for company in COMPANIES}
    admitted: Counter[str] = Counter()
    for spec in specs:
        key = spec.document["company_sso_id"]
        facts = ExportFacts(companies[key], filter_fields(_properties(key)), rate_slot_free=admitted[key] < 5)
        answer = admit(spec.document, facts)
        admitted[key] += isinstance(answer, Admitted)
        assert (answer.code if isinstance(answer, Rejected) else None) == spec.expected_code, spec.title


def test_the_failed_request_has_no_usable_field_and_the_others_have(specs: list[ExportRequestSpec]) -> None:
    for spec in specs:
        if spec.expected_status == "rejected":
            continue
        document = spec.document
        read = map(FieldProperty.from_document, _layout_documents(document["company_sso_id"], document["layout_id"]))
        choice = choose_columns([field for field in read if field is not None], document["selected_fields"])
        assert bool(choice.columns) == (spec.expected_status != "failed"), spec.title


def _layout_documents(key: str, layout: str) -> list[dict[str, Any]]:
    [company] = [company for company in COMPANIES if company.company_sso_id == key]
    return [doc for doc in field_property_documents(company.slug, key) if doc["layout_id"] == layout]
