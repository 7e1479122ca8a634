"""The time of one tick."""

from cdp_pipelines.pipelines.budget import TICK_SECONDS, Budget


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_is_spent_when_its_time_is_over() -> None:
    clock = Clock()
    budget = Budget(clock=clock)
    assert (budget.left(), budget.spent()) == (TICK_SECONDS, False)
    clock.now += TICK_SECONDS - 0.5
    assert not budget.spent()
    clock.now += 0.5
    assert budget.spent()
    clock.now += 100
    assert budget.left() == 0.0


def test_a_part_is_never_more_than_what_is_left() -> None:
    clock = Clock()
    budget = Budget(30, clock=clock)
    part = budget.part(20)
    clock.now += 15
    assert (part.left(), budget.left()) == (5.0, 15.0)
    assert budget.part(20).left() == 15.0


def test_a_tick_ends_well_before_dagster_gives_it_up() -> None:
    assert TICK_SECONDS <= 40
