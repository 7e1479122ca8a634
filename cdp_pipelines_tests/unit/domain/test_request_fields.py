"""Whose a field is: what was asked stands, what is ours is believed only where it can be."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from cdp_pipelines.domain.request_fields import RequestFields
from cdp_pipelines.stores.entity_exports import FIELDS as ENTITY
from cdp_pipelines.stores.export_jobs import FIELDS as CONTACT
from cdp_pipelines.stores.migration_requests import FIELDS as MIGRATION

NOW = datetime(2024, 5, 1, tzinfo=UTC)
EVERY = pytest.mark.parametrize("fields", [CONTACT, ENTITY, MIGRATION], ids=["contact", "entity", "migration"])


@EVERY
def test_no_field_is_both_theirs_and_ours(fields: RequestFields) -> None:
    assert not fields.asked & fields.ours.keys()
    assert fields.neutral.keys() <= fields.ours.keys()
    assert fields.filled <= fields.asked
    assert not {"_id", "status", "cancel_requested"} & (fields.asked | fields.ours.keys())


@EVERY
@given(st.data())
def test_later_edits_change_nothing_that_was_asked(fields: RequestFields, data: st.DataObject) -> None:
    junk = st.one_of(
        st.none(), st.integers(), st.text(), st.lists(st.integers()), st.dictionaries(st.text(), st.text())
    )
    asked = {name: f"asked {name}" for name in fields.asked}
    edited = data.draw(st.dictionaries(st.sampled_from(sorted(fields.asked | fields.ours.keys() | {"extra"})), junk))
    joined = fields.joined({"_id": 1, "status": "s", "cancel_requested": True, **edited}, asked)
    assert {name: joined[name] for name in fields.asked} == asked
    assert (joined["_id"], joined["status"], joined["cancel_requested"]) == (1, "s", True)
    assert "extra" not in joined


@pytest.mark.parametrize(
    ("name", "believed", "not_believed"),
    [
        ("success_count", 5, "n/a"), ("success_count", 0, -1), ("success_count", 2**40, 2**60),
        ("success_count", 1, True),
        ("attempt", 1, "x"), ("started_at", NOW, DatetimeMS(2**62)), ("started_at", NOW, datetime(2024, 5, 1)),  # noqa: DTZ001
        ("launch", {"token": "t", "at": NOW, "expires_at": NOW}, "soon"),
        ("launch", {"token": "t", "at": NOW, "expires_at": NOW}, {"token": "t", "at": NOW, "expires_at": [NOW]}),
        ("lease", {"owner_run_id": "r", "expires_at": NOW}, {"owner_run_id": {"$ne": 1}, "expires_at": NOW}),
        ("object_key", "k", ["k"]), ("warnings", ["w"], [1]), ("result", {"key": "k", "url": "u"}, {"key": ["k"]}),
        ("result", {"key": "k", "size_bytes": 5}, {"key": "k", "size_bytes": "5"}), ("truncated", True, "yes"),
    ],
)  # fmt: skip
def test_what_cannot_be_ours_is_left_out(name: str, believed: Any, not_believed: Any) -> None:
    assert CONTACT.believed({"_id": 1, name: believed}) == {"_id": 1, name: believed}
    assert CONTACT.believed({"_id": 1, name: not_believed}) == {"_id": 1}
    assert CONTACT.believed({"_id": 1, name: None}) == {"_id": 1, name: None}
