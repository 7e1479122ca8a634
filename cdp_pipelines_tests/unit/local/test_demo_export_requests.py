"""The demo's `exports` documents: whole, distinct, ordered, and one for each object and ending."""

import re
from datetime import UTC, datetime, timedelta

import bson
import pytest

from cdp_pipelines.local.demo_chinook import CHINOOK_COMPANY_SSO_ID, chinook_file
from cdp_pipelines.local.demo_commerce import commerce_documents, commerce_sizes
from cdp_pipelines.local.demo_companies import BIG, COMPANIES, MEDIUM
from cdp_pipelines.local.demo_export_fields import SEED_FIELDS
from cdp_pipelines.local.demo_export_requests import demo_export_requests
from cdp_pipelines.local.demo_export_specs import EntityExportSpec

NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
SCALE = 0.05


@pytest.fixture(scope="module")
def specs() -> list[EntityExportSpec]:
    return demo_export_requests(now=NOW, scale=SCALE)


def test_documents_are_scheduled_exports_with_ids_of_their_own(specs: list[EntityExportSpec]) -> None:
    every = [*specs, *demo_export_requests(now=NOW, scale=0)]
    assert len({spec.document["id"] for spec in every}) == len({spec.document["_id"] for spec in every}) == len(every)
    for spec in every:
        assert re.fullmatch("exp_[0-9a-f]{24}", spec.document["id"])
        assert (spec.document["status"], spec.document["error"]) == ("SCHEDULED", None)
        assert bson.encode(spec.document)
    assert len({spec.title for spec in specs}) == len(specs)


def test_created_at_rises_in_the_order_of_the_list_up_to_now(specs: list[EntityExportSpec]) -> None:
    created = [spec.document["created_at"] for spec in specs]
    assert created == sorted(set(created))
    assert created[-1] == NOW
    assert created[0] > NOW - timedelta(seconds=1)


def test_every_object_format_and_ending_is_asked(specs: list[EntityExportSpec]) -> None:
    good = [spec for spec in specs if spec.expected_status == "DONE"]
    whole = [spec for spec in good if "filters" not in spec.document["parameters"]]
    assert {spec.document["exported_object"] for spec in whole} - {None} == set(SEED_FIELDS)
    asked = [spec.document["parameters"] for spec in good]
    assert {parameters["format"] for parameters in asked} == {"CSV", "JSON", "NDJSON", "XLSX"}
    assert {parameters["filters"]["junction"] for parameters in asked if "filters" in parameters} == {"and", "or"}
    assert any("campaign_ids" in parameters for parameters in asked)
    assert any(parameters.get("compression") == "gzip" for parameters in asked)
    assert {spec.expected_status for spec in specs} == {"DONE", "ERROR", "CANCELED"}
    assert all((spec.expected_code is None) == (spec.expected_status != "ERROR") for spec in specs)
    assert all((spec.expected_rows is None) == (spec.expected_status != "DONE") for spec in specs)


@pytest.mark.parametrize(
    "code",
    [
        "FLAG_DISABLED", "company_not_found", "invalid_export_object", "invalid_export_fields",
        "invalid_export_order", "invalid_export_filters", "invalid_export_format",
    ],
)  # fmt: skip
def test_each_refusal_has_a_request(code: str, specs: list[EntityExportSpec]) -> None:
    assert [spec.expected_code for spec in specs].count(code) == 1


def test_only_the_unknown_company_is_none_of_the_demo(specs: list[EntityExportSpec]) -> None:
    known = {company.company_sso_id for company in COMPANIES}
    strangers = [spec.expected_code for spec in specs if spec.document["company_sso_id"] not in known]
    assert strangers == ["company_not_found"]


def test_the_repeat_asks_for_the_same_as_an_earlier_one(specs: list[EntityExportSpec]) -> None:
    [repeat] = [spec for spec in specs if spec.repeats is not None]
    [first] = [spec for spec in specs if spec.document["id"] == repeat.repeats]
    for key in ("company_sso_id", "exported_object", "parameters"):
        assert repeat.document[key] == first.document[key]
    assert specs.index(first) < specs.index(repeat)
    assert first.expected_rows == repeat.expected_rows


def test_one_is_asked_for_by_a_template_one_by_a_schedule_and_one_tells_by_webhook(
    specs: list[EntityExportSpec],
) -> None:
    [by_template] = [spec for spec in specs if spec.template is not None]
    assert by_template.template is not None
    assert by_template.document["template"] == by_template.template.name
    assert by_template.document["exported_object"] is None
    [by_schedule] = [spec for spec in specs if spec.schedule is not None]
    assert by_schedule.repeats is None
    assert not any("webhook" in spec.document for spec in specs)
    told = demo_export_requests(now=NOW, scale=0, webhook_url="http://127.0.0.1:1/")
    assert [spec.document["webhook"] for spec in told if "webhook" in spec.document] == [{"url": "http://127.0.0.1:1/"}]
    assert sum(1 for spec in specs if spec.document.get("email")) >= 2


def test_filters_pass_some_and_not_all(specs: list[EntityExportSpec]) -> None:
    sizes_by_company = {company.company_sso_id: commerce_sizes(company, SCALE) for company in (BIG, MEDIUM)}
    for spec in specs:
        sizes = sizes_by_company.get(spec.document["company_sso_id"], {})
        parameters = spec.document["parameters"]
        if spec.expected_rows and ("filters" in parameters or "campaign_ids" in parameters):
            exported = spec.document["exported_object"]
            assert 0 < spec.expected_rows < sizes[exported if exported.endswith("s") else f"{exported}s"], spec.title
    assert 0 in {spec.expected_rows for spec in specs if "filters" in spec.document["parameters"]}


def test_no_row_sits_on_the_border_of_a_filter() -> None:
    """Whether a border counts is the filters' own affair: the demo's rows do not depend on it."""
    orders = commerce_documents(BIG, scale=SCALE)["orders"]
    assert not any(order.get("created_at") == datetime(2025, 1, 1, tzinfo=UTC) for order in orders)
    assert not any(order.get("amount") == 1_000_001 for order in orders)


@pytest.mark.skipif(chinook_file() is None, reason="shared/corpora/chinook.json is not here")
def test_chinook_is_asked_for_where_its_file_is() -> None:
    specs = demo_export_requests(now=NOW, scale=0, chinook=chinook_file())
    of_chinook = [spec for spec in specs if spec.document["company_sso_id"] == CHINOOK_COMPANY_SSO_ID]
    assert [spec.expected_rows for spec in of_chinook] == [59, 63, 3_503]
