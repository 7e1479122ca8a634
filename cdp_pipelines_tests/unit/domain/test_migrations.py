import pytest

from cdp_pipelines.domain.migrations import Counts, ShardRange, added, halts, percent, ranges_up_to, shard_ranges

LIMIT = 0.10


def failed(number: int, of: int) -> Counts:
    return Counts(migrated=of - number, failed=number)


@pytest.mark.parametrize(
    ("total", "since", "expected"),
    [
        (failed(1, 10), Counts(), False),
        (failed(11, 100), Counts(), True),
        # Of a few rows a rate says nothing: the floor is a hundred.
        (failed(1, 1), Counts(), False),
        (failed(1, 50), Counts(), False),
        (failed(99, 99), Counts(), False),
        (failed(11, 99), Counts(), False),
        (failed(100, 100), Counts(), True),
        (Counts(), Counts(), False),
        # Going on after a halt: what failed before is forgiven, what fails now is not.
        (failed(20, 110), failed(20, 100), False),
        (failed(22, 110), failed(20, 100), True),
        # Going on after a crash: a bad first page is no bad migration.
        (failed(2, 1_007), failed(1, 1_000), False),
        (failed(20, 100), failed(20, 100), False),
    ],
)
def test_it_halts_above_the_limit_of_all_and_of_those_since_the_start(
    total: Counts, since: Counts, expected: bool
) -> None:
    assert halts(total, since, limit=LIMIT) is expected


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [(0, 0, None), (0, -1, None), (0, 3, 0.0), (3, 3, 100.0), (2, 3, 66.66), (99_999, 100_000, 99.99)],
)
def test_a_share_is_100_only_of_all_and_of_nothing_none(part: int, whole: int, share: float | None) -> None:
    assert percent(part, whole) == share


def test_counts_add_and_subtract_by_name() -> None:
    one = Counts(2, {"a": 1, "b": 2}, 1, {"n": 1})
    two = Counts(1, {"b": 1}, 0, {"m": 3})
    assert one + two == Counts(3, {"a": 1, "b": 3}, 1, {"n": 1, "m": 3})
    assert (one + two) - two == one
    assert one.processed == 6
    assert added({"a": 1}, {"a": -1}) == {}


@pytest.mark.parametrize(
    ("first", "last", "shards", "ranges"),
    [
        (1, 10, 1, [(0, 10)]), (1, 10, 0, [(0, 10)]), (5, 5, 8, [(4, 5)]), (1, 3, 2, [(0, 1), (1, 3)]), (5, 4, 3, []),
    ],
)  # fmt: skip
def test_ranges(first: int, last: int, shards: int, ranges: list[tuple[int, int]]) -> None:
    assert shard_ranges(first, last, shards) == [ShardRange(*edges) for edges in ranges]


@pytest.mark.parametrize(
    ("first", "uppers", "last", "ranges"),
    [
        # Seven rows close together, two far away: the edges lie where the rows are.
        (1, [3, 5], 900, [(0, 3), (3, 5), (5, 900)]),
        (5, [5], 6, [(4, 5), (5, 6)]),
        # Of more shards than rows, and of rows added meanwhile, nothing is lost and nothing is empty.
        (1, [1, 1, 2, 2], 2, [(0, 1), (1, 2)]),
        (1, [7, 0, 9, 12], 9, [(0, 7), (7, 9)]),
        (3, [], 3, [(2, 3)]),
        (-5, [-2], 4, [(-6, -2), (-2, 4)]),
    ],
)
def test_ranges_up_to_given_ids(first: int, uppers: list[int], last: int, ranges: list[tuple[int, int]]) -> None:
    assert ranges_up_to(first, uppers, last) == [ShardRange(*edges) for edges in ranges]
