import math
from typing import Any

import pytest

from cdp_pipelines.domain.contact_export.fields import FieldProperty, choose_columns, projection


def field(name: str, position: float = 0, **more: Any) -> FieldProperty:
    return FieldProperty(name=name, alias=more.pop("alias", name.title()), position=position, **more)


def names(fields: list[FieldProperty], selected: list[str] | None) -> list[str]:
    return [column.field.name for column in choose_columns(fields, selected).columns]


def test_a_whole_document_is_read() -> None:
    document = {
        "_id": "x", "company_sso_id": "c", "layout_id": "l", "name": "deal_value", "name_alias": "Deal value",
        "field_type": "number", "type": "custom", "is_default": False, "is_hidden": True, "position": 7,
        "validation": {"number": {"number_type": "currency"}},
    }  # fmt: skip

    assert FieldProperty.from_document(document) == FieldProperty(
        "deal_value", "Deal value", "number", "custom", is_hidden=True, position=7, number_type="currency"
    )


@pytest.mark.parametrize("name", [None, "", "  ", 7, ["a"], {}, b"a"])
def test_a_document_without_a_name_is_no_field(name: object) -> None:
    assert FieldProperty.from_document({"name": name}) is None
    assert FieldProperty.from_document({}) is None


@pytest.mark.parametrize(
    "rubbish", [None, 7, "x", [], {}, {"number": None}, {"number": []}, {"number": {"number_type": 3}}]
)
def test_an_untidy_document_is_still_a_field(rubbish: Any) -> None:
    document = {"name": "a", "name_alias": None, "field_type": 5, "type": [], "position": "3", "validation": rubbish}

    assert FieldProperty.from_document(document) == FieldProperty("a", "a", position=math.inf)


def test_types_are_read_in_any_case() -> None:
    document = {"name": "a", "field_type": " Number ", "validation": {"number": {"number_type": "Percentage"}}}
    read = FieldProperty.from_document(document)

    assert read is not None
    assert (read.field_type, read.number_type) == ("number", "percentage")


@pytest.mark.parametrize(
    ("value", "hidden"),
    [(True, True), (False, False), (None, False), ("true", True), ("false", False), ("0", False), (1, True), (0, False),
     ("hidden", True)],
)  # fmt: skip
def test_hidden_in_doubt_stays_hidden(value: object, hidden: bool) -> None:
    read = FieldProperty.from_document({"name": "a", "is_hidden": value})

    assert read is not None
    assert read.is_hidden is hidden


def test_the_order_asked_is_kept_and_each_field_comes_once() -> None:
    choice = choose_columns([field("a"), field("b"), field("c")], ["c", "a", "c", "a"])

    assert [column.field.name for column in choice.columns] == ["c", "a"]
    assert [column.header for column in choice.columns] == ["C", "A"]
    assert choice.warnings == ()


@pytest.mark.parametrize("selected", [None, []])
def test_nothing_asked_means_all_visible_by_position_then_name(selected: list[str] | None) -> None:
    fields = [field("z", 1), field("b", 2), field("a", 2), field("last", math.inf), field("h", 0, is_hidden=True)]

    assert names(fields, selected) == ["z", "a", "b", "last"]


def test_a_hidden_field_reads_exactly_like_an_unknown_one() -> None:
    fields = [field("a"), field("secret", is_hidden=True)]
    hidden = choose_columns(fields, ["a", "secret"])
    unknown = choose_columns([field("a")], ["a", "secret"])

    assert hidden == unknown
    assert hidden.warnings == ('"secret" is not a field of this layout; it was left out.',)


def test_a_name_hidden_once_is_hidden_everywhere() -> None:
    fields = [field("a", 1), field("a", 2, is_hidden=True), field("b", 3)]

    assert names(fields, None) == ["b"]
    assert names(fields, ["a", "b"]) == ["b"]


def test_of_equal_names_the_first_by_position_counts() -> None:
    fields = [field("a", 2, alias="Second"), field("a", 1, alias="First")]

    assert [column.header for column in choose_columns(fields, None).columns] == ["First"]


@pytest.mark.parametrize("name", ["crm_data.id", "$where", "a\0b", "custom_fields"])
def test_a_default_field_cannot_reach_into_documents(name: str) -> None:
    choice = choose_columns([field(name, is_default=True), field("a", 1)], None)

    assert [column.field.name for column in choice.columns] == ["a"]
    assert "cannot be exported" in choice.warnings[0]
    assert len(choice.warnings) == 1


def test_the_key_of_a_custom_field_is_only_data() -> None:
    assert names([field("a.b"), field("$c")], ["$c", "a.b"]) == ["$c", "a.b"]


@pytest.mark.parametrize("name", ["company_sso_id", "_id"])
def test_what_is_on_every_contact_is_no_field_unless_the_layout_says_so(name: str) -> None:
    assert names([field("a")], [name]) == []
    assert names([field(name, is_default=True)], [name]) == [name]


def test_a_warning_does_not_repeat_a_novel() -> None:
    [warning] = choose_columns([field("a")], ["x" * 10_000, "a"]).warnings

    assert len(warning) < 200


def test_projection_names_what_the_columns_need() -> None:
    fields = [field("email", 0, is_default=True), field("tier", 1), field("name", 2, is_default=True), field("x", 3)]
    columns = choose_columns(fields, None).columns

    assert projection(columns) == ["email", "name", "custom_fields"]
    assert projection(columns[:1]) == ["email"]
