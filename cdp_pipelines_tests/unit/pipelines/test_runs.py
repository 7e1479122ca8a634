"""What Dagster is asked about a run, on an instance of the test's own in memory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.dagster_run import DagsterRunStatus as Status
from dagster._utils.tags import TagConcurrencyLimitsCounter

from cdp_pipelines.pipelines.runs import DECIDES_SECONDS, STARTS_AGAIN_SECONDS, end_dead_run, will_go_on

REPOSITORY = Path(__file__).parents[3]
RETRIES = {"run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False}}


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster")), overrides=RETRIES) as found:
        yield found


def a_run(instance: dg.DagsterInstance, status: Status, **tags: str) -> dg.DagsterRun:
    run = dg.DagsterRun(job_name="j", status=status, tags={name.replace("__", "/"): tag for name, tag in tags.items()})
    instance.add_run(run)
    return run


def after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_failed_run_is_left_alone_until_dagster_has_decided(instance: dg.DagsterInstance) -> None:
    run = a_run(instance, Status.FAILURE)
    assert will_go_on(instance, run, now=after(DECIDES_SECONDS - 10))
    assert not will_go_on(instance, run, now=after(DECIDES_SECONDS + 10))


def test_a_run_that_dagster_starts_again_is_waited_for_but_not_for_ever(instance: dg.DagsterInstance) -> None:
    run = a_run(instance, Status.FAILURE, dagster__will_retry="true")
    assert will_go_on(instance, run, now=after(STARTS_AGAIN_SECONDS - 30))
    assert not will_go_on(instance, run, now=after(STARTS_AGAIN_SECONDS + 30))


@pytest.mark.parametrize(
    ("status", "tags"),
    [
        (Status.FAILURE, {"dagster__will_retry": "false"}),
        (Status.FAILURE, {"dagster__max_retries": "0"}),
        (Status.CANCELED, {}),
        (Status.SUCCESS, {}),
    ],
)
def test_what_dagster_never_starts_again_is_over_at_once(
    instance: dg.DagsterInstance, status: Status, tags: dict[str, str]
) -> None:
    assert not will_go_on(instance, a_run(instance, status, **tags), now=after(0))


@pytest.mark.parametrize(
    ("status", "goes_on"), [(Status.NOT_STARTED, True), (Status.STARTED, True), (Status.SUCCESS, False)]
)
def test_a_run_goes_on_in_the_one_that_dagster_started(
    instance: dg.DagsterInstance, status: Status, goes_on: bool
) -> None:
    following = a_run(instance, status)
    run = a_run(instance, Status.FAILURE, dagster__will_retry="true", dagster__auto_retry_run_id=following.run_id)
    assert will_go_on(instance, run, now=after(STARTS_AGAIN_SECONDS * 5)) is goes_on


def test_a_second_retry_that_failed_may_have_a_third(instance: dg.DagsterInstance) -> None:
    second = a_run(instance, Status.FAILURE, dagster__will_retry="true")
    first = a_run(instance, Status.FAILURE, dagster__will_retry="true", dagster__auto_retry_run_id=second.run_id)
    assert will_go_on(instance, first, now=after(5))
    assert not will_go_on(instance, first, now=after(STARTS_AGAIN_SECONDS + 30))


@pytest.mark.parametrize("canceled", [False, True])
def test_a_dead_run_ends_and_holds_no_slot(instance: dg.DagsterInstance, canceled: bool) -> None:
    instance.event_log_storage.set_concurrency_slots("crm_read", 1)
    run = a_run(instance, Status.STARTED)
    instance.event_log_storage.claim_concurrency_slot("crm_read", run.run_id, "step")
    assert end_dead_run(instance, run.run_id, canceled=canceled)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == (Status.CANCELED if canceled else Status.FAILURE)
    # Its job is settled: Dagster must not start it once more.
    assert not will_go_on(instance, ended, now=after(0))
    assert instance.event_log_storage.get_concurrency_info("crm_read").active_slot_count == 0


@pytest.mark.parametrize("status", [Status.NOT_STARTED, Status.SUCCESS, Status.FAILURE, Status.CANCELED])
def test_a_run_that_waits_or_is_over_is_not_touched(instance: dg.DagsterInstance, status: Status) -> None:
    run = a_run(instance, status)
    assert not end_dead_run(instance, run.run_id)
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status == status
    assert not end_dead_run(instance, "unknown")
    assert not end_dead_run(instance, None)


@pytest.mark.parametrize("file", ["dagster.yaml", "docker/dagster.yaml"])
@pytest.mark.parametrize(
    ("at_work", "waiting"),
    [
        ("dagster/partition", "dagster/partition"),
        ("both", "dagster/partition"),
        ("dagster/partition", "both"),
        ("company", "company"),
    ],
)
def test_a_company_has_two_runs_however_they_were_launched(file: str, at_work: str, waiting: str) -> None:
    settings = yaml.safe_load((REPOSITORY / file).read_text(encoding="utf-8"))
    limits = settings["concurrency"]["runs"]["tag_concurrency_limits"]

    def run(company: str, how: str) -> dg.DagsterRun:
        names = ("company", "dagster/partition") if how == "both" else (how,)
        return dg.DagsterRun(job_name="j", tags=dict.fromkeys(names, company))

    one = TagConcurrencyLimitsCounter(limits, [run("a", at_work)])
    two = TagConcurrencyLimitsCounter(limits, [run("a", at_work), run("a", at_work)])
    assert not one.is_blocked(run("a", waiting))
    assert two.is_blocked(run("a", waiting))
    assert not two.is_blocked(run("b", waiting))


@pytest.mark.parametrize("file", ["dagster.yaml", "docker/dagster.yaml"])
def test_a_run_that_is_slow_to_start_is_not_given_up_before_its_call_is(file: str) -> None:
    settings = yaml.safe_load((REPOSITORY / file).read_text(encoding="utf-8"))
    compose = yaml.safe_load((REPOSITORY / "docker/compose.yaml").read_text(encoding="utf-8"))
    for service in ("code-server", "daemon", "webserver"):
        seconds = compose["services"][service]["environment"]["DAGSTER_GRPC_TIMEOUT_SECONDS"]
        call = int(seconds.partition(":-")[2].rstrip("}"))
        assert 60 < call < settings["run_monitoring"]["start_timeout_seconds"]
