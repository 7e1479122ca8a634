"""SIGKILL before, between and after every command and upload of an entity export: one end, no half file, no orphan."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines_tests.integration.pipelines.crashing import NEVER, Doomed, export_entity_and_die
from cdp_pipelines_tests.integration.pipelines.entity_harness import Document, EntityExportsOf
from cdp_pipelines_tests.integration.resources.http_servers import RecordingServer, recording_server

# What survives a kill is what a server has acknowledged, whichever it is.
pytestmark = [pytest.mark.timeout(300), pytest.mark.any_mongo]

ROWS = 12
STEP = 9
LATER = timedelta(minutes=40)
SMALL: Document = {"page_rows": 3, "part_bytes": 1}
"""Four files and a manifest."""


@pytest.fixture
def receiver() -> Iterator[RecordingServer]:
    with recording_server() as server:
        yield server


class Victim:
    """A company whose exports are killed; each asks for an email and a webhook."""

    def __init__(
        self, make_entities: Callable[..., EntityExportsOf], receiver: RecordingServer, **options: Any
    ) -> None:
        self.receiver = receiver
        self.options = {"trusted_hosts": receiver.url.removeprefix("http://"), **options}
        self.entities = make_entities(**self.options)

    def queued(self, **parameters: Any) -> str:
        """A request as the sensor leaves it behind: claimed, judged, its run asked for."""
        export_id = self.entities.queue(email=..., webhook={"url": f"{self.receiver.url}/hook"}, parameters=parameters)
        self.entities.db["exports"].update_one({"id": export_id}, {"$set": {"email": f"{export_id}@example.com"}})
        self.entities.tick()
        return export_id

    def run(self, export_id: str, dies_at: int = NEVER, *, by_store: bool = False) -> int:
        e = self.entities
        work = str(e.tmp_path / "work")
        doomed = Doomed(
            dict(e.env), e.db.name, e.company, export_id, work, dies_at, "entity_export", self.options, by_store
        )
        return export_entity_and_die(doomed)

    def killed(self, export_id: str, dies_at: int, *, by_store: bool = False) -> None:
        assert self.run(export_id, dies_at, by_store=by_store) == -9

    def assert_one_right_end(self, export_id: str) -> str:
        """Ended once and told of once; what was told is what is there."""
        document = self.entities.document(export_id)
        status = str(document["status"])
        assert status in ("DONE", "ERROR")
        assert "lease" not in document
        assert "notices_pending" not in document
        if status == "DONE":
            assert (document["progress"], document["result"]["record_count"]) == (ROWS, ROWS)
        else:
            assert (document["error"]["code"], document["result"]) == ("RUN_DIED", None)
        self.assert_told_once(export_id, status)
        return status

    def assert_told_once(self, export_id: str, status: str) -> None:
        told = [asked.json()["data"]["status"] for asked in self.hooks(export_id)]
        assert set(told) == {status}
        assert len({asked.headers["webhook-id"] for asked in self.hooks(export_id)}) == 1
        emails = self.entities.mails_to(f"{export_id}@example.com")
        sent = self.entities.db["deliveries"].find_one({"_id": f"{export_id}:email"})
        assert sent is not None
        # Killed while it was sent: nobody knows, so nobody sends it again.
        assert len(emails) == 1 or (sent["state"] == "sending" and not emails)

    def hooks(self, export_id: str) -> list[Any]:
        return [asked for asked in self.receiver.asked if asked.json()["data"]["id"] == export_id]


@pytest.fixture
def victim(make_entities: Callable[..., EntityExportsOf], receiver: RecordingServer) -> Victim:
    victim = Victim(make_entities, receiver, **SMALL)
    victim.entities.add_orders(ROWS)
    return victim


def test_killed_at_any_instant_and_swept_or_started_again(victim: Victim) -> None:
    entities = victim.entities
    instants = victim.run(victim.queued(fresh=True))
    assert instants > 80
    (document,) = entities.db["exports"].find({})
    assert (document["status"], len(document["result"]["parts"])) == ("DONE", 4)
    ends = []
    for number, instant in enumerate(range(2, instants, STEP)):
        # Every third finds the files of an earlier one, in fewer instants.
        export_id = victim.queued(fresh=number % 3 != 0)
        victim.killed(export_id, instant if number % 3 else instant % 50 + 1)
        if number % 2:
            victim.run(export_id)
        entities.sweep()
        if entities.document(export_id)["status"] == "SCHEDULED":
            # Killed before the run took it: nothing had happened, so another run does all of it.
            victim.run(export_id)
        # What a sweep has ended is told of by a later one.
        entities.sweep(ahead=LATER)
        ends.append(victim.assert_one_right_end(export_id))
        entities.assert_nothing_is_left()
    assert set(ends) == {"DONE", "ERROR"}


def test_killed_twice_while_it_ends_badly(victim: Victim) -> None:
    """The failing path is killed as well: what the request rests on is gone when its run begins."""
    entities = victim.entities
    for instant in (16, 22, 28, 34, 40):
        entities.services().templates.save(
            entities.company, "t", exported_object="order", parameters={}, saved_by="u", now=datetime.now(UTC)
        )
        export_id = entities.queue(exported_object=..., template="t", email="a@example.com")
        entities.tick()
        entities.services().templates.remove(entities.company, "t")
        victim.run(export_id, instant)
        victim.run(export_id, instant + 3)
        entities.sweep()
        entities.sweep(ahead=LATER)
        document = entities.document(export_id)
        assert document["status"] == "ERROR"
        assert document["error"]["code"] in ("invalid_export_template", "RUN_DIED")
        assert "notices_pending" not in document
    entities.assert_nothing_is_left()


def test_killed_within_an_upload_in_parts(
    make_entities: Callable[..., EntityExportsOf], receiver: RecordingServer
) -> None:
    """One file of three parts of 16 MiB, killed while the bytes of a part are on their way, and around it."""
    victim = Victim(make_entities, receiver, page_rows=2)
    entities = victim.entities
    entities.add("orders", *({"id": f"o-{n}", "metadata": {"k": "x" * 3_200_000}} for n in range(ROWS)))
    wanted = {"fields": ["id", "metadata.k"], "fresh": True}
    instants = victim.run(victim.queued(**wanted), by_store=True)
    seen_open = 0
    # Begun; the first part, the second part on their way; joined; looked for.
    for instant in (2, 3, 5, instants - 3, instants - 1):
        export_id = victim.queued(**wanted)
        victim.killed(export_id, instant, by_store=True)
        seen_open += len(entities.uploads())
        if instant == 5:
            victim.run(export_id)
        entities.sweep()
        assert entities.uploads() == []
        entities.sweep(ahead=LATER)
        assert victim.assert_one_right_end(export_id) == ("DONE" if instant == 5 else "ERROR")
        assert entities.uploads() == []
    assert seen_open >= 3
    entities.assert_nothing_is_left()
