"""A template and a request become one set of parameters."""

from typing import Any

import pytest

from cdp_pipelines.domain.entity_export.templates import merged, name_problem
from cdp_pipelines.domain.errors import PermanentFailure

TEMPLATE: dict[str, Any] = {
    "name": "weekly",
    "exported_object": "voucher",
    "parameters": {
        "format": "CSV",
        "fields": ["code", "value"],
        "filters": {"active": {"conditions": {"$is": [True]}}},
    },
}


@pytest.mark.parametrize("parameters", [None, {}, {"format": None, "fields": None}])
def test_what_the_request_leaves_open_is_the_templates(parameters: Any) -> None:
    assert merged(TEMPLATE, parameters, exported_object="voucher") == TEMPLATE["parameters"]


def test_what_the_request_gives_wins_key_by_key() -> None:
    given = {"fields": ["id"], "filters": {}, "order": "-created_at"}
    assert merged(TEMPLATE, given) == {"format": "CSV", **given}
    assert TEMPLATE["parameters"]["fields"] == ["code", "value"]


def test_a_template_of_another_object_is_an_error() -> None:
    with pytest.raises(PermanentFailure, match="is for voucher, and the export for order") as caught:
        merged(TEMPLATE, {}, exported_object="order")
    assert caught.value.code == "invalid_export_template"


@pytest.mark.parametrize("saved", [None, [], "CSV"])
def test_a_template_without_parameters_is_an_error(saved: Any) -> None:
    with pytest.raises(PermanentFailure, match="no parameters"):
        merged({**TEMPLATE, "parameters": saved}, {})


@pytest.mark.parametrize("name", ["weekly", "Every Monday, 2:30", "x" * 100, "Penukaran — é"])
def test_names_that_are_taken(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name", [None, 3, "", "  ", " x", "x ", "a\nb", "a\x00", "a\u202e", "x" * 101], ids=lambda name: ascii(name)[:20]
)
def test_names_that_are_not(name: object) -> None:
    assert name_problem(name) is not None
