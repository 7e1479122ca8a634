"""Two of everything at once: ticks, runs, owners; and schedules and templates as the sensor uses them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from cdp_pipelines.definitions import build_defs
from cdp_pipelines.domain.entity_export.schedules import ScheduleDraft
from cdp_pipelines_tests.integration.pipelines.entity_harness import Document, EntityExportsOf, Watcher
from cdp_pipelines_tests.integration.resources.http_servers import recording_server

pytestmark = pytest.mark.timeout(240)

TAKEN_BY = "another-run"


def take_over(entities: EntityExportsOf, export_id: str) -> None:
    """What a second run does when it finds the lease run out: it owns the job, and removes what the first has sent."""
    services = entities.services()
    past = {"$set": {"lease.expires_at": datetime(2024, 5, 1, tzinfo=UTC)}}
    entities.db["exports"].update_one({"id": export_id}, past)
    assert services.jobs.start(export_id, entities.company, TAKEN_BY, now=services.now())
    for key in entities.document(export_id).get("object_keys", []):
        services.object_store().discard(key)
    services.jobs.beat(export_id, entities.company, TAKEN_BY, now=services.now(), object_keys=[], result=None)


@pytest.mark.parametrize(
    ("command", "number"),
    # Between two pages; before the key of a further file is told; before the result is; when all is written.
    [("getMore", 2), ("findAndModify", 6), ("findAndModify", -2), ("findAndModify", -1)],
)
def test_a_run_that_loses_its_job_while_it_writes_leaves_nothing(
    make_entities: Callable[..., EntityExportsOf], command: str, number: int
) -> None:
    entities = make_entities(page_rows=5, part_bytes=100)
    entities.add_orders(20)
    if number < 0:
        counted = Watcher(command, "exports" if command == "findAndModify" else "", 1, lambda _: None)
        entities.queue(parameters={"fresh": True})
        assert entities.run_watched(entities.tick()[0], counted).success
        # The two last are those of the step that ends the export.
        number += counted.seen - 1
    before = entities.objects()
    export_id = entities.queue(parameters={"fresh": True})
    (request,) = entities.tick()
    taken: list[int] = []

    def act(seen: int) -> None:
        if not taken:
            taken.append(seen)
            take_over(entities, export_id)

    result = entities.run_watched(
        request, Watcher(command, "exports" if command == "findAndModify" else "", number, act)
    )
    assert taken
    assert not result.success
    document = entities.document(export_id)
    assert (document["status"], document["lease"]["owner_run_id"]) == ("IN_PROGRESS", TAKEN_BY)
    assert not document.keys() & {"error", "ended_at"} or document.get("error") is None
    assert (sorted(entities.objects()), entities.uploads(), entities.leftovers()) == (sorted(before), [], [])


@pytest.mark.any_mongo
def test_two_ticks_and_two_runs_at_once(make_entities: Callable[..., EntityExportsOf]) -> None:
    entities = make_entities()
    entities.add_orders(50)
    export_ids = [entities.queue(email="ani@example.com") for _ in range(6)]
    with ThreadPoolExecutor(3) as pool:
        ticks = list(pool.map(lambda _: entities.tick(), range(3)))
    requests = [request for tick in ticks for request in tick]
    assert sorted(request.tags["request_id"] for request in requests) == sorted(export_ids)
    # Both know of each other through an instance on disk, as runs of a daemon do.
    job = build_defs(resources=entities.run_resources()).resolve_job_def("entity_export")
    (request,) = [each for each in requests if each.tags["request_id"] == export_ids[0]]
    (entities.tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(entities.tmp_path / "dagster")) as instance:
        instance.add_dynamic_partitions("company", [entities.company])
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda _: run(instance, job, request), range(2)))
    assert [result.success for result in results] == [True, True]
    document = entities.document(export_ids[0])
    assert (document["status"], document["result"]["record_count"]) == ("DONE", 50)
    entities.assert_nothing_is_left()
    assert len([mail for mail in entities.mails_to("ani@example.com") if export_ids[0] in mail.text()]) == 1


def run(instance: dg.DagsterInstance, job: dg.JobDefinition, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(
        instance=instance,
        partition_key=request.partition_key,
        run_config=request.run_config,
        tags=dict(request.tags),
        raise_on_error=False,
    )


def draft(name: str, **changes: Any) -> ScheduleDraft:
    values: Document = {
        "name": name, "exported_object": "order", "parameters": {}, "cron": "30 2 * * *", "timezone": "Asia/Jakarta",
        "user_sso_id": "user-1", **changes,
    }  # fmt: skip
    return ScheduleDraft(**values)


@pytest.mark.any_mongo
def test_schedules_fire_once_and_bad_ones_stop_nobody(make_entities: Callable[..., EntityExportsOf]) -> None:
    entities = make_entities()
    entities.add_orders(3)
    services = entities.services()
    now, due = services.now(), services.now() - timedelta(days=2)
    services.templates.save(
        entities.company, "ids", exported_object="order", parameters={"fields": ["id"], "format": "NDJSON"},
        saved_by="u", now=now,
    )  # fmt: skip
    services.schedules.save(
        entities.company,
        draft("nightly", template="ids", email="boss@example.com", parameters={"order": "-id"}),
        now=due,
    )
    bad: list[Document] = [
        {"cron": "never"},
        {"cron": "* * * * *"},
        {"cron": None},
        {"timezone": "Mars/Base"},
        {"company_sso_id": ...},
        {"company_sso_id": 5},
        {"parameters": "all"},
        {"exported_object": ...},
        {"exported_object": {"$gt": ""}},
    ]
    for number, changes in enumerate(bad):
        document: Document = {
            "_id": f"bad-{number}", "company_sso_id": entities.company, "name": f"bad-{number}", "cron": "0 1 * * *",
            "timezone": "UTC", "exported_object": "order", "enabled": True, "next_run_at": due, **changes,
        }  # fmt: skip
        entities.db["export_schedules"].insert_one({key: each for key, each in document.items() if each is not ...})
    with ThreadPoolExecutor(2) as pool:
        ticks = list(pool.map(lambda _: entities.tick(), range(2)))
    (request,) = [request for tick in [*ticks, entities.tick()] for request in tick]
    off = {each["_id"]: each["error"] for each in entities.db["export_schedules"].find({"enabled": False})}
    assert sorted(off) == [f"bad-{number}" for number in range(6)]
    assert all(error["code"] and error["message"] for error in off.values())
    refused = {each["schedule_id"]: each["error"]["code"] for each in entities.db["exports"].find({"status": "ERROR"})}
    assert refused == {
        "bad-6": "invalid_export_parameters", "bad-7": "invalid_export_object", "bad-8": "invalid_export_object",
    }  # fmt: skip
    assert entities.run(request).success
    exported = entities.document(request.tags["request_id"])
    assert entities.content(exported) == b'{"id":"ord_000002"}\n{"id":"ord_000001"}\n{"id":"ord_000000"}\n'
    (mail,) = [mail for mail in entities.mails_to("boss@example.com") if exported["id"] in mail.text()]
    assert "NDJSON" in mail.text()
    assert "nightly" in mail.text()
    assert entities.tick() == []


@pytest.mark.any_mongo
def test_what_a_template_says_is_told_too(make_entities: Callable[..., EntityExportsOf]) -> None:
    """A request that names its object only through a template; and one whose template is gone when its run begins."""
    with recording_server() as server:
        entities = make_entities(trusted_hosts=server.url.removeprefix("http://"))
        entities.add_orders(2)
        services = entities.services()
        template: Document = {"exported_object": "order", "parameters": {"fields": ["id"], "format": "JSON"}}
        services.templates.save(entities.company, "t", saved_by="u", now=services.now(), **template)
        asked = {"template": "t", "email": "ani@example.com", "webhook": {"url": server.url + "/h"}, "parameters": ...}
        done = entities.export(..., **asked)
        assert (done["status"], done["exported_object"]) == ("DONE", "order")
        (mail,) = [mail for mail in entities.mails_to("ani@example.com") if done["id"] in mail.text()]
        assert "order" in mail.subject.casefold()
        assert "JSON" in mail.text()
        export_id = entities.queue(..., **asked)
        (request,) = entities.tick()
        services.templates.remove(entities.company, "t")
        assert not entities.run(request).success
        failed = entities.document(export_id)
        assert (failed["status"], failed["error"]["code"]) == ("ERROR", "invalid_export_template")
        assert "notices_pending" not in failed
        (mail,) = [mail for mail in entities.mails_to("ani@example.com") if export_id in mail.text()]
        assert "The template of this export cannot be used any more." in mail.text()
        statuses = [(asked.json()["data"]["exported_object"], asked.json()["data"]["status"]) for asked in server.asked]
        assert statuses == [("order", "DONE"), (None, "ERROR")]


HOSTILE: list[Document] = [
    {"parameters": "all", "email": {"a": 1}},
    {"exported_object": {"$gt": ""}, "email": ["x@example.com"]},
    {"exported_object": ["order"], "webhook": {"url": 5}, "email": "ani@example.com", "locale": {"a": 1}},
    {"webhook": {"url": "http://10.0.0.1/"}, "email": "no address"},
]


@pytest.mark.any_mongo
def test_a_swept_document_of_any_shape_stops_no_sweep(make_entities: Callable[..., EntityExportsOf]) -> None:
    """As after a run by hand that died before it judged what it had taken."""
    entities = make_entities()
    export_ids = []
    for changes in HOSTILE:
        values: Document = {"exported_object": "order", **changes}
        export_ids.append(entities.queue(**values))
        services = entities.services(ahead=timedelta(hours=-1))
        document_id = entities.document(export_ids[-1])["_id"]
        assert services.jobs.claim(document_id, "dead", now=services.now())
        assert isinstance(services.jobs.take_in(document_id, now=services.now()), dict)
        assert services.jobs.start(export_ids[-1], entities.company, "dead", now=services.now())
    for number in range(2):
        entities.sweep(ahead=timedelta(hours=5 * number))
    for export_id in export_ids:
        document = entities.document(export_id)
        assert (document["status"], document["error"]["code"]) == ("ERROR", "RUN_DIED")
        assert "notices_pending" not in document


def swapped(entities: EntityExportsOf, most: int) -> Callable[[int], None]:
    """Takes rows away that the walk has not reached and puts as many where it has been; at most so many times."""
    orders, scope = entities.db["orders"], {"company_sso_id": entities.company}
    times: list[int] = []

    def act(number: int) -> None:
        if len(times) < most:
            times.append(number)
            # The last of all stays, since it is where the walk ends.
            late = [row["_id"] for row in orders.find(scope, {"_id": 1}, sort=[("_id", -1)], skip=1, limit=3)]
            orders.delete_many({"_id": {"$in": late}})
            orders.insert_many([{**scope, "_id": -len(times) * 10 - n, "status": "PAID"} for n in range(3)])

    return act


@pytest.mark.any_mongo
@pytest.mark.parametrize(
    ("filters", "times", "status", "rows"),
    [
        # Walked again, and then they are all there.
        ({}, 1, "DONE", 12),
        # Whenever it is walked: rather no file than one that lacks rows.
        ({}, 100, "ERROR", None),
        # Under a filter rows come and go by being changed: the file is right, and its user is told.
        ({"status": "PAID"}, 1, "DONE", 9),
    ],
)
def test_rows_that_are_not_in_the_file_are_missed(
    make_entities: Callable[..., EntityExportsOf], filters: Document, times: int, status: str, rows: int | None
) -> None:
    entities = make_entities(page_rows=2)
    entities.add("orders", *({"_id": n, "id": str(n), "status": "PAID"} for n in range(12)))
    export_id = entities.queue(parameters={"filters": filters}, locale="id")
    (request,) = entities.tick()
    result = entities.run_watched(request, Watcher("getMore", "", 2, swapped(entities, times)))
    document = entities.document(export_id)
    assert (result.success, document["status"]) == (status == "DONE", status)
    if rows is None:
        assert document["error"]["code"] == "ROWS_MISSING"
        assert entities.objects() == []
    else:
        assert document["result"]["record_count"] == rows
        assert bool(document["warnings"]) == bool(filters)
        assert all("berubah" in warning for warning in document["warnings"])
