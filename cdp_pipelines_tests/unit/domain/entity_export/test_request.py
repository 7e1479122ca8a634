from datetime import UTC, datetime
from typing import Any

import pytest

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.companies import Company
from cdp_pipelines.domain.entity_export.admission import EntityExportFacts, admit
from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.delivery import (
    company_prefix,
    content_type,
    extension,
    file_key,
    file_name,
    key_stem,
    manifest_key,
    part_key,
)
from cdp_pipelines.domain.entity_export.request import EntityExportRequest, RequestProblem, order_names, read_request

NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)


def document(**changes: Any) -> dict[str, Any]:
    base = {
        "id": "exp_1",
        "company_sso_id": "acme",
        "exported_object": "voucher",
        "status": "SCHEDULED",
        "channel": "API",
        "parameters": {},
        "user_sso_id": "u-1",
        "created_at": NOW,
    }
    return {**base, **changes}


def no_webhook_problem(url: str) -> str | None:
    return None if url.startswith("https://") else "must begin with https://"


def read(**changes: Any) -> EntityExportRequest:
    return read_request(document(**changes), webhook_problem=no_webhook_problem)


def refused(**changes: Any) -> RequestProblem:
    with pytest.raises(RequestProblem) as caught:
        read(**changes)
    return caught.value


def company(*, on: bool = True) -> Company:
    return Company("acme", 1, "Acme", {"entity_exports_enabled": on})


def facts(**changes: Any) -> EntityExportFacts:
    return EntityExportFacts(**{"company": company(), "webhook_problem": no_webhook_problem, **changes})


def test_what_is_left_out_is_the_default() -> None:
    request = read()
    assert [field.name for field in request.fields] == ["code", "voucher_type", "value", "discount_type"]
    assert (request.file_format, request.gzip, request.order, request.filters) == ("CSV", False, None, None)
    assert request.zone.key == "UTC"


@pytest.mark.parametrize("name", list(ENTITIES))
def test_every_field_of_an_object_in_the_order_asked(name: str) -> None:
    entity = ENTITIES[name]
    fields = [field.name for field in reversed(entity.fields)] + (["metadata.x"] if entity.has_metadata else [])
    request = read(exported_object=name, parameters={"fields": fields, "format": "json"})
    assert [field.name for field in request.fields] == fields


def test_a_field_asked_twice_comes_once() -> None:
    assert [f.name for f in read(parameters={"fields": ["id", "code", "id"]}).fields] == ["id", "code"]


@pytest.mark.parametrize("name", list(ENTITIES))
def test_orders_both_ways(name: str) -> None:
    for key in order_names(ENTITIES[name]):
        up = read(exported_object=name, parameters={"order": key}).order
        down = read(exported_object=name, parameters={"order": f"-{key}"}).order
        assert up is not None
        assert down is not None
        assert (up.by.name, up.descending, down.descending) == (key, False, True)


@pytest.mark.parametrize(
    ("asked", "expected"), [("csv", "CSV"), ("Json", "JSON"), ("ndjson", "NDJSON"), ("xlsx", "XLSX"), ("", "CSV")]
)
def test_formats_in_any_case(asked: str, expected: str) -> None:
    assert read(parameters={"format": asked}).file_format == expected


@pytest.mark.parametrize("raw", [None, 7, "vouchers", "Voucher", "", ["voucher"], {"$ne": 1}])
def test_unknown_objects_list_the_nine(raw: object) -> None:
    problem = refused(exported_object=raw)
    assert problem.code == "invalid_export_object"
    assert problem.details["allowed_objects"] == list(ENTITIES)


@pytest.mark.parametrize("fields", [["nope"], ["id", "$where"], "id", [1], {"id": 1}, ["orders_total_count"], [""]])
def test_unknown_fields_list_what_is_allowed(fields: object) -> None:
    problem = refused(parameters={"fields": fields})
    assert problem.code == "invalid_export_fields"
    assert "code" in problem.details["allowed_fields"]
    assert "metadata.{key}" in problem.details["allowed_fields"]


def test_too_many_fields_or_a_name_that_breaks_lines() -> None:
    assert refused(parameters={"fields": [f"metadata.{i}" for i in range(201)]}).code == "invalid_export_fields"
    assert refused(parameters={"fields": ["metadata.a\nb"]}).code == "invalid_export_fields"
    assert refused(parameters={"fields": ["metadata." + "x" * 200]}).code == "invalid_export_fields"


@pytest.mark.parametrize("order", ["nope", "-", "--code", "metadata", "+code", 1, ["code"], "metadata.tier"])
def test_unknown_orders_list_what_is_allowed(order: object) -> None:
    problem = refused(parameters={"order": order})
    assert problem.code == "invalid_export_order"
    assert {"code", "-code", "created_at", "-created_at"} <= set(problem.details["allowed_order"])


def test_what_is_computed_cannot_be_ordered_or_filtered_by() -> None:
    customer = {"exported_object": "customer"}
    assert refused(**customer, parameters={"order": "orders_total_count"}).code == "invalid_export_order"
    problem = refused(**customer, parameters={"filters": {"orders_total_count": 3}})
    assert problem.code == "invalid_export_filters"


@pytest.mark.parametrize("parameters", [{"format": "pdf"}, {"format": 3}, {"compression": "zip"}, {"compression": 1}])
def test_unknown_formats_list_what_is_allowed(parameters: dict[str, Any]) -> None:
    problem = refused(parameters=parameters)
    assert problem.code == "invalid_export_format"
    assert problem.details["allowed_formats"] == ["CSV", "JSON", "NDJSON", "XLSX"]


def test_a_sheet_is_not_packed_twice() -> None:
    assert refused(parameters={"format": "xlsx", "compression": "gzip"}).code == "invalid_export_format"


@pytest.mark.parametrize(
    "filters",
    [
        {"nope": 1},
        {"$where": "1"},
        {"code": {"$where": "1"}},
        {"code": {"conditions": {"$regex": "x"}}},
        {"code": {"conditions": {"$is": [{"$gt": ""}]}}},
        {"metadata.$where": "1"},
        {"metadata.": "1"},
        {"metadata..a": "1"},
        {"code": {"conditions": {}}},
        {"code": {"conditions": {"$is": []}}},
        {"junction": "xor", "code": "a"},
        "code = 'a'",
        {"code": {"conditions": {"$is": ["a"]}, "extra": 1}},
    ],
)
def test_nothing_raw_gets_through_the_filters(filters: object) -> None:
    problem = refused(parameters={"filters": filters})
    assert problem.code == "invalid_export_filters"
    assert problem.message.startswith("The filters cannot be used: ")


def test_an_unknown_filter_lists_the_allowed_ones_and_an_unknown_operator_the_operators() -> None:
    assert "redemption.{key}" in refused(parameters={"filters": {"nope": 1}}).details["allowed_filters"]
    problem = refused(parameters={"filters": {"code": {"conditions": {"$near": ["x"]}}}})
    assert "$starts_with" in problem.details["allowed_operators"]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "1"},
        {"id": None},
        {"id": "exp_" + "x" * 65},
        {"email": "a@b@c"},
        {"email": "nobody"},
        {"channel": "FAX"},
        {"created_at": "2024-01-01"},
        {"webhook": {"url": "http://x"}},
        {"webhook": {"url": 5}},
        {"webhook": 5},
        {"parameters": []},
        {"parameters": {"formt": "csv"}},
        {"parameters": {"timezone": "Mars/Olympus"}},
        {"parameters": {"fresh": "yes"}},
        {"user_sso_id": "a\nb"},
    ],
)
def test_other_mistakes(changes: dict[str, Any]) -> None:
    assert refused(**changes).code == "invalid_export_parameters"


def test_campaigns_narrow_vouchers_alone() -> None:
    narrowed = [
        read(parameters={"campaign_ids": ["c1", "c2"]}).filters,
        read(parameters={"filters": {"campaign_ids": ["c1", "c2"]}}).filters,
    ]
    assert repr(narrowed[0]) == repr(narrowed[1])
    assert read(parameters={"campaign_id": "c1"}).filters == read(parameters={"campaign_ids": ["c1"]}).filters
    assert refused(exported_object="order", parameters={"campaign_ids": ["c"]}).code == "invalid_export_filters"
    assert refused(parameters={"campaign_ids": [{"$ne": 1}]}).code == "invalid_export_filters"
    assert refused(parameters={"campaign_ids": ["c"] * 1_001}).code == "invalid_export_filters"


def test_the_cache_key_is_that_of_what_is_asked() -> None:
    asked = {"fields": ["id", "code"], "filters": {"active": True}, "order": "-code"}
    key = read(parameters=asked).cache_key
    assert read(id="exp_2", user_sso_id="other", email="a@b.co", parameters=asked).cache_key == key
    for change in ({"fields": ["code", "id"]}, {"filters": {"active": False}}, {"order": "code"}, {"format": "JSON"},
                   {"compression": "gzip"}, {"timezone": "Asia/Jakarta"}):  # fmt: skip
        assert read(parameters={**asked, **change}).cache_key != key


def test_admission_in_its_order() -> None:
    bad = document(exported_object="nope")
    assert isinstance(admit(document(), facts()), Admitted)
    codes = []
    for answer in (
        admit(bad, facts(company=None)),
        admit(bad, facts(company=company(on=False))),
        admit(bad, facts(template_problem="There is no template `x`.")),
        admit(bad, facts()),
    ):
        assert isinstance(answer, Rejected)
        codes.append((answer.code, answer.http_status))
    assert codes == [
        ("company_not_found", 404),
        ("FLAG_DISABLED", 403),
        ("invalid_export_template", 422),
        ("invalid_export_object", 422),
    ]


def test_a_missing_flag_is_off() -> None:
    answer = admit(document(), facts(company=Company("acme", 1, "Acme", {})))
    assert isinstance(answer, Rejected)
    assert answer.code == "FLAG_DISABLED"


def test_keys_and_names_of_files() -> None:
    stem = key_stem("acme", ENTITIES["voucher_transactions"], now=datetime(2026, 3, 1, tzinfo=UTC), unique="u-1")
    assert file_key(stem, extension("CSV", gzip=False)) == "acme/exports/2026/03/voucher_transactions-u-1.csv"
    assert file_key(stem, extension("NDJSON", gzip=True)).endswith("-u-1.ndjson.gz")
    assert part_key(stem, 2, "csv").endswith("-u-1-00002.csv")
    assert file_name(manifest_key(stem)) == "voucher_transactions-u-1.manifest.json"
    assert content_type("CSV", gzip=False) == "text/csv; charset=utf-8"
    assert content_type("CSV", gzip=True) == "application/gzip"


def test_no_companys_folder_is_anothers() -> None:
    names = ["a", "a b", "a%20b", "a/b", "..", ".", "%2E", "a/exports", "日本", "a_b", "\udce9"]
    prefixes = [company_prefix(name) for name in names]
    assert len(set(prefixes)) == len(names)
    assert not any(a != b and a.startswith(b) for a in prefixes for b in prefixes)
    assert not any(part in {".", ".."} for prefix in prefixes for part in prefix.split("/"))
