"""Who wrote a note: a user of the CDP, or the name that the CRM knew them by (SPEC 6, owner).

Belongs here: choosing the owner, and which name a reader is shown. Not here: asking the CRM and the launchpad.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from cdp_pipelines.domain.crm_records import CrmUser, email_key
from cdp_pipelines.domain.launchpad_users import DEACTIVATED

UNKNOWN_LABEL: Final = "[Legacy CRM User]"
LONGEST_LABEL: Final = 200

# What a run counts of its owners, beside the notes themselves.
OWNER_LABELED: Final = "owner_labeled"
"""Not a user of the CDP; readers are shown the CRM's display name."""
OWNER_UNKNOWN: Final = "owner_unknown"
"""Not even a name: no creator, or one that the CRM has no more; readers are shown `[Legacy CRM User]`."""


class Owner(NamedTuple):
    """`label` is None for a user of the CDP, `note` is what is counted of it.

    `degraded`: the launchpad was away, so that nobody knows whether they are a user of the CDP.
    """

    id: str
    label: str | None
    note: str | None
    degraded: bool = False


_UNKNOWN: Final = Owner("", UNKNOWN_LABEL, OWNER_UNKNOWN)


def known_owners(
    users: Mapping[int, CrmUser], sso_ids: Mapping[str, str], unanswered: Collection[str] = ()
) -> dict[int, Owner]:
    """The owners that these CRM users are, by id, each worked out once for all its notes.

    `sso_ids` is what the launchpad said of their emails (folded to lower case). A user deleted in the CRM, or
    deactivated in the launchpad, keeps their name as a label. `unanswered` are the emails of which it has said nothing,
    because it was away.
    """
    return {number: _owner(user, sso_ids, unanswered) for number, user in users.items()}


def owner_of(creator_id: int | None, known: Mapping[int, Owner]) -> Owner:
    """Who wrote a note; never nobody, so that an owner who is gone never holds a note back."""
    return _UNKNOWN if creator_id is None else known.get(creator_id, _UNKNOWN)


def shown_author(note: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The name that a reader of a `contact_notes` document is shown: for every place where notes are read.

    `names` are the live names of owners by `owner_id`. Where the owner has none, the note's `legacy_owner_label`
    stands; a note without either has no author to show.
    """
    live = names.get(str(note.get("owner_id") or ""), "").strip()
    label = note.get("legacy_owner_label")
    return live or (label if isinstance(label, str) else "")


def _owner(user: CrmUser, sso_ids: Mapping[str, str], unanswered: Collection[str]) -> Owner:
    key = email_key(user.email) if user.email and not user.deleted else ""
    sso_id = sso_ids.get(key) if key else None
    if sso_id is not None and sso_id != DEACTIVATED:
        return Owner(sso_id, None, None)
    name = " ".join((user.full_name or "").split())[:LONGEST_LABEL]
    labeled = Owner("", name, OWNER_LABELED) if name else _UNKNOWN
    return labeled._replace(degraded=True) if key and key in unanswered else labeled
