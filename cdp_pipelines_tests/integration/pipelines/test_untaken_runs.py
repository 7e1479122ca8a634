"""Runs that died before they took their request, and runs of which nobody hears any more; exports and migrations."""

from datetime import timedelta
from typing import Any, Protocol

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRunStatus as Status

from cdp_pipelines_tests.integration.pipelines.entity_harness import EntityExportsOf
from cdp_pipelines_tests.integration.pipelines.harness import Exports
from cdp_pipelines_tests.integration.pipelines.migration_harness import Migrations
from cdp_pipelines_tests.support.apis import RecordedApis

pytestmark = [pytest.mark.any_mongo, pytest.mark.timeout(180)]


class _Site(Protocol):
    instance: dg.DagsterInstance

    def tick(self) -> list[dg.RunRequest]: ...
    def sweep(self, *, ahead: timedelta = ...) -> Any: ...


def a_run(site: _Site, request: dg.RunRequest, status: Status, **tags: str) -> dg.DagsterRun:
    """A run of this request that stands so in Dagster, and has done nothing."""
    run = dg.DagsterRun(job_name=request.job_name or "j", status=status, tags={**request.tags, **tags})
    site.instance.add_run(run)
    return run


def launched_until_the_end(site: _Site) -> list[str]:
    """The run keys of a request whose every run dies untaken."""
    keys = []
    while requests := site.tick():
        (request,) = requests
        keys.append(str(request.run_key))
        a_run(site, request, Status.FAILURE)
        site.sweep()
    assert len(set(keys)) == len(keys)
    return keys


def test_an_export_is_launched_again_three_times_and_then_fails_once(exports: Exports, http_apis: RecordedApis) -> None:
    job_id = exports.queue()
    assert len(launched_until_the_end(exports)) == 4
    job = exports.job(job_id)
    assert (job["status"], job["error"]["code"], job["put_back"]["untaken"]) == ("failed", "RUN_DIED", 3)
    assert len(exports.emails(job_id)) == 1
    assert sum(job_id in str(alert.body) for alert in http_apis.alerts()) == 1


def test_nobody_is_told_of_an_export_that_is_launched_again(exports: Exports) -> None:
    job_id = exports.queue()
    (first,) = exports.tick()
    a_run(exports, first, Status.FAILURE)
    assert exports.sweep().ended == 0
    # Also by the sweeps before the next tick.
    assert exports.sweep().ended == 0
    assert exports.emails(job_id) == []
    (again,) = exports.tick()
    assert exports.run(again).success
    job = exports.job(job_id)
    assert (job["status"], job["put_back"]["untaken"], len(exports.emails(job_id))) == ("completed", 1, 1)


def test_an_export_that_somebody_canceled_meanwhile_is_not_launched_again(exports: Exports) -> None:
    job_id = exports.queue()
    (first,) = exports.tick()
    a_run(exports, first, Status.FAILURE)
    exports.db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": {"cancel_requested": True}})
    assert exports.sweep().ended == 1
    assert exports.job(job_id)["status"] == "canceled"
    assert exports.tick() == []


def test_an_export_that_an_operator_stopped_is_not_launched_again(exports: Exports) -> None:
    job_id = exports.queue()
    (first,) = exports.tick()
    a_run(exports, first, Status.CANCELED)
    assert exports.sweep().ended == 1
    assert exports.job(job_id)["status"] == "failed"


def test_an_export_whose_run_may_yet_come_is_left_alone(exports: Exports) -> None:
    exports.queue()
    (first,) = exports.tick()
    a_run(exports, first, Status.FAILURE, **{"dagster/will_retry": "true"})
    assert exports.sweep(ahead=timedelta(minutes=2)).lines == []
    assert exports.tick() == []


def test_an_entity_export_is_launched_again_three_times(entities: EntityExportsOf) -> None:
    export_id = entities.queue()
    keys = launched_until_the_end(entities)
    assert len(keys) == 4
    assert entities.document(export_id)["status"] == "ERROR"


def test_a_migration_is_launched_again_three_times(migrations: Migrations) -> None:
    m = migrations
    m.fill(3)
    request_id = m.request()
    assert len(launched_until_the_end(m)) == 4
    request = m.the_request(request_id)
    assert (request["status"], request["error"]["code"]) == ("failed", "RUN_DIED")


def test_a_migration_that_is_launched_again_runs(migrations: Migrations) -> None:
    m = migrations
    m.fill(3)
    request_id = m.request()
    (first,) = m.tick()
    a_run(m, first, Status.FAILURE)
    assert m.sweep().ended == m.sweep().ended == 0
    (again,) = m.tick()
    assert m.run_requested(again).success
    assert m.the_request(request_id)["status"] == "completed"


def test_a_silent_run_of_an_export_ends_in_dagster_too(exports: Exports) -> None:
    job_id = exports.queue()
    (request,) = exports.tick()
    run = a_run(exports, request, Status.STARTED)
    exports.services().jobs.start(job_id, exports.company, run.run_id, now=exports.services().now())
    assert exports.sweep(ahead=timedelta(minutes=10)).ended == 0
    alive = exports.instance.get_run_by_id(run.run_id)
    assert alive is not None
    assert alive.status == Status.STARTED
    assert exports.sweep(ahead=timedelta(minutes=20)).ended == 1
    ended = exports.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == Status.FAILURE


def test_a_silent_run_of_a_migration_ends_in_dagster_too(migrations: Migrations) -> None:
    m = migrations
    m.fill(3)
    run = dg.DagsterRun(job_name=m.kind.start_job, status=Status.STARTED)
    m.instance.add_run(run)
    options = {"force": False, "dry_run": False, "date_range_start": None, "page_rows": 500, "shards": 0}
    facts = {"dry_run": False, "options": options, "starts": 1, "run_id": run.run_id}
    m.services().jobs.open_new(m.company, run.run_id, facts, now=m.services().now())
    assert m.sweep(ahead=timedelta(minutes=10)).ended == 0
    assert m.sweep(ahead=timedelta(minutes=20)).ended == 1
    ended = m.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == Status.FAILURE


def test_a_dead_run_whose_job_is_taken_over_ends_in_dagster_too(migrations: Migrations) -> None:
    m = migrations
    m.fill(3)
    run = dg.DagsterRun(job_name=m.kind.start_job, status=Status.STARTED)
    m.instance.add_run(run)
    options = {"force": False, "dry_run": False, "date_range_start": None, "page_rows": 500, "shards": 0}
    facts = {"dry_run": False, "options": options, "starts": 1, "run_id": run.run_id}
    long_ago = m.services(ahead=timedelta(hours=-1))
    long_ago.jobs.open_new(m.company, run.run_id, facts, now=long_ago.now())
    assert m.run().success
    ended = m.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == Status.FAILURE
