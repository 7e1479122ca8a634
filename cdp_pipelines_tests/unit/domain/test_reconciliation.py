from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cdp_pipelines.domain.reconciliation import LISTED_IDS, Tally, content_digest, merged

AT = datetime(2024, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def test_failed_rows_count_as_not_matching() -> None:
    tally = Tally(source=10, skipped_by_rule=2, identical=6, missing=1, different=1)
    assert (tally.eligible, tally.match_pct, tally.accuracy_pct) == (8, 75.0, 85.71)


def test_of_nothing_to_match_there_is_no_share() -> None:
    assert (Tally(source=4, skipped_by_rule=4).match_pct, Tally().match_pct, Tally().accuracy_pct) == (None,) * 3
    assert (Tally(source=2, missing=2).match_pct, Tally(source=2, missing=2).accuracy_pct) == (0.0, None)


def test_what_people_changed_since_matches_and_is_told_apart() -> None:
    tally = Tally(source=4)
    for verdict in ("identical", "changed_since", "changed_since", "different"):
        tally.count(verdict, "x")
    assert (tally.match_pct, tally.accuracy_pct, tally.changed_since) == (75.0, 75.0, 2)
    assert tally.ids == {"changed_since": ["x", "x"], "different": ["x"]}
    assert Tally.from_document(tally.as_document()) == tally


def test_ids_are_listed_up_to_a_bound_and_counted_beyond() -> None:
    tally = Tally()
    for number in range(LISTED_IDS + 5):
        tally.count("missing", str(number))
    tally.count("identical", "x")
    assert (tally.missing, tally.identical, len(tally.ids["missing"]), "identical" in tally.ids) == (
        LISTED_IDS + 5, 1, LISTED_IDS, False,
    )  # fmt: skip


@pytest.mark.parametrize("document", [None, {}])
def test_an_empty_tally(document: Any) -> None:
    assert Tally.from_document(document) == Tally()


def test_streams_are_read_one_item_at_a_time() -> None:
    read: list[int] = []

    def stream() -> Any:
        for number in range(100):
            read.append(number)
            yield number, "x"

    pairs = merged(stream(), iter([(0, "y")]))
    assert next(pairs).stored == "y"
    assert len(read) <= 2


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": AT}, {"a": AT + timedelta(microseconds=999)}, True),
        ({"a": AT}, {"a": AT + timedelta(milliseconds=1)}, False),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": None}, {}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": "é"}, {"a": "e\u0301"}, False),
    ],
)
def test_what_a_digest_tells_apart(left: dict[str, Any], right: dict[str, Any], same: bool) -> None:
    assert (content_digest(left) == content_digest(right)) is same


def test_an_instant_read_in_another_zone_is_another_text_so_both_sides_must_be_utc() -> None:
    jakarta = AT.astimezone(timezone(timedelta(hours=7)))
    assert content_digest({"a": jakarta.astimezone(UTC)}) == content_digest({"a": AT})
