"""An alert that the webhook does not take is kept, and told by a later sweep; told once, whoever sweeps."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from cdp_pipelines.local.api_records import ALERTS
from cdp_pipelines.pipelines.alerting import alert_once, repeat_alerts
from cdp_pipelines.pipelines.budget import Budget
from cdp_pipelines.resources.alerts import AlertSender
from cdp_pipelines.stores.alert_causes import REMEMBERED_DAYS, SENDING_SECONDS, AlertCauses
from cdp_pipelines_tests.integration.resources.http_servers import closed_port
from cdp_pipelines_tests.support.apis import RecordedApis

pytestmark = pytest.mark.any_mongo
Db = Database[dict[str, Any]]


class Duty:
    """The services that alerts need, with a clock that the test moves on."""

    def __init__(self, db: Db, url: str) -> None:
        self.alert_causes = AlertCauses(db)
        self.url, self.ahead = url, timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def alerts(self) -> AlertSender:
        return AlertSender(webhook_url=self.url, timeout_seconds=2, retry_wait_seconds=0)

    def sweep(self, *, after: int = 0) -> list[str]:
        self.ahead += timedelta(seconds=after)
        return repeat_alerts(self, Budget())


@pytest.fixture
def duty(mongo_db: Db, stack_env: dict[str, str]) -> Duty:
    return Duty(mongo_db, stack_env["CDP_ALERT_WEBHOOK_URL"])


def told(http_apis: RecordedApis, text: str) -> int:
    """How often it was taken."""
    return sum(alert.body["text"] == text and alert.status == 200 for alert in http_apis.alerts())


def test_a_webhook_that_fails_once_is_told_by_the_next_sweep(duty: Duty, http_apis: RecordedApis, mongo_db: Db) -> None:
    http_apis.fail(ALERTS, status=500, times=2)
    alert_once(duty, "export_failed:1", "one", request_id="r-1")
    assert told(http_apis, "one") == 0
    assert duty.sweep(after=15) == ["alert export_failed:1 delivered at try 2"]
    assert told(http_apis, "one") == 1
    # Told is told: neither a later sweep nor the cause itself says it again, and its text is gone.
    assert duty.sweep(after=3600) == []
    alert_once(duty, "export_failed:1", "one")
    assert told(http_apis, "one") == 1
    (cause,) = mongo_db["alert_causes"].find()
    assert (cause["state"], cause.get("text"), cause.get("request_id")) == ("told", None, None)


def test_a_receiver_that_is_away_is_asked_once_a_sweep(duty: Duty, http_apis: RecordedApis) -> None:
    url, duty.url = duty.url, f"http://127.0.0.1:{closed_port()}/"
    for number in range(3):
        alert_once(duty, f"c-{number}", f"text {number}")
    assert [len(duty.sweep(after=15)) for _ in range(2)] == [1, 1]
    duty.url = url
    assert len(duty.sweep(after=15)) == 3
    assert [told(http_apis, f"text {number}") for number in range(3)] == [1, 1, 1]


def test_who_died_between_keeping_and_sending_is_replaced(duty: Duty, http_apis: RecordedApis) -> None:
    assert duty.alert_causes.first_time("halted:1", now=duty.now(), text="halted")
    assert duty.sweep(after=SENDING_SECONDS - 5) == []
    assert len(duty.sweep(after=10)) == 1
    assert told(http_apis, "halted") == 1


def test_two_sweepers_at_once_tell_it_once(duty: Duty, http_apis: RecordedApis) -> None:
    duty.alert_causes.first_time("both", now=duty.now(), text="both")
    duty.ahead = timedelta(seconds=2 * SENDING_SECONDS)
    with ThreadPoolExecutor(8) as pool:
        lines = list(pool.map(lambda _: repeat_alerts(duty, Budget()), range(8)))
    assert sum(len(each) for each in lines) == 1
    assert told(http_apis, "both") == 1


def test_one_that_is_refused_for_good_keeps_no_other_waiting(duty: Duty, http_apis: RecordedApis) -> None:
    http_apis.fail(ALERTS, status=400, times=1)
    alert_once(duty, "bad", "bad")
    alert_once(duty, "good", "good")
    assert told(http_apis, "good") == 1
    assert duty.sweep(after=15) == ["alert bad delivered at try 2"]


def test_without_a_webhook_the_log_is_told(duty: Duty, mongo_db: Db) -> None:
    duty.url = ""
    alert_once(duty, "quiet", "quiet")
    (cause,) = mongo_db["alert_causes"].find()
    assert cause["state"] == "told"
    assert duty.sweep(after=3600) == []


def test_causes_of_an_earlier_version_count_as_told(duty: Duty, mongo_db: Db) -> None:
    mongo_db["alert_causes"].insert_one({"_id": "old", "at": duty.now()})
    alert_once(duty, "old", "old")
    assert duty.sweep(after=3600) == []


def test_a_week_begins_when_it_was_told(duty: Duty, mongo_db: Db) -> None:
    duty.alert_causes.first_time("late", now=duty.now(), text="late")
    duty.sweep(after=86_400)
    (cause,) = mongo_db["alert_causes"].find()
    assert cause["expires_at"] - cause["at"] == timedelta(days=REMEMBERED_DAYS)


def test_no_time_left_tells_nothing(duty: Duty) -> None:
    duty.alert_causes.first_time("x", now=duty.now(), text="x")
    duty.ahead = timedelta(hours=1)
    assert repeat_alerts(duty, Budget(0)) == []
