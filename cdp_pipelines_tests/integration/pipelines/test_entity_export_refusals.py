"""Refused exports tell whoever asked, as any other end does; schedules that cannot run say so, and harm no other."""

from datetime import timedelta
from typing import Any

import pytest

from cdp_pipelines.domain.entity_export.schedules import MOST_REFUSALS
from cdp_pipelines_tests.integration.pipelines.entity_harness import Document, EntityExportsOf
from cdp_pipelines_tests.integration.resources.http_servers import recording_server

pytestmark = [pytest.mark.any_mongo, pytest.mark.timeout(240)]


def address(entities: EntityExportsOf) -> str:
    """The mailbox is everybody's, so each test has an address of its own."""
    return f"ann.{entities.company}@example.com"


REFUSED: dict[str, Document] = {
    "object": {"exported_object": "coupon"},
    "no object": {"exported_object": None},
    "format": {"parameters": {"format": "PDF"}},
    "compression": {"parameters": {"compression": "zip"}},
    "sheet that is packed": {"parameters": {"format": "XLSX", "compression": "gzip"}},
    "field": {"parameters": {"fields": ["nope"]}},
    "fields of no kind": {"parameters": {"fields": "id"}},
    "order": {"parameters": {"order": "nope"}},
    "filter": {"parameters": {"filters": {"nope": 1}}},
    "operator": {"parameters": {"filters": {"status": {"conditions": {"$where": "1"}}}}},
    "campaigns": {"parameters": {"campaign_ids": ["c"]}},
    "zone": {"parameters": {"timezone": "Mars/Base"}},
    "unknown parameter": {"parameters": {"nope": 1}},
    "parameters of no kind": {"parameters": [1]},
    "template": {"template": "gone"},
    "channel": {"channel": "FAX"},
    "id": {"id": "exp_" + "x" * 100},
    "id of no kind": {"id": 5},
    "user of no kind": {"user_sso_id": {"a": 1}},
    "status": {"status": "QUEUED"},
    "instant": {"created_at": "today"},
    "hostile end": {"exported_object": "x", "result": "text", "exported_as": 5, "warnings": "w", "schedule_name": {}},
}


def test_every_refusal_is_told_by_mail_webhook_and_alert_once(make_entities: Any) -> None:
    with recording_server() as server:
        entities: EntityExportsOf = make_entities(trusted_hosts=server.url.split("/")[2])
        for changes in REFUSED.values():
            entities.queue(**{"email": address(entities), "webhook": {"url": server.url}, "locale": "id", **changes})
        assert entities.tick() == []
        # A tick tells nobody: a receiver that hangs must not hold it up.
        assert server.asked == []
        for _ in range(3):
            entities.sweep()
        documents = list(entities.db["exports"].find({"company_sso_id": entities.company}))
        assert [document["status"] for document in documents] == ["ERROR"] * len(REFUSED)
        assert not any("notices_pending" in document for document in documents)
        told = sorted(asked.json()["data"]["error"]["code"] for asked in server.asked)
        assert told == sorted(document["error"]["code"] for document in documents)
        assert len({asked.headers["webhook-id"] for asked in server.asked}) == len(REFUSED)
        mails = entities.mails_to(address(entities))
        assert (len(mails), {"gagal" in mail.subject for mail in mails}) == (len(REFUSED), {True})
        alerts = [cause["_id"] for cause in entities.db["alert_causes"].find() if "export_failed" in str(cause)]
        assert len(alerts) == len(REFUSED)


def test_a_request_of_no_company_is_told_too(entities: EntityExportsOf) -> None:
    export_id = entities.queue(company_sso_id="nobody", email=address(entities))
    entities.tick()
    entities.sweep()
    assert entities.db["exports"].find_one({"id": export_id})["error"]["code"] == "company_not_found"  # type: ignore[index]
    assert len(entities.mails_to(address(entities))) == 1


def test_a_webhook_that_may_not_be_used_is_not_called_for_its_refusal(make_entities: Any) -> None:
    with recording_server() as server:
        entities: EntityExportsOf = make_entities()
        export_id = entities.queue(webhook={"url": server.url}, email=address(entities))
        entities.tick()
        entities.sweep()
        assert entities.document(export_id)["error"]["details"]["where"] == "webhook.url"
        assert server.asked == []
        assert len(entities.mails_to(address(entities))) == 1


def add_schedule(entities: EntityExportsOf, name: str, **changes: Any) -> None:
    schedule: Document = {
        "_id": f"sch_{name}_{entities.company}",
        "company_sso_id": entities.company,
        "name": name,
        "exported_object": "order",
        "parameters": {},
        "cron": "30 2 * * *",
        "timezone": "Asia/Jakarta",
        "user_sso_id": "user-1",
        "email": address(entities),
        "enabled": True,
        "next_run_at": entities.services().now() - timedelta(minutes=1),
        **changes,
    }
    entities.db["export_schedules"].insert_one({key: value for key, value in schedule.items() if value is not ...})


def schedule_of(entities: EntityExportsOf, name: str) -> Document:
    found = entities.db["export_schedules"].find_one({"_id": f"sch_{name}_{entities.company}"})
    assert found is not None
    return found


def one_more_night(entities: EntityExportsOf, name: str, night: int) -> list[Any]:
    due = {"$set": {"next_run_at": entities.services().now() - timedelta(minutes=60 - night)}}
    entities.db["export_schedules"].update_one({"name": name, "enabled": True}, due)
    launched = entities.tick() + entities.tick()
    entities.sweep()
    return launched


def test_a_schedule_that_is_refused_three_times_in_a_row_is_switched_off_and_its_owner_told(
    entities: EntityExportsOf,
) -> None:
    add_schedule(entities, "gone", template="gone", locale="id", cron="0 0 1 1 *")
    for night in range(2):
        one_more_night(entities, "gone", night)
    assert (schedule_of(entities, "gone")["enabled"], schedule_of(entities, "gone")["refused"]) == (True, 2)
    # A night that can be exported begins the count anew.
    entities.services().templates.save(
        entities.company, "gone", exported_object="order", parameters={}, saved_by="u", now=entities.services().now()
    )
    (request,) = one_more_night(entities, "gone", 2)
    assert entities.run(request).success
    assert schedule_of(entities, "gone")["refused"] == 0
    entities.services().templates.remove(entities.company, "gone")
    for night in range(3, 3 + MOST_REFUSALS + 2):
        one_more_night(entities, "gone", night)
    off = schedule_of(entities, "gone")
    assert (off["enabled"], off["error"]["code"]) == (False, "schedule_refused")
    failed = [mail for mail in entities.mails_to(address(entities)) if "gagal" in mail.subject]
    assert len(failed) == 2 + MOST_REFUSALS
    # The last of them says what becomes of the schedule.
    assert sum("Jadwal dinonaktifkan" in mail.text() for mail in failed) == 1
    assert entities.db["alert_causes"].count_documents({"_id": {"$regex": "^schedule_off:"}}) == 1


BROKEN: dict[str, Document] = {
    "no cron": {"cron": None},
    "a cron that never comes": {"cron": "0 0 30 2 *", "next_run_at": ...},
    "a zone that is none": {"timezone": "Mars/Base"},
    "no telling whether on": {"enabled": "yes"},
    "nothing of it": {"enabled": ..., "cron": ..., "timezone": ..., "next_run_at": ...},
    "too often": {"cron": "* * * * *", "next_run_at": None},
    "hostile": {"cron": {"$gt": ""}, "timezone": ["UTC"], "next_run_at": {"a": [1]}, "parameters": "x", "locale": {}},
}
WAITING: dict[str, Document] = {
    "no next": {"next_run_at": ...},
    "null next": {"next_run_at": None},
    "a text": {"next_run_at": "2024-01-01T00:00:00Z"},
    "a number": {"next_run_at": 5.5},
    "a list": {"next_run_at": [5]},
    "in ages": {"next_run_at": timedelta(days=900_000)},
    "yearly, in ages": {"next_run_at": timedelta(days=800), "cron": "0 0 1 1 *"},
}


def test_schedules_that_wait_for_nothing_are_given_their_time_or_say_why_not(entities: EntityExportsOf) -> None:
    now = entities.services().now()
    for name, changes in (BROKEN | WAITING).items():
        waits_for = changes.get("next_run_at", ...)
        at = now + waits_for if isinstance(waits_for, timedelta) else waits_for
        due = {"next_run_at": at} if "next_run_at" in changes else {}
        add_schedule(entities, name, **{**changes, **due})
    add_schedule(entities, "leap day", cron="0 0 29 2 *", next_run_at=now.replace(year=2028, month=2, day=28, hour=17))
    add_schedule(entities, "good")
    # One that cannot even be switched off by the rules is no reason to leave out the good one.
    assert len(entities.tick()) == 1
    wrong = [name for name in BROKEN if schedule_of(entities, name)["enabled"] is not False]
    assert wrong == []
    assert all(schedule_of(entities, name)["error"]["code"] for name in BROKEN)
    for name in WAITING:
        waits = schedule_of(entities, name)
        assert waits["enabled"] is True
        assert now < waits["next_run_at"] <= now + timedelta(days=366), name
    assert schedule_of(entities, "leap day")["next_run_at"].year == 2028
    entities.tick()
    entities.sweep()
    entities.sweep()
    # Each owner is told once, by the notices of an export that ended before it began.
    ended = list(entities.db["exports"].find({"schedule_switched_off": True}))
    assert len(ended) == len(BROKEN)
    assert len(entities.mails_to(address(entities))) == len(BROKEN)
    assert all("was switched off" in mail.text() for mail in entities.mails_to(address(entities)))
