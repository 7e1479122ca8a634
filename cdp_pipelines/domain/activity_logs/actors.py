"""Who did it: the actor cases of SPEC 5.2."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.crm_records import CrmUser, email_key
from cdp_pipelines.domain.launchpad_users import DEACTIVATED
from cdp_pipelines.domain.outcomes import DEGRADED_ACTOR

SYSTEM_NAME: Final = "Qontak System"
DELETED_NAME: Final = "[Deleted CRM User]"

# What a run counts of its actors, beside the records themselves.
ACTOR_LIVE: Final = "actor_live"
ACTOR_NAMED: Final = "actor_named"
"""No user of the CRM, but a name that was written in one's place: a script, an import, a person without an account."""
ACTOR_SYSTEM: Final = "actor_system"
ACTOR_DELETED: Final = "actor_deleted"
"""Deleted in the CRM, or deactivated in the launchpad."""
ACTOR_UNRESOLVED: Final = "actor_unresolved"
"""Neither live nor soft-deleted: no such user, one the launchpad does not know, or the launchpad did not answer."""

USER_TYPES: Final = frozenset({"User", ""})
"""Other classes of actors have tables, and so ids, of their own."""


def is_user(audit: Audit) -> bool:
    """Whether the audit names a row of the CRM's `users`."""
    return audit.user_id is not None and (audit.user_type or "") in USER_TYPES


class Actor(NamedTuple):
    """An actor, and which case it was; `id` is empty but for a live user."""

    id: str
    name: str
    case: str

    def as_document(self) -> dict[str, Any]:
        """As it stands in a migrated document."""
        return {"id": self.id, "name": self.name}


_SYSTEM: Final = Actor("", SYSTEM_NAME, ACTOR_SYSTEM)
_DELETED: Final = Actor("", DELETED_NAME, ACTOR_DELETED)
_UNRESOLVED: Final = Actor("", DELETED_NAME, ACTOR_UNRESOLVED)
_DEGRADED: Final = Actor("", DELETED_NAME, DEGRADED_ACTOR)


def known_actors(
    users: Mapping[int, CrmUser], sso_ids: Mapping[str, str], unanswered: Collection[str] = ()
) -> dict[int, Actor]:
    """The actors that these CRM users are, by id, each worked out once for all its audits.

    `sso_ids` is what the launchpad said of their emails (folded to lower case), `DEACTIVATED` of those who have left;
    whoever it does not know is unresolved. `unanswered` are the emails of which it has said nothing, because it was
    away: who they are is to be asked again.
    """
    return {number: _actor(user, sso_ids, unanswered) for number, user in users.items()}


def actor_of(audit: Audit, known: Mapping[int, Actor]) -> Actor:
    """Who made an audit; whoever is not among `known` counts as unresolved, and the record is kept."""
    if audit.user_id is None:
        name = (audit.username or "").strip()
        return Actor("", name, ACTOR_NAMED) if name else _SYSTEM
    return known.get(audit.user_id, _UNRESOLVED) if is_user(audit) else _UNRESOLVED


def _actor(user: CrmUser, sso_ids: Mapping[str, str], unanswered: Collection[str]) -> Actor:
    if user.deleted:
        return _DELETED
    key = email_key(user.email) if user.email else ""
    sso_id = sso_ids.get(key) if key else None
    if sso_id == DEACTIVATED:
        return _DELETED
    if sso_id is None:
        return _DEGRADED if key and key in unanswered else _UNRESOLVED
    return Actor(sso_id, user.full_name or "", ACTOR_LIVE)
