from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cdp_pipelines.domain.reconciliation import (
    LISTED_IDS,
    Pair,
    Tally,
    content_digest,
    is_flagged_deleted,
    merged,
)

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


@pytest.mark.parametrize("left", [[], [1], [2], [1, 2], [1, 3], [2, 4], [1, 2, 3], [4, 5], [0, 3, 9]], ids=str)
@pytest.mark.parametrize("right", [[], [1], [2], [1, 2], [1, 3], [2, 4], [1, 2, 3], [4, 5], [0, 3, 9]], ids=str)
def test_every_id_of_either_side_comes_once_in_order(left: list[int], right: list[int]) -> None:
    pairs = list(merged([(number, f"l{number}") for number in left], [(number, f"r{number}") for number in right]))
    assert pairs == [
        Pair(number, f"l{number}" if number in left else None, f"r{number}" if number in right else None)
        for number in sorted({*left, *right})
    ]


@pytest.mark.parametrize("flag", ["is_deleted", "deleted", "deleted_at"])
def test_which_documents_are_flagged_deleted(flag: str) -> None:
    assert is_flagged_deleted({"a": 1, flag: True})
    assert is_flagged_deleted({flag: AT})
    assert not any(is_flagged_deleted({flag: value}) for value in (None, False, 0, "", "true", 1))
    assert not is_flagged_deleted({f"{flag}_by": True})


def test_a_tally_comes_back_from_its_document_with_every_count() -> None:
    tally = Tally(9, 1, 2, 3, 4, 5, 6, 7, 8)
    tally.note("late")
    tally.note("late", 4)
    tally.note("odd", 2)
    tally.list("degraded", "x")
    document = tally.as_document()
    assert document == {
        "source": 9, "skipped_by_rule": 1, "eligible": 8, "identical": 2, "changed_since": 3, "different": 4,
        "missing": 5, "extra": 6, "degraded": 7, "mended": 8, "match_pct": 62.5, "accuracy_pct": 55.55,
        "notes": {"late": 5, "odd": 2}, "ids": {"degraded": ["x"]},
    }  # fmt: skip
    assert Tally.from_document(document) == tally
    assert Tally.from_document({"source": 3, "missing": None, "ids": {"missing": [5]}}) == Tally(
        source=3, ids={"missing": ["5"]}
    )


def test_a_digest_takes_what_json_has_no_word_for_and_every_letter() -> None:
    assert len(content_digest({})) == 16
    digests = [content_digest({"a": value}) for value in ("é", "\ud800", "😀", {"b": [AT]}, {1}, b"x")]
    assert len(set(digests)) == len(digests)
