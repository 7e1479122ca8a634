import pytest

from cdp_pipelines.domain.activity_logs.actors import actor_of, is_user, known_actors
from cdp_pipelines.domain.crm_records import CrmUser, email_key
from cdp_pipelines_tests.unit.domain.activity_logs.golden_cases import audit_of


@pytest.mark.parametrize(
    ("user_id", "user_type", "expected"),
    [
        (1, "User", True), (1, None, True), (1, "", True), (1, "AdminUser", False), (None, "User", False),
        (0, "User", True),
    ],
)  # fmt: skip
def test_only_users_are_looked_up(user_id: int | None, user_type: str | None, expected: bool) -> None:
    assert is_user(audit_of({"user_id": user_id, "user_type": user_type})) is expected


@pytest.mark.parametrize("email", ["ann@example.com", " Ann@EXAMPLE.com\n"])
def test_emails_are_compared_without_case_and_margins(email: str) -> None:
    assert email_key(email) == "ann@example.com"


def test_a_soft_deleted_user_is_never_shown_by_name() -> None:
    users = {7: CrmUser("ann@example.com", "Ann", deleted=True)}
    actor = actor_of(audit_of({"user_id": 7}), known_actors(users, {"ann@example.com": "sso"}))
    assert (actor.as_document(), actor.case) == ({"id": "", "name": "[Deleted CRM User]"}, "actor_deleted")


@pytest.mark.parametrize(
    ("user", "case"),
    [
        (CrmUser("Bob@example.com ", "Bob", deleted=False), "degraded_actor"),
        (CrmUser("ann@example.com", "Ann", deleted=False), "actor_live"),
        (CrmUser("stranger@example.com", "S", deleted=False), "actor_unresolved"),
        (CrmUser("bob@example.com", "Bob", deleted=True), "actor_deleted"),
        (CrmUser(None, "No Email", deleted=False), "actor_unresolved"),
        (CrmUser("", "Empty", deleted=False), "actor_unresolved"),
    ],
)
def test_an_outage_is_told_apart_from_somebody_whom_the_launchpad_does_not_know(user: CrmUser, case: str) -> None:
    known = known_actors({7: user}, {"ann@example.com": "sso"}, {"bob@example.com"})
    actor = actor_of(audit_of({"user_id": 7}), known)
    assert actor.case == case
    assert actor.as_document() == (
        {"id": "sso", "name": "Ann"} if case == "actor_live" else {"id": "", "name": "[Deleted CRM User]"}
    )


@pytest.mark.parametrize("audit", [{"user_id": None}, {"user_id": 7, "user_type": "AdminUser"}, {"user_id": 99}])
def test_whoever_is_not_asked_about_is_not_degraded(audit: dict[str, object]) -> None:
    users = {7: CrmUser("bob@example.com", "Bob", deleted=False)}
    assert actor_of(audit_of(audit), known_actors(users, {}, {"bob@example.com"})).case != "degraded_actor"
