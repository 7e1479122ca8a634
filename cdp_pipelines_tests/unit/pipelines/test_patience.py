"""How long an outage is waited for, by a clock of the test's own."""

import pytest

from cdp_pipelines.domain.errors import OUTAGES, PermanentFailure, TransientFailure, is_outage
from cdp_pipelines.pipelines.migrations.patience import LONGEST_WAIT_SECONDS, Outage, outwaiting


class Time:
    def __init__(self) -> None:
        self.now, self.slept = 1_000.0, list[float]()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def outage(patience: float) -> tuple[Outage, Time]:
    time = Time()
    return Outage(patience, clock=time.clock, sleep=time.sleep), time


def test_patience_is_spent_to_the_second_and_not_beyond() -> None:
    waiting, time = outage(300)
    while waiting.waited():
        pass
    assert sum(time.slept) == 300
    assert max(time.slept) == LONGEST_WAIT_SECONDS
    assert time.slept[:4] == [1, 2, 4, 8]


def test_what_takes_long_to_fail_is_part_of_the_outage() -> None:
    waiting, time = outage(100)
    waiting.begins()
    time.now += 99
    assert waiting.waited()
    assert time.slept == [1]
    assert not waiting.waited()


def test_the_next_outage_has_the_whole_patience_again() -> None:
    waiting, time = outage(10)
    while waiting.waited():
        pass
    waiting.over()
    time.slept.clear()
    while waiting.waited():
        pass
    assert sum(time.slept) == 10


def test_without_patience_nothing_is_waited_for() -> None:
    waiting, time = outage(0)
    assert not waiting.waited()
    assert time.slept == []


@pytest.mark.parametrize("code", sorted(OUTAGES))
def test_what_is_away_is_an_outage(code: str) -> None:
    assert is_outage(TransientFailure(code, "away"))
    assert not is_outage(PermanentFailure(code, "refused"))


@pytest.mark.parametrize("code", ["CRM_TIMEOUT", "RUN_DIED", "RUN_CANCELED", "LAUNCHPAD_UNAVAILABLE"])
def test_what_waiting_does_not_mend_is_none(code: str) -> None:
    assert not is_outage(TransientFailure(code, "no"))
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise TransientFailure(code, "no")

    with pytest.raises(TransientFailure):
        outwaiting(300, work)
    assert tries == [1]


def test_work_is_done_again_until_the_outage_is_over() -> None:
    answers = [TransientFailure("CRM_UNAVAILABLE", "away"), None]

    def work() -> str:
        failure = answers.pop(0)
        if failure is not None:
            raise failure
        return "done"

    assert outwaiting(30, work) == "done"
