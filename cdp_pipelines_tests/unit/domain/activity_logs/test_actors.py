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
