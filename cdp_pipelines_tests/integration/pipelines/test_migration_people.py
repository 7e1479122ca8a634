"""People whom an outage of the launchpad left unknown: listed, shown, and set right, those fields and no other."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import dagster as dg
import pytest

from cdp_pipelines.pipelines.migrations.replay import replay
from cdp_pipelines.pipelines.migrations.services import MigrationResource, MigrationServices
from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.launchpad import LaunchpadResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    Document,
    Migrations,
    assert_adds_up,
    migration_resource,
)
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes
from cdp_pipelines_tests.integration.pipelines.test_activity_logs_launchpad import emails, users_answer
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, recording_server

LIVE = {"id": "u-7", "name": "Live User"}
DELETED = {"id": "", "name": "[Deleted CRM User]"}


class Launchpad:
    """Away until it is told to come back; then it knows one user."""

    def __init__(self) -> None:
        self.away = True

    def __call__(self, asked: Asked) -> Answer:
        if self.away:
            return 503
        return users_answer(*({"email": email, "sso_id": "u-7"} for email in emails(asked) if "live" in email))


@contextmanager
def pointed_at(m: Migrations, url: str, *waits: float) -> Iterator[MigrationResource]:
    launchpad = LaunchpadResource(root_url=url, timeout_seconds=2, retry_waits=list(waits))
    resource = migration_resource(m.env, m.db.name, crm=CrmPostgresResource(dsn=m.crm.dsn), launchpad=launchpad)
    with closing(resource):
        yield resource


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def with_people(m: Migrations) -> None:
    m.crm.user(m.cid, 7, "live@example.com", "Live User")
    m.crm.user(m.cid, 8, "stranger@example.com", "Stranger")
    m.crm.user(m.cid, 9, "gone@example.com", "Gone User", deleted=True)


def test_actors_are_listed_shown_and_set_right_by_a_replay(migrations: Migrations) -> None:
    m, answers = migrations, Launchpad()
    with_people(m)
    for user in (7, 8, 9, None, 7):
        m.crm.audit(m.cid, auditable_id=50, user_id=user, user_type="User" if user else None)
    with recording_server(answers) as server, pointed_at(m, server.url) as resource:
        result = m.run(resource=resource, config={"page_rows": 2})
        assert result.success
        job = m.job()
        # The deleted one and nobody are not the launchpad's to say.
        assert (job["notes"]["degraded_actor"], job["match_pct"]) == (3, 100.0)
        listed = [(row["id"], row["reason_code"]) for row in job["degraded_rows"]]
        assert listed == [(f"{number}/actor", "degraded_actor") for number in (1, 2, 5)]
        assert m.db["migration_failures"].count_documents({"part": True, "reason_code": "degraded_actor"}) == 3
        check = checks(result)["degraded_people"]
        assert (check.passed, check.severity, check.metadata["degraded_actor"].value) == (
            False, dg.AssetCheckSeverity.WARN, 3,
        )  # fmt: skip
        assert "cdp migrate replay activity-logs" in str(check.description)
        # Away still: nothing is lost from the list.
        services = MigrationServices(resource, m.kind)
        found = replay(services, m.company, "replay-1")
        assert (found.people_looked_at, found.people_mended, found.people_unknown) == (3, 0, 3)
        answers.away = False
        before = m.logs()
        m.db["activity_logs"].update_one({"_id": before[4]["_id"]}, {"$set": {"attributes": ["edited"]}})
        found = replay(MigrationServices(resource, m.kind), m.company, "replay-2")
        # One is set right, one is unknown to the launchpad for good, one is not as its row says in more than its actor.
        assert (found.people_looked_at, found.people_mended, found.people_unknown) == (3, 1, 0)
    assert m.logs() == [{**before[0], "actor": LIVE}, *before[1:4], {**before[4], "attributes": ["edited"]}]
    job = m.job()
    assert_adds_up(job)
    assert (job["notes"]["degraded_actor"], job["notes"]["degraded_mended"], job["degraded_rows"]) == (0, 1, [])
    assert m.db["migration_failures"].count_documents({}) == 0


def test_a_forced_run_sets_right_what_no_list_tells_of_any_more(migrations: Migrations) -> None:
    m, answers = migrations, Launchpad()
    with_people(m)
    for _ in range(4):
        m.crm.audit(m.cid, auditable_id=50, user_id=7, user_type="User")
    with recording_server(answers) as server, pointed_at(m, server.url) as resource:
        assert m.run(resource=resource).success
        # As a company that was migrated before there was a list, or after its days.
        m.db["migration_failures"].delete_many({})
        before = m.logs()
        assert [document["actor"] for document in before] == [DELETED] * 4
        # A forced run while it is away changes nothing, and lists nobody who is there already.
        assert m.run(resource=resource, config={"force": True}).success
        assert (m.logs(), m.db["migration_failures"].count_documents({})) == (before, 0)
        answers.away = False
        result = m.run(resource=resource, config={"force": True})
        assert result.success
    assert m.logs() == [{**document, "actor": LIVE} for document in before]
    job = m.job()
    assert (job["records_migrated"], job["reconciliation"]["mended"], job["notes"]["degraded_mended"]) == (0, 4, 4)
    assert (job["match_pct"], checks(result)["degraded_people"].passed) == (100.0, True)


def test_owners_are_set_right_by_a_start_that_goes_on_and_by_force(notes: Notes) -> None:
    m, answers = notes, Launchpad()
    with_people(m)
    first = [m.note(creator_id=creator) for creator in (7, 8, 9, None)]
    m.note(crm_person_id=404, creator_id=7)
    with recording_server(answers) as server:
        resource = m.with_resources(launchpad=LaunchpadResource(root_url=server.url, timeout_seconds=2, retry_waits=[]))
        result = m.run(resource=resource)
        assert result.success
        job = m.job()
        assert (job["status"], job["notes"]["degraded_owner"]) == ("completed_with_errors", 2)
        assert [row["id"] for row in job["degraded_rows"]] == [f"{first[0]}/owner", f"{first[1]}/owner"]
        check = checks(result)["degraded_people"]
        assert (check.passed, check.metadata["degraded_owner"].value) == (False, 2)
        # They are no failed files.
        assert (job["failed_parts"], checks(result)["attachments"].passed) == ([], True)
        before = m.notes()
        answers.away = False
        assert m.run(resource=resource).success
    after = m.notes()
    expected: Document = {**before[0], "owner_id": "u-7"}
    del expected["legacy_owner_label"]
    assert after == [expected, *before[1:]]
    job = m.job()
    assert (job["starts"], job["taken_up"]["people"], job["notes"]["degraded_owner"]) == (2, 2, 0)


@pytest.mark.any_mongo
def test_a_launchpad_away_for_a_moment_degrades_nobody(migrations: Migrations) -> None:
    m, answers = migrations, Launchpad()
    with_people(m)
    m.crm.audit(m.cid, auditable_id=50, user_id=7, user_type="User")
    seen: list[str] = []

    def answer(asked: Asked) -> Answer:
        seen.append(asked.path)
        answers.away = len(seen) <= 4
        return answers(asked)

    with recording_server(answer) as server, pointed_at(m, server.url, 0.01, 0.02) as resource:
        assert m.run(resource=resource).success
    assert [document["actor"] for document in m.logs()] == [LIVE]
    assert m.job()["notes"] == {}
