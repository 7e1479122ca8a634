"""SIGKILL before, between and after every side effect, then swept or started again: one end, one email, no orphan."""

from collections.abc import Callable

import pytest

from cdp_pipelines_tests.integration.pipelines.crashing import NEVER, Doomed, run_and_die
from cdp_pipelines_tests.integration.pipelines.harness import Exports

# What survives a kill is what a server has acknowledged, whichever it is; the notes' kills are on each.
pytestmark = [pytest.mark.timeout(600), pytest.mark.any_mongo]


def doom(exports: Exports, job_id: str, dies_at: int) -> Doomed:
    return Doomed(dict(exports.env), exports.db.name, exports.company, job_id, str(exports.tmp_path / "work"), dies_at)


def queued(exports: Exports) -> str:
    """A request as the sensor leaves it behind: claimed, judged, its run asked for."""
    job_id = exports.queue()
    exports.tick()
    return job_id


def number_of_instants(exports: Exports) -> int:
    reached = run_and_die(doom(exports, queued(exports), NEVER))
    assert reached > 30
    return reached


def assert_one_right_end(exports: Exports, job_id: str) -> str:
    job = exports.job(job_id)
    emails = exports.emails(job_id)
    files = [key for key in exports.objects() if key == job.get("object_key")]
    assert len(emails) <= 1
    if job["status"] == "completed":
        assert files == [job["result"]["key"]]
        assert exports.content(job).decode("utf-8-sig").count("\r\n") == 3
        assert all(list(email.iter_attachments()) for email in emails)
    else:
        assert job["status"] == "failed"
        assert files == []
        assert len(emails) == 1
        assert not list(emails[0].iter_attachments())
        assert job["failure_reason"]
    assert "lease" not in job
    return str(job["status"])


def test_killed_at_every_other_instant_and_swept(make_exports: Callable[..., Exports]) -> None:
    exports = make_exports()
    ends = []
    for instant in range(2, number_of_instants(exports) + 1, 2):
        job_id = queued(exports)
        assert run_and_die(doom(exports, job_id, instant)) == -9
        exports.sweep()
        if exports.job(job_id)["status"] == "queued":
            # Killed before the run took the job: nothing had happened, so another run does all of it.
            run_and_die(doom(exports, job_id, NEVER))
        ends.append(assert_one_right_end(exports, job_id))
        exports.sweep()
        assert_one_right_end(exports, job_id)
    assert set(ends) == {"completed", "failed"}


def test_killed_at_the_instants_between_and_started_again(make_exports: Callable[..., Exports]) -> None:
    exports = make_exports()
    job_id = ""
    for instant in range(1, number_of_instants(exports) + 1, 2):
        job_id = queued(exports)
        assert run_and_die(doom(exports, job_id, instant)) == -9
        run_and_die(doom(exports, job_id, NEVER))
        assert assert_one_right_end(exports, job_id) == "completed"
    run_and_die(doom(exports, job_id, NEVER))
    assert len(exports.emails(job_id)) <= 1
    assert exports.leftovers() == []


def test_killed_twice_while_ending_badly(make_exports: Callable[..., Exports]) -> None:
    """The failing path is killed as well: a request whose contacts do not exist."""
    exports = make_exports()
    for instant in range(20, 80, 7):
        job_id = exports.queue(contact_ids=["f" * 24])
        exports.tick()
        run_and_die(doom(exports, job_id, instant))
        run_and_die(doom(exports, job_id, instant + 3))
        exports.sweep()
        exports.sweep()
        job = exports.job(job_id)
        assert job["status"] == "failed"
        assert len(exports.emails(job_id)) <= 1
        assert exports.objects() == []
