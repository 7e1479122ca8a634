"""Receivers of webhooks and mail servers that fail: an export is DONE whatever becomes of its notices."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from cdp_pipelines.local.mail_control import MailControl, MailFailure
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.pipelines.entity_export.config import MOST_NOTICE_TRIES
from cdp_pipelines.resources.webhooks import WebhookSender, WebhooksResource
from cdp_pipelines_tests.integration.pipelines.entity_harness import SIGNING_KEY, Document, EntityExportsOf
from cdp_pipelines_tests.integration.resources.http_servers import (
    Answer,
    RecordingServer,
    closed_port,
    recording_server,
)
from cdp_pipelines_tests.support.apis import RecordedApis

pytestmark = [pytest.mark.timeout(240), pytest.mark.any_mongo]

A_DAY = timedelta(days=1)


class Hasty(WebhooksResource):
    """The same sender with shorter waits."""

    def open(self) -> WebhookSender:
        if self._sender is None:
            self._sender = WebhookSender(
                signing_key=self.signing_key, trusted=self.trusted(), retry_waits=(0.01, 0.01), try_seconds=0.3
            )
        return self._sender  # type: ignore[no-any-return]


@pytest.fixture
def mail_faults(stack: LocalStack) -> Iterator[MailControl]:
    control = MailControl(stack.mail_control_path())
    yield control
    control.clear()


def hasty(make_entities: Any, *urls: str) -> EntityExportsOf:
    trusted = ",".join(url.split("/")[2] for url in urls)
    entities: EntityExportsOf = make_entities(webhooks=Hasty(signing_key=SIGNING_KEY, trusted_hosts=trusted))
    entities.add_orders(2)
    return entities


def exported(entities: EntityExportsOf, url: str, **changes: Any) -> Document:
    document = entities.export(webhook={"url": url}, **changes)
    assert document["status"] == "DONE", document.get("error")
    entities.assert_whole(document)
    return document


def sweep_for_a_day(entities: EntityExportsOf, sweeps: int) -> None:
    """As often as ticks come; the clock runs so that every wait between two tries is over."""
    for number in range(sweeps):
        entities.sweep(ahead=timedelta(hours=2) * (number + 1))


def ids_and_statuses(server: RecordingServer) -> set[tuple[str, str]]:
    return {(asked.headers["webhook-id"], asked.json()["data"]["status"]) for asked in server.asked}


def test_a_receiver_that_recovers_at_once_or_later(make_entities: Any) -> None:
    slow: list[Answer] = [500, 500, 500, "hang", 200]
    with recording_server([500, 503, 200]) as soon, recording_server(slow) as later:
        entities = hasty(make_entities, soon.url, later.url)
        document = exported(entities, soon.url + "/hook")
        assert "notices_pending" not in document
        assert len(soon.asked) == 3
        assert len(ids_and_statuses(soon)) == 1
        late = exported(entities, later.url + "/hook")
        assert late["notices_pending"] is True
        # A sweep that comes before the wait is over leaves it alone.
        entities.sweep(ahead=timedelta(seconds=30))
        assert len(later.asked) == 3
        # In a sweep one try each: the first hangs, the next is taken.
        entities.sweep(ahead=timedelta(minutes=3))
        assert (len(later.asked), entities.document(late["id"])["notices_pending"]) == (4, True)
        entities.sweep(ahead=timedelta(minutes=10))
        assert len(ids_and_statuses(later)) == 1
        assert not entities.document(late["id"]).keys() & {"notices_pending", "notices_at"}
        sweep_for_a_day(entities, 2)
        assert (len(soon.asked), len(later.asked)) == (3, 5)


def test_what_never_works_is_given_up_with_one_alert(
    make_entities: Any, http_apis: RecordedApis, mail_faults: MailControl
) -> None:
    """A receiver that is down, one that is gone for good, one that redirects inwards, a mail server that refuses."""
    with recording_server([500]) as broken, recording_server() as inner:
        answer = (307, {"Location": inner.url + "/secret"}, b"")
        with recording_server([answer]) as redirecting, recording_server([410]) as gone:
            down = f"http://127.0.0.1:{closed_port()}"
            entities = hasty(make_entities, broken.url, redirecting.url, gone.url, down)
            mail_faults.fail(MailFailure(stage="data", answer="554 5.7.1 No", recipient="both@example.com"))
            both = exported(entities, broken.url + "/hook", email="both@example.com")
            others = [exported(entities, url + "/hook") for url in (redirecting.url, gone.url, down)]
            sweep_for_a_day(entities, MOST_NOTICE_TRIES + 3)
            assert inner.asked == []
            assert (len(redirecting.asked), len(gone.asked)) == (1, 1)
            # Three in the run, then one in each of the nine sweeps.
            assert len(broken.asked) == 3 + MOST_NOTICE_TRIES - 1
            assert len(ids_and_statuses(broken)) == 1
    for document in (both, *others):
        left = entities.document(document["id"])
        assert left["status"] == "DONE"
        assert "notices_pending" not in left
        alerts = [alert for alert in http_apis.alerts() if document["id"] in str(alert.body)]
        assert len(alerts) == (2 if document is both else 1), document["id"]
    for channel, tries in (("email", 1), ("webhook", MOST_NOTICE_TRIES)):
        delivery = entities.db["deliveries"].find_one({"_id": f"{both['id']}:{channel}"}) or {}
        assert (delivery["state"], delivery["tries"]) == ("given_up", tries)
    entities.assert_nothing_is_left()


def test_a_mail_server_that_is_away_and_comes_back(
    make_entities: Any, mail_faults: MailControl, stack: LocalStack
) -> None:
    entities = hasty(make_entities, "http://127.0.0.1:1")
    mail_faults.fail(MailFailure(stage="data", answer="452 4.3.1 Full", recipient="ani@example.com"))
    document = entities.export(email="ani@example.com", locale="id", parameters={"timezone": "Asia/Jakarta"})
    export_id = document["id"]
    assert (document["status"], document["notices_pending"]) == ("DONE", True)
    mail_faults.clear()
    entities.sweep(ahead=timedelta(minutes=3))
    entities.sweep(ahead=A_DAY)
    (mail,) = [mail for mail in entities.mails_to("ani@example.com") if export_id in mail.text()]
    assert "Asia/Jakarta" in mail.text()
    assert document["result"]["url"] in mail.text()
    assert httpx.get(document["result"]["url"]).content == entities.content(document)
    assert "notices_pending" not in entities.document(export_id)


def test_a_notice_that_another_process_is_at_is_waited_for(make_entities: Any) -> None:
    """A sweep in the middle of a run's sending may not take it for done: should it fail, nobody would try again."""
    with recording_server() as server:
        entities = hasty(make_entities, server.url)
        export_id = exported(entities, server.url + "/hook", email="ani@example.com")["id"]
        services = entities.services()
        for channel in ("email", "webhook"):
            began = {"$set": {"state": "sending", "at": services.now() + timedelta(seconds=50)}}
            entities.db["deliveries"].update_one({"_id": f"{export_id}:{channel}"}, began)
        entities.db["exports"].update_one({"id": export_id}, {"$set": {"notices_pending": True}})
        entities.sweep(ahead=timedelta(seconds=90))
        assert entities.document(export_id)["notices_pending"] is True
        services.deliveries.mark(export_id, "email", "not_sent")
        entities.sweep(ahead=timedelta(minutes=10))
        entities.sweep(ahead=timedelta(minutes=20))
        assert "notices_pending" not in entities.document(export_id)
        assert len([mail for mail in entities.mails_to("ani@example.com") if export_id in mail.text()]) == 2
        assert len(ids_and_statuses(server)) == 1
        assert len(server.asked) == 2


def test_hooks_of_exports_that_end_otherwise(make_entities: Any) -> None:
    with recording_server() as server:
        entities = hasty(make_entities, server.url)
        canceled = entities.queue(webhook={"url": server.url + "/hook"}, email="ani@example.com", cancel_requested=True)
        assert entities.tick() == []
        # Ended by a tick, which waits for no receiver: told of by the sweeper.
        assert server.asked == []
        entities.sweep(ahead=timedelta(minutes=2))
        document = entities.document(canceled)
        assert (document["status"], document.get("notices_pending")) == ("CANCELED", None)
        (asked,) = server.asked
        assert (asked.json()["type"], asked.json()["data"]["id"]) == ("export.canceled", canceled)
        assert [mail for mail in entities.mails_to("ani@example.com") if canceled in mail.text()] == []


def test_a_sweep_that_ends_dead_exports_waits_for_no_receiver(make_entities: Any) -> None:
    with recording_server(["hang", 200]) as server:
        entities = hasty(make_entities, server.url)
        export_id = entities.queue(webhook={"url": server.url + "/hook"})
        entities.tick()
        run = entities.services().jobs.start(export_id, entities.company, "a run that died", now=datetime.now(UTC))
        assert run is not None
        assert entities.sweep().ended == 1
        document = entities.document(export_id)
        assert (document["status"], document["notices_pending"]) == ("ERROR", True)
        assert server.asked == []
        entities.sweep(ahead=timedelta(minutes=40))
        assert len(server.asked) == 1
        entities.sweep(ahead=timedelta(minutes=50))
        assert ids_and_statuses(server) == {(server.asked[0].headers["webhook-id"], "ERROR")}
        assert "notices_pending" not in entities.document(export_id)
