"""Whether the live feed has what the migration left to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.watermark import FeedMark, feed_mark, not_recorded

AT = datetime(2024, 7, 1, 12, 0, 0, 500_000, tzinfo=UTC)
CUSTOMER = "c" * 24
MARK = FeedMark(7, CUSTOMER, AT, "deal", "update", "5")
RECORD: dict[str, Any] = {
    "customer_id": CUSTOMER, "category": "deal", "action": "update", "timestamp": AT, "metadata": {"entity_id": "5"},
}  # fmt: skip


def missing(mark: FeedMark, *records: dict[str, Any]) -> bool:
    return not_recorded([mark], {CUSTOMER: records}, tolerance_seconds=2.0) == {7}


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({}, False),
        ({"timestamp": AT + timedelta(seconds=2)}, False),
        ({"timestamp": AT - timedelta(seconds=2)}, False),
        ({"metadata": {}}, False),
        ({"metadata": None}, False),
        ({"metadata": {"entity_id": 5}}, False),
        ({"timestamp": AT + timedelta(seconds=2, milliseconds=1)}, True),
        ({"timestamp": "2024-07-01"}, True),
        ({"timestamp": None}, True),
        ({"action": "create"}, True),
        ({"category": "ticket"}, True),
        ({"metadata": {"entity_id": "6"}}, True),
    ],
)
def test_a_record_stands_for_an_audit_or_leaves_a_gap(changes: dict[str, Any], *, gap: bool) -> None:
    assert missing(MARK, {**RECORD, **changes}) is gap


def test_no_record_at_all_or_another_customers_is_a_gap() -> None:
    assert missing(MARK)
    assert not_recorded([MARK], {"d" * 24: [RECORD]}, tolerance_seconds=2.0) == {7}
    assert not_recorded([], {CUSTOMER: [RECORD]}, tolerance_seconds=2.0) == set()


def test_one_of_many_records_is_enough_and_each_audit_is_judged_by_itself() -> None:
    other = MARK._replace(audit_id=8, timestamp=AT + timedelta(days=1))
    records = [{**RECORD, "action": "create"}, RECORD]
    assert not_recorded([MARK, other], {CUSTOMER: records}, tolerance_seconds=2.0) == {8}


def test_of_changes_that_cannot_be_read_only_customer_and_time_are_known() -> None:
    mark = feed_mark(7, CUSTOMER, AT.replace(microsecond=500_999), None)
    assert (mark.timestamp, mark.action) == (AT, None)
    assert not missing(mark, {**RECORD, "action": "whatever"})
    assert missing(mark, {**RECORD, "timestamp": AT + timedelta(minutes=1)})


def test_a_mark_is_made_of_the_document_that_the_migration_would_have_written() -> None:
    document = {"category": "task", "action": "create", "metadata": {"entity_id": "9"}}
    assert feed_mark(7, CUSTOMER, AT, document) == FeedMark(7, CUSTOMER, AT, "task", "create", "9")
    assert feed_mark(7, CUSTOMER, AT, {**document, "metadata": {}}).entity_id == ""
