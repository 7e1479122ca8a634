"""Runs that re-execute a failed one from its failed step, as the UI offers and as Dagster does after a crash."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from cdp_pipelines.definitions import build_defs, default_resources
from cdp_pipelines.pipelines.migrations.services import MigrationResource
from cdp_pipelines_tests.integration.pipelines.harness import Db
from cdp_pipelines_tests.integration.pipelines.migration_harness import Document, Migrations, Watcher, assert_adds_up

JOBS = "crm_activity_log_migration_jobs"
PAGE = {"page_rows": 100}

_watched: list[MigrationResource] = []
"""The resources of a run in this process that is listened to; Dagster builds the job of such a run by itself."""


def migration_job() -> dg.JobDefinition:
    return build_defs().resolve_job_def("activity_logs_migration")


def watched_job() -> dg.JobDefinition:
    resources = {**default_resources(), "migrations": _watched[-1]}
    return build_defs(resources=resources).resolve_job_def("activity_logs_migration")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Keeps events on disk, which re-executing needs."""
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def m(
    environment: Mapping[str, str], mongo_db: Db, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Migrations]:
    """A company with 300 audits, 90 of the first 100 unreadable; found through the environment, as runs find it."""
    made = Migrations(environment, mongo_db, instance)
    monkeypatch.setenv("CDP_MONGO_DB", mongo_db.name)
    monkeypatch.setenv("CRM_AUDIT_DATABASE_URL", made.crm.dsn)
    made.fill(300, unreadable=range(90))
    yield made
    made.close()


@pytest.fixture
def execute(m: Migrations, instance: dg.DagsterInstance) -> Callable[..., dg.JobExecutionResult]:
    def run(
        *,
        after: dg.JobExecutionResult | None = None,
        tags: Mapping[str, str] | None = None,
        executor: str = "in_process",
        job: Callable[[], dg.JobDefinition] = migration_job,
        **config: Any,
    ) -> dg.JobExecutionResult:
        again = dg.ReexecutionOptions.from_failure(after.run_id, instance) if after else None
        run_config: Document = {
            "ops": {"activity_logs": {"ops": {"gates": {"config": {**PAGE, **config}}}}},
            "execution": {"config": {executor: {}}},
        }
        return dg.execute_job(
            dg.reconstructable(job),
            instance=instance,
            run_config=run_config,
            tags={"dagster/partition": m.company, **(tags or {})},
            reexecution_options=again,
        )

    return run


def mend(m: Migrations) -> None:
    m.crm.connection.execute("UPDATE audits SET audited_changes = '--- {}' WHERE id <= 90")


def failure_message(result: dg.JobExecutionResult) -> str:
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    return error.message if error else ""


def executed(result: dg.JobExecutionResult) -> set[str]:
    return {event.step_key or "" for event in result.all_events if event.event_type_value == "STEP_START"}


@pytest.mark.any_mongo
def test_a_halted_run_goes_on_from_its_failed_step(
    m: Migrations, execute: Callable[..., dg.JobExecutionResult]
) -> None:
    halted = execute()
    assert m.job()["status"] == "halted"
    mend(m)
    again = execute(after=halted)
    assert again.success
    assert "activity_logs.gates" not in executed(again)
    job = m.job()
    assert job["run_id"] == again.run_id
    assert (job["status"], job["starts"], job["records_processed"]) == ("completed", 2, 300)
    assert job["taken_up"]["arrived"] == 90
    assert_adds_up(job)
    assert m.db["crm_activity_log_migration_jobs"].count_documents({}) == 1


@pytest.mark.any_mongo
def test_shards_side_by_side_take_the_job_once(m: Migrations, execute: Callable[..., dg.JobExecutionResult]) -> None:
    stopped = execute(shards=3)
    assert m.job()["status"] == "halted"
    mend(m)
    assert execute(after=stopped, executor="multiprocess").success
    job = m.job()
    assert (job["status"], job["records_processed"]) == ("completed", 300)
    assert_adds_up(job)


class StepBeside:
    """Another shard of the run that goes on with the job: quicker than the first, at a moment that the test chooses."""

    def __init__(self, m: Migrations, *, halts: bool = False) -> None:
        self.m, self.halts = m, halts
        self.acted = False

    def at(self, command: str, number: int) -> Callable[[], dg.JobDefinition]:
        """The job of a run beside which this step acts, when it sends its `number`-th such command about jobs."""
        _watched[:] = [self.m.watching(Watcher(command, JOBS, number, self.act))]
        return watched_job

    def act(self, _: int) -> None:
        if self.acted:
            return
        self.acted = True
        services, job = self.m.services(), self.m.job()
        run_id = self.m.instance.get_run_records(limit=1)[0].dagster_run.run_id
        changes = {"run_id": run_id, "starts": 2, "guard_base": {"records_failed": job["records_failed"]}}
        owned = services.jobs.reopen(job, run_id, changes, now=services.now())
        assert owned is not None
        if self.halts:
            assert services.jobs.end(owned, "halted", now=services.now())


# All that the step asks of the jobs before it has taken its own: twice by itself, twice in the guards, then the write.
@pytest.mark.any_mongo
@pytest.mark.parametrize(("command", "number"), [*(("find", n) for n in range(1, 5)), ("findAndModify", 1)])
def test_a_shard_that_is_quicker_at_any_moment_takes_the_job_for_all(
    m: Migrations, execute: Callable[..., dg.JobExecutionResult], command: str, number: int
) -> None:
    stopped = execute(shards=3)
    mend(m)
    beside = StepBeside(m)
    again = execute(after=stopped, job=beside.at(command, number))
    assert beside.acted
    assert again.success
    job = m.job()
    assert (job["status"], job["starts"], job["records_processed"]) == ("completed_with_errors", 2, 300)
    assert_adds_up(job)


@pytest.mark.any_mongo
@pytest.mark.parametrize(("command", "number"), [("find", 2), ("find", 3), ("findAndModify", 1)])
def test_a_shard_that_took_the_job_and_halted_it_is_not_undone(
    m: Migrations, execute: Callable[..., dg.JobExecutionResult], command: str, number: int
) -> None:
    stopped = execute(shards=3)
    beside = StepBeside(m, halts=True)
    again = execute(after=stopped, job=beside.at(command, number))
    assert beside.acted
    errors = [event.step_failure_data.error for event in again.all_events if event.is_step_failure]
    assert errors
    assert all("ended or taken over" in error.message for error in errors if error)
    job = m.job()
    assert (job["status"], job["starts"], job["records_processed"]) == ("halted", 2, 100)


@pytest.mark.any_mongo
def test_what_halts_again_stays_halted(m: Migrations, execute: Callable[..., dg.JobExecutionResult]) -> None:
    m.crm.connection.execute("UPDATE audits SET audited_changes = '- a'")
    stopped = execute(shards=3)
    again = execute(after=stopped)
    job = m.job()
    assert (job["status"], job["starts"], job["run_id"]) == ("halted", 2, again.run_id)
    errors = [event.step_failure_data.error for event in again.all_events if event.is_step_failure]
    messages = sorted(error.message.split(": ", 1)[1] for error in errors if error)
    assert ["halted" in message for message in messages].count(True) == 1
    assert all("halted" in message or "ended or taken over" in message for message in messages)


@pytest.mark.any_mongo
def test_guards_are_asked_again(m: Migrations, execute: Callable[..., dg.JobExecutionResult]) -> None:
    halted = execute()
    m.db["companies"].update_one({"_id": m.company}, {"$set": {"features": {}}})
    again = execute(after=halted)
    assert not again.success
    assert "FLAG_DISABLED" in failure_message(again)
    assert m.job()["status"] == "halted"


def test_a_job_that_others_went_on_with_is_left_alone(
    m: Migrations, execute: Callable[..., dg.JobExecutionResult]
) -> None:
    halted = execute()
    mend(m)
    assert execute().success
    before = m.job()
    again = execute(after=halted)
    assert not again.success
    assert "Another run has worked on this company since" in failure_message(again)
    assert m.job() == before


@pytest.mark.any_mongo
def test_what_is_completed_is_not_gone_on_with(m: Migrations, execute: Callable[..., dg.JobExecutionResult]) -> None:
    halted = execute()
    m.db["crm_activity_log_migration_jobs"].update_one({}, {"$set": {"status": "completed"}})
    again = execute(after=halted)
    assert not again.success
    assert "nothing to go on with" in failure_message(again)


@pytest.mark.any_mongo
def test_the_run_of_a_request_that_ended_goes_on_for_people_and_not_by_itself(
    m: Migrations, execute: Callable[..., dg.JobExecutionResult]
) -> None:
    request_id = m.request()
    tags = {"request_id": str(request_id)}
    m.db["migration_requests"].update_one({"_id": request_id}, {"$set": {"options": PAGE}})
    halted = execute(tags=tags, request_id=str(request_id))
    assert m.the_request(request_id)["status"] == m.job()["status"] == "halted"
    mend(m)
    by_itself = execute(after=halted, tags={**tags, "dagster/retry_number": "1"})
    assert not by_itself.success
    assert "the request has ended" in failure_message(by_itself)
    assert m.job()["status"] == "halted"
    told = m.the_request(request_id)
    assert execute(after=halted, tags=tags).success
    assert m.job()["status"] == "completed"
    assert m.the_request(request_id) == told


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_crashed_run_is_gone_on_with_by_the_one_that_dagster_starts(
    m: Migrations, execute: Callable[..., dg.JobExecutionResult], dry_run: bool
) -> None:
    """As a crash leaves it: the job in progress, its lease standing, its run over."""
    stopped = execute(dry_run=dry_run)
    lease = {"owner_run_id": stopped.run_id, "expires_at": m.services(ahead=timedelta(days=1)).now()}
    crashed = {"status": "in_progress", "lease": lease}
    m.db["crm_activity_log_migration_jobs"].update_one({}, {"$set": crashed})
    mend(m)
    again = execute(after=stopped, tags={"dagster/retry_number": "1"})
    assert again.success
    assert m.job()["records_processed"] == 300
    assert len(m.logs()) == (0 if dry_run else m.job()["records_migrated"])
