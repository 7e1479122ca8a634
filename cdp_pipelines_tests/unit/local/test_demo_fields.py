"""Demo companies, layouts and field properties: shapes of SPEC 1.1, every field type, no slip of a hidden flag."""

import uuid
from typing import Any

import bson
import pytest

from cdp_pipelines.local.demo_companies import COMPANIES, DemoCompany
from cdp_pipelines.local.demo_fields import (
    CUSTOM_FIELDS,
    FIELDS,
    HIDDEN_FIELDS,
    HOSTILE_ALIAS,
    LAYOUTS,
    field_property_documents,
    layout_documents,
)
from cdp_pipelines.local.demo_values import MAKERS

FLAG = "cdp_export_customer_enabled"
KEYS = {
    "_id", "company_sso_id", "layout_id", "name", "name_alias", "field_type", "type", "is_default", "is_hidden",
    "position", "validation",
}  # fmt: skip

every_company = pytest.mark.parametrize("company", COMPANIES, ids=lambda company: company.slug)


def _properties(company: DemoCompany) -> list[dict[str, Any]]:
    return list(field_property_documents(company.slug, company.company_sso_id))


def test_companies_cover_the_cases_of_the_demo() -> None:
    flags = [company.features.get(FLAG) if company.features else None for company in COMPANIES]
    assert {True, False, None} == set(flags)
    sizes = {company.contacts for company in COMPANIES}
    assert {0, 50} <= sizes
    assert max(sizes) > 10_000
    assert sum(company.contacts for company in COMPANIES) > 20_000


def test_company_keys_are_distinct_uuids() -> None:
    keys = [company.company_sso_id for company in COMPANIES]
    assert len(set(keys)) == len({company.cid for company in COMPANIES}) == len(COMPANIES)
    assert [str(uuid.UUID(key)) for key in keys] == keys


def test_a_company_without_features_has_no_such_key() -> None:
    documents = [company.document() for company in COMPANIES]
    assert sum("features" not in document for document in documents) == 1
    assert all({"_id", "cid", "name"} <= document.keys() for document in documents)


@pytest.mark.parametrize(("scale", "expected"), [(1.0, [25_000, 50, 0]), (0.001, [50, 50, 0]), (0.1, [2_500, 50, 0])])
def test_scale_keeps_small_companies_whole(scale: float, expected: list[int]) -> None:
    sizes = {company.slug: company.contact_count(scale) for company in COMPANIES}
    assert [sizes["nusantara"], sizes["tugu"], sizes["kosong"]] == expected


@every_company
def test_exactly_one_layout_is_the_default(company: DemoCompany) -> None:
    layouts = layout_documents(company.slug, company.company_sso_id)
    assert len(layouts) > 1
    assert [layout["is_default"] for layout in layouts].count(True) == 1
    assert all(isinstance(layout["_id"], str) for layout in layouts)


@every_company
def test_field_properties_have_the_shape(company: DemoCompany) -> None:
    properties = _properties(company)
    layouts = {layout["_id"] for layout in layout_documents(company.slug, company.company_sso_id)}
    assert all(document.keys() == KEYS for document in properties)
    assert {document["layout_id"] for document in properties} == layouts
    assert {document["company_sso_id"] for document in properties} == {company.company_sso_id}
    assert all(bson.encode(document) for document in properties)


def test_ids_are_distinct_over_all_companies() -> None:
    ids = [document["_id"] for company in COMPANIES for document in _properties(company)]
    assert len(ids) == len(set(ids))


@every_company
def test_hidden_fields_are_hidden_in_every_layout(company: DemoCompany) -> None:
    for document in _properties(company):
        if document["name"] in HIDDEN_FIELDS:
            assert document["is_hidden"] is True
    for layout in {document["layout_id"] for document in _properties(company)}:
        of_layout = [document for document in _properties(company) if document["layout_id"] == layout]
        assert {True, False} == {document["is_hidden"] for document in of_layout}


def test_layouts_differ_in_order_and_in_what_they_hide() -> None:
    default, sales, compact = (layout.fields for layout in LAYOUTS)
    assert [field.name for field in default] != [field.name for field in sales]
    assert set(default) == set(sales)
    assert set(compact) < set(default)
    assert LAYOUTS[1].also_hidden
    assert LAYOUTS[1].also_hidden <= {field.name for field in FIELDS}
    assert not LAYOUTS[0].also_hidden


@pytest.mark.parametrize("key", [layout.key for layout in LAYOUTS])
def test_positions_run_from_one(key: str) -> None:
    company = COMPANIES[0]
    positions = [doc["position"] for doc in _properties(company) if doc["layout_id"].endswith(key)]
    assert positions == list(range(1, len(positions) + 1))


@pytest.mark.parametrize(
    "field_type",
    [
        "single_line_text", "text_area", "dropdown_select", "url", "upload", "signature", "default", "number", "date",
        "multiple_select", "gps", "bool", "email", "phone", "date_time",
        "emotion_slider",
    ],
)  # fmt: skip
def test_every_field_type_has_a_visible_field(field_type: str) -> None:
    assert any(field.field_type == field_type and not field.hidden for field in FIELDS)


@pytest.mark.parametrize("number_type", ["number", "percentage", "currency"])
def test_every_number_type_has_a_visible_field(number_type: str) -> None:
    company = COMPANIES[0]
    found = [doc for doc in _properties(company) if doc["validation"] == {"number": {"number_type": number_type}}]
    assert {doc["field_type"] for doc in found} == {"number"}
    assert any(not doc["is_hidden"] for doc in found)


def test_the_catalogue_is_about_sixty_fields_in_three_groups() -> None:
    assert len([field for field in FIELDS if not field.hidden]) >= 55
    assert {field.group for field in FIELDS} == {"customer_info", "default", "custom"}
    assert len({field.name for field in FIELDS}) == len(FIELDS)
    assert not any(field.is_default for field in CUSTOM_FIELDS)


def test_aliases_are_those_of_real_life() -> None:
    aliases = [field.alias for field in FIELDS]
    assert HOSTILE_ALIAS in aliases
    assert HOSTILE_ALIAS.startswith("=")
    assert "" in aliases
    assert len(set(aliases)) < len(aliases), "two fields with the same label"
    assert any(not alias.isascii() for alias in aliases)
    assert any("," in alias for alias in aliases)
    assert any('"' in alias for alias in aliases)


def test_every_field_has_a_maker_and_every_maker_a_field() -> None:
    assert {field.maker for field in FIELDS} == set(MAKERS)
