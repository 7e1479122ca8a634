"""The table of categories: the package's own, a company's override, and tables that cannot be used."""

from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.categories import CategoryTable, Classified, read_category_table
from cdp_pipelines.domain.errors import ConfigurationError
from cdp_pipelines.resources.crm_mapping import load_categories

STAGE = "crm_stage_id"


@pytest.fixture(scope="module")
def table() -> CategoryTable:
    return read_category_table(load_categories())


def classify(table: CategoryTable, kind: str, changes: dict[str, Any], action: str = "update") -> Classified:
    found = table.kind_of(kind)
    assert found is not None
    return table.classify(found, action, changes)


@pytest.mark.parametrize(
    ("change", "action", "unmapped"),
    [
        ([1, 90], "won", False),
        (["1", "90"], "won", False),
        ([None, 91], "lost", False),
        ([91, 90], "won", False),
        ([90, 90], "update", False),
        ([1, 2], "update", True),
        ([1, None], "update", True),
        (90, "update", False),
        ([1, 2, 90], "update", False),
        ([90], "update", False),
        ({"to": 90}, "update", False),
    ],
)
def test_a_stage_decides_only_when_it_moves_into_a_set(
    table: CategoryTable, change: Any, action: str, unmapped: bool
) -> None:
    assert classify(table, "Crm::Deal", {STAGE: change}) == Classified("deal", action, unmapped)


def test_a_stage_of_another_category_says_nothing(table: CategoryTable) -> None:
    assert classify(table, "Ticket", {STAGE: [1, 90]}) == Classified("ticket", "update")
    assert classify(table, "Crm::Deal", {STAGE: [1, 90]}, "create") == Classified("deal", "create")
    assert classify(table, "Crm::PeopleTicket", {"ticket_status_id": [1, 4]}) == Classified("ticket", "update")


@pytest.mark.parametrize("name", [None, "", "crm::deal", "Crm::Pipeline", "Deal"])
def test_a_type_outside_the_table(table: CategoryTable, name: str | None) -> None:
    assert table.kind_of(name) is None


def test_what_may_be_an_association(table: CategoryTable) -> None:
    names = ["Crm::PeopleDeal", "Crm::PeopleTask", "Ticket", "Crm::Deal", "Crm::Person", "Product"]
    assert [name for name in names if table.may_associate(name)] == ["Crm::PeopleDeal", "Crm::PeopleTask", "Ticket"]


def test_an_override_replaces_adds_and_removes() -> None:
    override = {
        "kinds": {"Crm::Note": None, "Crm::Pipeline": {"category": "deal", "entity": "pipeline"}},
        "joins": {"Crm::PeopleDeal": {"category": "opportunity", "entity": "deal", "attribute": "deal_id"}},
        "refinements": {"deal": [{"attribute": "stage", "action": "won", "ids": ["w"]}], "ticket": None},
        "labels": {"name": "Nama", "more": "More"},
    }
    table = read_category_table(load_categories(), override)
    assert table.kind_of("Crm::Note") is None
    assert classify(table, "Crm::Pipeline", {}).category == "deal"
    assert classify(table, "Crm::PeopleDeal", {}, "create") == Classified("opportunity", "link")
    assert classify(table, "Crm::Deal", {STAGE: [1, 90]}).action == "update"
    assert classify(table, "Crm::Deal", {"stage": ["x", "w"]}).action == "won"
    assert classify(table, "Ticket", {"ticket_status_id": [1, 4]}).action == "update"
    assert (table.labels["name"], table.labels["more"], table.labels["amount"]) == ("Nama", "More", "Amount")


@pytest.mark.parametrize(
    "override",
    [
        {"kinds": []},
        {"kinds": {"A": {"category": "deal"}}},
        {"kinds": {"A": "deal"}},
        {"joins": {"A": {"category": "deal", "entity": "deal"}}},
        {"refinements": {"deal": {"attribute": "a"}}},
        {"refinements": {"deal": [{"attribute": "a", "action": "won", "ids": 5}]}},
        {"refinements": {"deal": [{"attribute": "a", "action": "", "ids": [5]}]}},
        {"labels": "Name"},
    ],
)
def test_a_table_that_cannot_be_used_is_said_to_be_so(override: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as failure:
        read_category_table(load_categories(), override)
    assert failure.value.code == "CATEGORIES_INVALID"
