"""Who did it: the four actor cases of SPEC 5.2."""

from collections.abc import Mapping
from typing import Any, Final

from cdp_pipelines.domain.activity_logs.audits import Audit, CrmUser

SYSTEM_NAME: Final = "Qontak System"
DELETED_NAME: Final = "[Deleted CRM User]"

# What a run counts of its actors, beside the records themselves.
ACTOR_LIVE: Final = "actor_live"
ACTOR_SYSTEM: Final = "actor_system"
ACTOR_DELETED: Final = "actor_deleted"
ACTOR_UNRESOLVED: Final = "actor_unresolved"
"""Neither live nor soft-deleted: no such user, one the launchpad does not know, or the launchpad did not answer."""

USER_TYPES: Final = frozenset({"User", ""})
"""Other classes of actors have tables, and so ids, of their own."""


def is_user(audit: Audit) -> bool:
    """Whether the audit names a row of the CRM's `users`."""
    return audit.user_id is not None and (audit.user_type or "") in USER_TYPES


def actor_of(audit: Audit, users: Mapping[int, CrmUser], sso_ids: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The document's actor `{id, name}` and the case it was; `id` is empty but for a live user.

    `users` holds the company's CRM users by id, `sso_ids` what the launchpad said of their emails (folded to lower
    case); whoever is in neither counts as unresolved, and the record is kept.
    """
    if audit.user_id is None:
        return {"id": "", "name": SYSTEM_NAME}, ACTOR_SYSTEM
    user = users.get(audit.user_id) if is_user(audit) else None
    if user is None:
        return {"id": "", "name": DELETED_NAME}, ACTOR_UNRESOLVED
    if user.deleted:
        return {"id": "", "name": DELETED_NAME}, ACTOR_DELETED
    sso_id = sso_ids.get(email_key(user.email)) if user.email else None
    if sso_id is None:
        return {"id": "", "name": DELETED_NAME}, ACTOR_UNRESOLVED
    return {"id": sso_id, "name": user.full_name or ""}, ACTOR_LIVE


def email_key(email: str) -> str:
    """How emails are compared."""
    return email.strip().casefold()
