"""SIGKILL at instants spread over a whole notes migration, rollback and replay; what is done again ends the same."""

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from cdp_pipelines.pipelines.migrations.replay import replay
from cdp_pipelines_tests.integration.pipelines.harness import Db
from cdp_pipelines_tests.integration.pipelines.migration_crashing import migrate_and_die
from cdp_pipelines_tests.integration.pipelines.migration_harness import Document
from cdp_pipelines_tests.integration.pipelines.notes_company import (
    CONFIG,
    ROWS,
    TOO_LONG,
    UNKNOWN_PERSON,
    Company,
    Ended,
    serving_files,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.timeout(600)

KILLED = -9
ONE_PAGE: Document = {"page_rows": ROWS, "shards": 1}
BROKEN = ("/missing", "/gone", "/page", "/large")
"""How the paths of files begin that cannot be had, and so are asked for on every try."""


@pytest.fixture
def company(
    stack_env: Mapping[str, str], mongo_db: Db, s3: "S3Client", bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Company]:
    """With a bucket of its own."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, stack_env[name])
    env = {**stack_env, "CDP_S3_BUCKET": bucket}
    with dg.DagsterInstance.ephemeral() as instance, serving_files() as (server, files):
        notes = Notes(env, mongo_db, instance)
        try:
            yield Company(notes, s3, server, files)
        finally:
            notes.close()


def spread(reached: int, number: int) -> range:
    """So many instants of all; an odd step, so that both sent and answered commands are among them."""
    return range(1, reached, max(reached // number, 1) | 1)


def migrated(company: Company) -> Ended:
    assert company.m.run(config=CONFIG).success
    return company.end()


def test_an_uninterrupted_run_has_every_outcome(company: Company) -> None:
    ended = migrated(company)
    job = ended.job
    assert job["status"] == "completed_with_errors"
    assert set(job["records_skipped"]) == {"out_of_scope_type", "not_a_person_note", "deleted_in_crm"}
    assert {row["reason_code"] for row in job["failed_rows"]} == {
        "CONTACT_NOT_MAPPED", "NOTE_TOO_LONG", "invalid_timestamp", "write_failed",
    }  # fmt: skip
    assert {row["reason_code"] for row in job["failed_parts"]} == {
        "ATTACHMENT_DOWNLOAD_FAILED", "ATTACHMENT_SSRF_BLOCKED", "ATTACHMENT_TOO_LARGE", "ATTACHMENT_TYPE_MISMATCH",
    }  # fmt: skip
    assert (job["notes"]["attachments_stored"], job["notes"]["attachments_failed"]) == (8, 6)
    assert {"checkin_dropped", "owner_labeled", "owner_unknown"} <= set(job["notes"])
    assert (len(ended.bucket), len(ended.quarantine)) == (8, 10)
    assert [row["source_id"] for row in ended.quarantine if not row.get("part")] == ["120", "210", "330", "420"]
    assert [document for document in ended.documents if document in company.others] == company.untouched()


def test_killed_anywhere_and_started_again(company: Company) -> None:
    expected = migrated(company)
    company.begin_anew()
    reached = migrate_and_die(company.doomed())
    company.assert_same_end(expected)
    instants = spread(reached, 12)
    assert len(instants) >= 12
    for instant in instants:
        company.begin_anew()
        assert migrate_and_die(company.doomed().at(instant)) == KILLED
        company.go_on()
        company.assert_same_end(expected)


def test_killed_twice_in_a_row(company: Company) -> None:
    expected = migrated(company)
    company.begin_anew()
    reached = migrate_and_die(company.doomed())
    for instant in (reached * 2 // 5, reached * 4 // 5):
        company.begin_anew()
        assert migrate_and_die(company.doomed().at(instant)) == KILLED
        if not company.has_ended():
            migrate_and_die(company.doomed().at(instant // 2))
        company.go_on()
        company.assert_same_end(expected)


def test_killed_between_upload_and_insert_no_file_is_carried_twice(company: Company) -> None:
    """All notes in one page, so that every file has been carried when it is to be inserted."""
    m = company.m
    assert m.run(config=ONE_PAGE).success
    expected = company.end()
    company.begin_anew()
    doomed = replace(company.doomed(**ONE_PAGE), dies_at_insert=1)
    assert migrate_and_die(doomed) == KILLED
    assert (m.notes(), m.job()["records_processed"]) == ([], 0)
    assert company.in_bucket() == expected.bucket
    before = company.last_modified()
    assert m.run(config=ONE_PAGE).success
    company.assert_same_end(expected)
    assert company.last_modified() == before
    good = [path for path in company.fetched() if not path.startswith(BROKEN)]
    assert len(good) == len(set(good)) == len(expected.bucket)
    assert m.job()["notes"]["attachments_unchanged"] == len(expected.bucket)


def test_killed_between_insert_and_count_no_failed_file_is_forgotten(company: Company) -> None:
    """The notes are there when their page is gone through again, and their files are not looked at any more."""
    m = company.m
    assert m.run(config=ONE_PAGE).success
    expected = company.end()
    company.begin_anew()
    doomed = replace(company.doomed(**ONE_PAGE), dies_at_insert=1, inserts_it=True)
    assert migrate_and_die(doomed) == KILLED
    assert (m.job()["records_processed"], m.job()["failed_parts"]) == (0, [])
    assert len(m.notes()) == len(expected.documents) - len(company.others)
    result = m.run(config=ONE_PAGE)
    assert result.success
    company.assert_same_end(expected)
    assert m.job()["records_migrated"] == 0
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "attachments"]
    assert (check.passed, check.metadata["attachments_failed"].value) == (False, 6)


def test_killed_while_files_are_on_their_way(company: Company) -> None:
    expected = migrated(company)
    company.begin_anew()
    deaths: list[int] = []

    def answer(asked: Asked) -> Answer:
        if len(company.server.asked) == 7 and not deaths:
            (process,) = multiprocessing.active_children()
            assert process.pid is not None
            deaths.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        return company.files(asked)

    company.server.answers = answer
    assert migrate_and_die(company.doomed()) == KILLED
    assert len(deaths) == 1
    company.go_on()
    company.assert_same_end(expected)


def test_a_rollback_killed_anywhere_and_repeated(company: Company) -> None:
    m = company.m
    reached = 0
    for number in range(4):
        company.begin_anew()
        migrated(company)
        if number == 0:
            reached = migrate_and_die(company.doomed("rollback"))
        else:
            assert migrate_and_die(company.doomed("rollback").at(reached * number // 4)) == KILLED
            ended = m.job()["status"] == "rolled_back"
            assert m.rollback().success
            assert ended or m.job()["status"] == "rolled_back"
        assert company.documents() == company.untouched()
        assert company.in_bucket() == {}
        assert company.quarantine() == []
        assert "lease" not in m.job()


def test_a_replay_killed_anywhere_and_repeated(company: Company) -> None:
    """The server of files has what it had not, one person has a contact, and a note became shorter."""
    m = company.m

    def prepare() -> None:
        company.begin_anew()
        m.db["contacts"].delete_many({"crm_data.id": "404"})
        m.crm.connection.execute("UPDATE crm_notes SET note = %s WHERE id = %s", ("x" * 10_001, TOO_LONG))
        migrated(company)
        company.files.mended = True
        m.db["contacts"].insert_one({**mapped, "company_sso_id": m.company})
        m.crm.connection.execute("UPDATE crm_notes SET note = '<b>Short</b>' WHERE id = %s", (TOO_LONG,))

    mapped = {"_id": "contact of 404", "name": "C", "crm_data": {"id": "404"}}
    prepare()
    replay(m.services(), m.company, "uninterrupted")
    expected = company.end()
    assert expected.job["records_failed"] == len(expected.job["failed_rows"]) == 2
    assert [row["source_id"] for row in expected.quarantine if not row.get("part")] == ["210", "420"]
    # Too large, from a host that is not allowed, and gone for ever, of which one is of a note that has come only now.
    parts = [row["source_id"].split("/")[0] for row in expected.quarantine if row.get("part")]
    assert parts == ["103", "104", str(UNKNOWN_PERSON), "203"]
    assert expected.job["notes"]["attachments_failed"] == len(expected.job["failed_parts"]) == 4
    assert len(expected.bucket) == 8 + 3 + 2
    prepare()
    reached = migrate_and_die(company.doomed("replay"))
    company.assert_same_end(expected)
    for instant in spread(reached, 4):
        prepare()
        assert migrate_and_die(company.doomed("replay").at(instant)) == KILLED
        # The clock of these services counts whole seconds.
        replay(m.services(ahead=timedelta(seconds=1)), m.company, "again")
        company.assert_same_end(expected)
