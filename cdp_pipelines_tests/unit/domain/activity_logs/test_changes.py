from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.changes import field_changes, latest_value, storable

INF = float("inf")


@pytest.mark.parametrize(
    ("value", "action", "latest"),
    [
        ([1, 2], "update", 2), ([1, None], "update", 1), ([None, None], "update", None), ([1], "update", [1]),
        (1, "update", 1), (None, "update", None), ([1, 2], "create", [1, 2]), ([1, 2], "destroy", [1, 2]),
        ([1, 2, 3], "update", [1, 2, 3]), ("ab", "update", "ab"),
    ],
)  # fmt: skip
def test_what_an_attribute_was_after_the_audit(value: Any, action: str, latest: Any) -> None:
    assert latest_value(value, action) == latest


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None), (True, True), (0, 0), (-(2**63), -(2**63)), (2**63 - 1, 2**63 - 1), (2**63, str(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)), (1.5, 1.5), (INF, "inf"), (-INF, "-inf"), (float("nan"), "nan"),
        ("a\0b", "a\0b"), ([2**70, [INF]], [str(2**70), ["inf"]]), ({"a\0": {1: 2**70}}, {"a": {"1": str(2**70)}}),
        (date(2024, 3, 1), "2024-03-01"), (datetime(2024, 3, 1, tzinfo=UTC), "2024-03-01T00:00:00+00:00"),
        (Decimal("1.50"), "1.50"), (b"ab", "b'ab'"),
    ],
)  # fmt: skip
def test_values_become_what_bson_holds(value: Any, stored: Any) -> None:
    found = storable(value)
    assert found == stored
    assert type(found) is type(stored)


def test_a_bool_is_no_number() -> None:
    assert storable(True) is True


def test_changes_keep_the_order_of_the_source_and_get_their_labels() -> None:
    changes = {"zeta": [1, 2], "name": "Old", "alpha": [None, None]}
    assert field_changes(changes, "update", {"name": "Name"}) == [
        {"field": "zeta", "from": 1, "to": 2},
        {"field": "Name", "from": None, "to": "Old"},
        {"field": "alpha", "from": None, "to": None},
    ]
    assert field_changes(changes, "destroy", {})[1] == {"field": "name", "from": "Old", "to": None}
    assert field_changes(changes, "create", {})[0] == {"field": "zeta", "from": None, "to": [1, 2]}
    assert field_changes({}, "update", {}) == []
