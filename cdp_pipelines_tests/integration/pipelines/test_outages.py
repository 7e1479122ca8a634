"""S3, SMTP and MongoDB going away in the middle, and requests that are stopped: every end is a right one."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from pymongo import monitoring

from cdp_pipelines.local.mail_control import MailControl, MailFailure
from cdp_pipelines.local.stack import LocalStack
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines_tests.integration.pipelines.harness import Exports, contact_id, export_resource

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def mail_faults(stack: LocalStack) -> Iterator[MailControl]:
    control = MailControl(stack.mail_control_path())
    yield control
    control.clear()


def start_again_when_down(stack: LocalStack, name: str, after_seconds: float) -> threading.Thread:
    """Starts a stopped server again a little later, while the work under test is running."""
    thread = threading.Timer(after_seconds, stack.start_one, args=(name,))
    thread.start()
    return thread


@pytest.mark.any_mongo
def test_mail_server_busy_for_a_moment_sends_once(exports: Exports, mail_faults: MailControl) -> None:
    job_id = exports.queue()
    mail_faults.fail(
        MailFailure(stage="data", answer="451 4.3.0 Try again later", times=2, recipient=f"{job_id}@example.com")
    )
    (request,) = exports.tick()
    assert exports.run(request).success
    assert exports.job(job_id)["status"] == "completed"
    assert len(exports.emails(job_id)) == 1


@pytest.mark.any_mongo
def test_mail_refused_for_good_fails_the_export_and_the_sweeper_tells_later(
    exports: Exports, mail_faults: MailControl
) -> None:
    job_id = exports.queue()
    mail_faults.fail(MailFailure(stage="data", answer="554 5.7.1 No", recipient=f"{job_id}@example.com"))
    (request,) = exports.tick()
    assert not exports.run(request).success
    job = exports.job(job_id)
    assert (job["status"], job["error"]["code"], job["result"]) == ("failed", "SMTP_REFUSED", None)
    assert exports.objects() == []
    assert exports.emails(job_id) == []
    mail_faults.clear()
    exports.sweep()
    exports.sweep()
    (email,) = exports.emails(job_id)
    assert list(email.iter_attachments()) == []


@pytest.mark.any_mongo
def test_a_server_that_takes_no_large_mail_gets_the_link_alone(exports: Exports, mail_faults: MailControl) -> None:
    job_id = exports.queue()
    answer = "552 5.3.4 Message size exceeds fixed limit"
    mail_faults.fail(MailFailure(stage="data", answer=answer, times=1, recipient=f"{job_id}@example.com"))
    (request,) = exports.tick()
    assert exports.run(request).success
    (email,) = exports.emails(job_id)
    assert list(email.iter_attachments()) == []
    assert exports.job(job_id)["result"]["url"] in email.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.any_mongo
def test_an_email_whose_fate_is_unknown_is_never_sent_again(exports: Exports, mail_faults: MailControl) -> None:
    job_id = exports.queue()
    mail_faults.fail(MailFailure(stage="stored", drop=True, recipient=f"{job_id}@example.com"))
    (request,) = exports.tick()
    assert exports.run(request).success
    exports.sweep()
    assert exports.job(job_id)["status"] == "completed"
    assert len(exports.emails(job_id)) == 1


@pytest.mark.any_mongo
def test_store_away_for_good_fails_with_one_email(exports: Exports, stack: LocalStack) -> None:
    job_id = exports.queue()
    (request,) = exports.tick()
    stack.stop_one("s3")
    try:
        assert not exports.run(request).success
    finally:
        stack.start_one("s3")
    job = exports.job(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "OBJECT_STORE_UNAVAILABLE")
    assert len(exports.emails(job_id)) == 1
    assert exports.leftovers() == []
    assert job["cleanup_pending"] is True
    report = exports.sweep()
    assert "cleanup_pending" not in exports.job(job_id)
    assert any("left-over file removed" in line for line in report.lines)


def test_mongo_away_for_a_moment_is_waited_out(exports: Exports, stack: LocalStack) -> None:
    job_id = exports.queue()
    (request,) = exports.tick()
    stack.stop_one("mongo")
    starter = start_again_when_down(stack, "mongo", 3)
    try:
        assert exports.run(request).success
    finally:
        starter.join()
    assert exports.job(job_id)["status"] == "completed"
    assert len(exports.emails(job_id)) == 1


class StopAfter(monitoring.CommandListener):
    """Does something once, after the n-th batch of contacts was read."""

    def __init__(self, batches: int, action: Callable[[], None]) -> None:
        self.left, self.action = batches, action

    def started(self, event: monitoring.CommandStartedEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        reply: dict[str, Any] = dict(event.reply)
        if "contacts" in str(reply.get("cursor", {}).get("ns", "")):
            self.left -= 1
            if self.left == 0:
                self.action()


def listening(exports: Exports, listener: monitoring.CommandListener) -> dict[str, Any]:
    """The run's resources with a listener on the driver."""

    class Listened(CdpMongoResource):
        def client_options(self) -> dict[str, Any]:
            return {"event_listeners": [listener]}

    listened = Listened(uri=exports.env["CDP_MONGO_URI"], database_name=exports.db.name)
    return {"contact_export": export_resource(exports.env, exports.db.name, cdp_mongo=listened)}


def test_mongo_dying_while_contacts_are_read_starts_the_file_again(
    make_exports: Callable[..., Exports], stack: LocalStack
) -> None:
    exports = make_exports(contacts=1_600)
    job_id = exports.queue(contact_ids=..., selection_mode="first_10k_sorted", selected_fields=["name"])
    (request,) = exports.tick()
    starters: list[threading.Thread] = []

    def cut() -> None:
        stack.stop_one("mongo")
        starters.append(start_again_when_down(stack, "mongo", 2))

    assert exports.run(request, **listening(exports, StopAfter(2, cut))).success
    assert starters
    for starter in starters:
        starter.join()
    job = exports.job(job_id)
    assert (job["status"], job["success_count"]) == ("completed", 1_600)
    assert exports.content(job).decode().count("\r\n") == 1_601


def test_a_cancel_stops_the_run_within_a_batch(make_exports: Callable[..., Exports]) -> None:
    exports = make_exports(contacts=3_000)
    job_id = exports.queue(contact_ids=..., selection_mode="first_10k_sorted")
    (request,) = exports.tick()

    def ask_to_stop() -> None:
        exports.services().jobs.request_cancel(job_id)

    listener = StopAfter(2, ask_to_stop)
    assert not exports.run(request, **listening(exports, listener)).success
    job = exports.job(job_id)
    assert job["status"] == "canceled"
    assert job["success_count"] <= 1_000
    assert exports.objects() == []
    assert exports.leftovers() == []
    assert exports.emails(job_id) == []


def test_a_canceled_or_failed_dagster_run_is_swept(exports: Exports) -> None:
    from cdp_pipelines.definitions import build_defs

    job = build_defs(resources=exports.run_resources()).resolve_job_def("contact_export")
    ended: dict[dg.DagsterRunStatus, str] = {}
    for status in (dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE):
        ended[status] = exports.queue()
        (request,) = exports.tick()
        exports.instance.create_run_for_job(job, tags=dict(request.tags), status=status)
    alive = exports.queue()
    (request,) = exports.tick()
    exports.instance.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)
    exports.sweep()
    canceled, untaken = ended[dg.DagsterRunStatus.CANCELED], ended[dg.DagsterRunStatus.FAILURE]
    assert exports.job(canceled)["status"] == "failed"
    assert len(exports.emails(canceled)) == 1
    # A run that failed before it took its request is launched again, and nobody is told.
    assert (exports.job(untaken)["status"], len(exports.emails(untaken))) == ("queued", 0)
    assert "launch" not in exports.job(untaken)
    assert "operator" in exports.job(canceled)["failure_reason"]
    assert exports.job(alive)["status"] == "queued"


def test_a_job_without_a_sign_is_dead_whatever_dagster_says(exports: Exports) -> None:
    """As after the whole code server died: nobody tells Dagster that the run is over."""
    job_id = exports.queue()
    (request,) = exports.tick()
    run = exports.instance.create_run_for_job(
        _job_definition(exports), tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED
    )
    exports.services().jobs.start(job_id, exports.company, run.run_id, now=datetime.now(UTC))
    exports.sweep(ahead=timedelta(minutes=10))
    assert exports.job(job_id)["status"] == "processing"
    exports.sweep(ahead=timedelta(minutes=16))
    assert (exports.job(job_id)["status"], exports.job(job_id)["error"]["code"]) == ("failed", "RUN_DIED")
    assert len(exports.emails(job_id)) == 1


def test_two_runs_of_one_request(exports: Exports) -> None:
    job_id = exports.queue()
    (request,) = exports.tick()
    exports.services().jobs.start(job_id, exports.company, "another-run", now=datetime.now(UTC))
    job = _job_definition(exports)
    run = exports.instance.create_run_for_job(job, tags=dict(request.tags), status=dg.DagsterRunStatus.STARTED)
    exports.db["bulk_upload_jobs"].update_one({"job_id": job_id}, {"$set": {"lease.owner_run_id": run.run_id}})
    result = exports.run(request)
    assert result.success
    assert exports.job(job_id)["status"] == "processing"
    assert exports.emails(job_id) == []


def _job_definition(exports: Exports) -> Any:
    from cdp_pipelines.definitions import build_defs

    return build_defs(resources=exports.run_resources()).resolve_job_def("contact_export")


def test_a_queue_that_stands_still_is_alerted_once(exports: Exports, http_apis: Any) -> None:
    old = datetime.now(UTC) - timedelta(minutes=11)
    exports.queue(created_at=old)
    for _ in range(3):
        exports.sweep(ahead=timedelta(0))
    alerts = [request for request in http_apis.requests("/alerts") if "waited" in str(request.body)]
    assert len(alerts) == 1


def test_purging_removes_the_file_and_the_person(exports: Exports) -> None:
    from cdp_pipelines.pipelines.contact_export.conclude import purge

    job = exports.export(contact_ids=[contact_id(1), contact_id(999)])
    purge(exports.services(), job, by="steward-1")
    left = exports.job(job["job_id"])
    assert exports.objects() == []
    assert not left.keys() & {"email", "contact_ids", "result", "list_failed_rows"}
    assert exports.db["export_history"].count_documents({}) == 0
    assert exports.db["migration_failures"].count_documents({}) == 0
    actions = {entry["action"]: entry for entry in exports.db["export_audit"].find({})}
    assert actions["purged"]["purged_by"] == "steward-1"
    assert actions["partial"]["row_count"] == 1


@pytest.mark.any_mongo
def test_what_a_slow_machine_leaves_is_removed_by_the_next_run(exports: Exports) -> None:
    dead = exports.tmp_path / "work" / "cdp-export-999999-abc"
    dead.mkdir(parents=True)
    (dead / "export.csv").write_text("half a file")
    exports.export()
    assert exports.leftovers() == []
