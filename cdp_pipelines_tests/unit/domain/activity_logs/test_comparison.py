from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.comparison import compare
from cdp_pipelines_tests.unit.domain.activity_logs.golden_cases import becomes

DELETED = {"id": "", "name": "[Deleted CRM User]"}
LIVE = {"id": "u", "name": "U"}
EXPECTED: dict[str, Any] = becomes({"audit": {"user_id": 1}})["document"]


def verdict(ours: dict[str, Any], theirs: dict[str, Any], **changes: Any) -> tuple[str, str | None]:
    return compare({**EXPECTED, "actor": ours}, {"_id": 1, **EXPECTED, "actor": theirs, **changes})


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (LIVE, LIVE, ("identical", None)),
        (LIVE, DELETED, ("identical", "actor_degraded")),
        (DELETED, LIVE, ("identical", "actor_unverified")),
        (LIVE, {"id": "v", "name": "U"}, ("different", None)),
        (LIVE, {"id": "u", "name": "V"}, ("different", None)),
        (LIVE, {"id": "x", "name": "[Deleted CRM User]"}, ("different", None)),
        (LIVE, {}, ("different", None)),
    ],
)
def test_actors_are_judged_apart(ours: dict[str, Any], theirs: dict[str, Any], expected: tuple[str, Any]) -> None:
    assert verdict(ours, theirs) == expected


@pytest.mark.parametrize("key", [key for key in EXPECTED if key != "actor"])
def test_every_other_key_counts(key: str) -> None:
    assert verdict(LIVE, LIVE, **{key: "something else"}) == ("different", None)
    without = {name: value for name, value in EXPECTED.items() if name != key}
    assert compare(EXPECTED, without)[0] == "different"
    assert verdict(LIVE, LIVE, more=1)[0] == "different"


def test_enrichment_makes_no_difference_but_a_changed_key_does() -> None:
    given = {key: value for key, value in EXPECTED["metadata"].items() if key != "entity_name"}
    expected = {**EXPECTED, "metadata": given}
    assert compare(expected, {**expected, "metadata": {**given, "entity_name": "N"}}) == ("identical", None)
    assert compare(expected, {**expected, "metadata": {**given, "entity_id": "6"}})[0] == "different"
    assert compare(expected, {**expected, "metadata": {**given, "colour": "red"}})[0] == "different"
    assert compare(expected, {**expected, "metadata": None})[0] == "different"


def test_what_is_lost_of_a_given_name_is_a_difference() -> None:
    metadata = {key: value for key, value in EXPECTED["metadata"].items() if key != "entity_name"}
    assert verdict(LIVE, LIVE, metadata=metadata)[0] == "different"
