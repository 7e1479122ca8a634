"""The launchpad going away, or answering wrongly, while a company is migrated: records are kept, nobody is misnamed."""

import json
from collections.abc import Callable

import pytest

from cdp_pipelines.resources.crm_postgres import CrmPostgresResource
from cdp_pipelines.resources.launchpad import LaunchpadResource
from cdp_pipelines_tests.integration.pipelines.migration_harness import (
    Document,
    Migrations,
    assert_adds_up,
    migration_resource,
)
from cdp_pipelines_tests.integration.resources.http_servers import Answer, Asked, recording_server

DELETED = {"id": "", "name": "[Deleted CRM User]"}


def with_users(m: Migrations, rows: int = 6) -> Migrations:
    """Audits by one user whom the launchpad knows."""
    m.crm.user(m.cid, 7, "live@example.com", "Live User")
    for number in range(rows):
        m.crm.audit(m.cid, auditable_id=number + 1, user_id=7, user_type="User")
    return m


def actors(m: Migrations) -> list[Document]:
    return [document["actor"] for document in m.logs()]


def json_answer(document: object) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()


def users_answer(*users: object) -> Answer:
    return json_answer({"users": list(users)})


def emails(asked: Asked) -> list[str]:
    found: list[str] = asked.json()["emails"]
    return found


OUTAGES: dict[str, Answer | Callable[[Asked], Answer]] = {
    "500": 500,
    "401": 401,
    "hang": "hang",
    "hang up": "hang up",
    "redirect": (302, {"Location": "http://127.0.0.1:1/"}, b""),
    "no JSON": (200, {}, b"<html>"),
    "a list": json_answer([]),
    "users is a text": json_answer({"users": "none"}),
}
WRONG: dict[str, Callable[[Asked], Answer]] = {
    "other emails": lambda _: users_answer({"email": "other@example.com", "sso_id": "u-1"}),
    "sso_id is a number": lambda asked: users_answer({"email": emails(asked)[0], "sso_id": 7}),
    "sso_id is empty": lambda asked: users_answer({"email": emails(asked)[0], "sso_id": ""}),
    "no objects": lambda _: users_answer(None, 1, "x", []),
}


@pytest.mark.any_mongo
@pytest.mark.parametrize("name", OUTAGES)
def test_the_launchpad_away_keeps_every_record_and_is_counted(migrations: Migrations, name: str) -> None:
    """Away while the pages are written, back when they are compared."""
    m = with_users(migrations)
    first: list[object] = []

    def answer(asked: Asked) -> Answer:
        # One question is asked twice at most; whoever asks later gets an answer.
        first.append(asked)
        tries = 1 if name in {"401", "redirect", "no JSON", "a list", "users is a text"} else 2
        if len(first) <= tries:
            failing = OUTAGES[name]
            return failing(asked) if callable(failing) else failing
        return users_answer(*({"email": email, "sso_id": "u-7"} for email in emails(asked)))

    with recording_server(answer) as server:
        resource = migration_resource(
            m.env, m.db.name, crm=CrmPostgresResource(dsn=m.crm.dsn),
            launchpad=LaunchpadResource(root_url=server.url, timeout_seconds=1, retry_waits=[]),
        )  # fmt: skip
        assert m.run(resource=resource, config={"page_rows": 2}).success
    job = m.job()
    assert_adds_up(job)
    assert actors(m) == [DELETED] * 6
    assert job["notes"] == {"actor_unresolved": 6, "degraded_actor": 6, "launchpad_outages": 1}
    assert (job["status"], job["match_pct"]) == ("completed", 100.0)
    assert job["reconciliation"]["notes"] == {"actor_degraded": 6}


@pytest.mark.any_mongo
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_puts_nobody_on_a_timeline(migrations: Migrations, name: str) -> None:
    m = with_users(migrations)
    with recording_server(WRONG[name]) as server:
        resource = migration_resource(
            m.env, m.db.name, crm=CrmPostgresResource(dsn=m.crm.dsn), launchpad=LaunchpadResource(root_url=server.url)
        )
        assert m.run(resource=resource).success
    job = m.job()
    assert actors(m) == [DELETED] * 6
    assert job["notes"] == {"actor_unresolved": 6}
    assert (job["status"], job["match_pct"], job["reconciliation"]["notes"]) == ("completed", 100.0, {})


def test_who_has_left_and_who_never_was_a_user(migrations: Migrations) -> None:
    m = migrations
    left: dict[str, Document] = {
        "status@example.com": {"status": "deactivated"},
        "flag@example.com": {"is_active": False},
        "date@example.com": {"deactivated_at": "2024-01-01T00:00:00Z"},
        "here@example.com": {"status": "active", "is_active": True, "deactivated_at": None},
    }
    for number, email in enumerate(left, start=1):
        m.crm.user(m.cid, number, email, f"User {number}")
        m.crm.audit(m.cid, user_id=number, user_type="User")
    m.crm.audit(m.cid, username="Import 2019")
    m.crm.audit(m.cid, username=" ")

    def answer(asked: Asked) -> Answer:
        return users_answer(*({"email": email, "sso_id": f"u-{email}", **left[email]} for email in emails(asked)))

    with recording_server(answer) as server:
        resource = migration_resource(
            m.env, m.db.name, crm=CrmPostgresResource(dsn=m.crm.dsn), launchpad=LaunchpadResource(root_url=server.url)
        )
        assert m.run(resource=resource).success
    assert actors(m) == [
        *[DELETED] * 3,
        {"id": "u-here@example.com", "name": "User 4"},
        {"id": "", "name": "Import 2019"},
        {"id": "", "name": "Qontak System"},
    ]
    job = m.job()
    assert job["notes"] == {"actor_deleted": 3}
    assert (job["match_pct"], job["reconciliation"]["notes"]) == (100.0, {})


def test_the_launchpad_is_asked_once_for_each_user_of_a_run_and_told_who_asks(migrations: Migrations) -> None:
    m = with_users(migrations, 9)
    m.crm.user(m.cid, 8, " LIVE@Example.com ", "Same address")
    m.crm.audit(m.cid, user_id=8, user_type="User")

    def answer(asked: Asked) -> Answer:
        return users_answer(*({"email": email, "sso_id": "u-7"} for email in emails(asked)))

    with recording_server(answer) as server:
        launchpad = LaunchpadResource(root_url=server.url, authorization="Bearer of-the-launchpad")
        resource = migration_resource(m.env, m.db.name, crm=CrmPostgresResource(dsn=m.crm.dsn), launchpad=launchpad)
        assert m.run(resource=resource, config={"page_rows": 2}).success
    # What the migration was told, the comparison knows.
    assert [asked.json() for asked in server.asked] == [{"company_sso_id": m.company, "emails": ["live@example.com"]}]
    for asked in server.asked:
        assert asked.headers["authorization"] == "Bearer of-the-launchpad"
        assert asked.headers["x-company-sso-id"] == m.company
    assert {actor["id"] for actor in actors(m)} == {"u-7"}
