from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.comparison import compare, mending
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


BEGAN = datetime(2024, 6, 1, tzinfo=UTC)
LATER = BEGAN + timedelta(days=1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"attributes": [], "updated_at": LATER}, "changed_since"),
        ({"updated_at": LATER}, "changed_since"),
        ({"is_deleted": True}, "changed_since"),
        ({"deleted_at": LATER, "action": "x"}, "changed_since"),
        ({"deleted": True}, "changed_since"),
        ({"actor": {"id": "v", "name": "V"}, "updated_at": LATER}, "changed_since"),
        # Proves nothing: before the first migration, at its very start, no instant, no flag that is set.
        ({"attributes": [], "updated_at": BEGAN}, "different"),
        ({"attributes": [], "updated_at": BEGAN - timedelta(days=1)}, "different"),
        ({"attributes": [], "updated_at": "2030-01-01"}, "different"),
        ({"attributes": []}, "different"),
        ({"is_deleted": False}, "different"),
        ({"is_deleted": "yes"}, "different"),
        ({"deleted_at": None}, "different"),
    ],
)
def test_what_people_changed_since_is_told_by_what_a_migration_never_writes(
    changes: dict[str, Any], expected: str
) -> None:
    ours = {**EXPECTED, "actor": LIVE}
    assert compare(ours, {**ours, **changes}, migrated_since=BEGAN) == (expected, None)


def test_without_a_first_migration_only_flags_prove_anything() -> None:
    ours = {**EXPECTED, "actor": LIVE}
    assert compare(ours, {**ours, "attributes": [], "updated_at": LATER})[0] == "different"
    assert compare(ours, {**ours, "is_deleted": True})[0] == "changed_since"


@pytest.mark.parametrize(
    ("ours", "changes", "expected"),
    [
        (LIVE, {"actor": DELETED}, {"actor": LIVE}),
        # Enriched meanwhile, which makes no difference.
        (LIVE, {"actor": DELETED, "metadata": {**EXPECTED["metadata"], "entity_name": "New"}}, {"actor": LIVE}),
        (LIVE, {"actor": LIVE}, None),
        (LIVE, {"actor": {"id": "v", "name": "V"}}, None),
        (LIVE, {"actor": {"id": "", "name": "Qontak System"}}, None),
        (LIVE, {"actor": None}, None),
        # Nobody who is known now, or not otherwise as the row says.
        (DELETED, {"actor": DELETED}, None),
        ({"id": "", "name": "Qontak System"}, {"actor": DELETED}, None),
        (LIVE, {"actor": DELETED, "attributes": []}, None),
        (LIVE, {"actor": DELETED, "updated_at": LATER}, None),
        (LIVE, {"actor": DELETED, "is_deleted": True}, None),
    ],
)
def test_only_an_actor_whom_an_outage_left_unknown_is_mended(
    ours: dict[str, Any], changes: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    row = {**EXPECTED, "actor": ours}
    assert mending(row, {"_id": 1, **row, **changes}) == expected
