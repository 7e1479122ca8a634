import pytest

from cdp_pipelines.domain.contact_notes.owners import (
    LONGEST_LABEL,
    OWNER_LABELED,
    OWNER_UNKNOWN,
    UNKNOWN_LABEL,
    Owner,
    known_owners,
    owner_of,
    shown_author,
)
from cdp_pipelines.domain.crm_records import CrmUser
from cdp_pipelines.domain.launchpad_users import DEACTIVATED

SSO = {"ann@example.com": "uuid-ann", "gone@example.com": "uuid-gone", "left@example.com": DEACTIVATED}
UNKNOWN = Owner("", UNKNOWN_LABEL, OWNER_UNKNOWN)


@pytest.mark.parametrize(
    ("user", "owner"),
    [
        (CrmUser("Ann@Example.com ", "Ann", deleted=False), Owner("uuid-ann", None, None)),
        (CrmUser("ann@example.com", None, deleted=False), Owner("uuid-ann", None, None)),
        # The launchpad does not know, or did not say.
        (CrmUser("bob@example.com", "Bob  Budi\n", deleted=False), Owner("", "Bob Budi", OWNER_LABELED)),
        # Deleted in the CRM: the name stands, whatever the launchpad knows of the address.
        (CrmUser("gone@example.com", "Gone Agent", deleted=True), Owner("", "Gone Agent", OWNER_LABELED)),
        # Deactivated in the launchpad.
        (CrmUser("Left@Example.com", "Former Agent", deleted=False), Owner("", "Former Agent", OWNER_LABELED)),
        (CrmUser("left@example.com", "", deleted=False), UNKNOWN),
        (CrmUser(None, "No Email", deleted=False), Owner("", "No Email", OWNER_LABELED)),
        (CrmUser(None, " \u3000 ", deleted=False), UNKNOWN),
        (CrmUser("bob@example.com", None, deleted=False), UNKNOWN),
        (CrmUser(None, "x" * 500, deleted=True), Owner("", "x" * LONGEST_LABEL, OWNER_LABELED)),
    ],
)
def test_a_user_of_the_crm_becomes_an_owner_or_a_label(user: CrmUser, owner: Owner) -> None:
    known = known_owners({7: user}, SSO)
    assert owner_of(7, known) == owner
    assert bool(owner.id) == (owner.label is None)


@pytest.mark.parametrize("creator", [None, 99])
def test_nobody_known_never_holds_a_note_back(creator: int | None) -> None:
    assert owner_of(creator, {}) == UNKNOWN


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ({"owner_id": "abc", "legacy_owner_label": ""}, "Live Name"),
        ({"owner_id": "abc", "legacy_owner_label": "Old Name"}, "Live Name"),
        ({"owner_id": "", "legacy_owner_label": "Former Agent"}, "Former Agent"),
        ({"owner_id": None, "legacy_owner_label": "Former Agent"}, "Former Agent"),
        ({"legacy_owner_label": "Former Agent"}, "Former Agent"),
        # An owner who has no name any more.
        ({"owner_id": "nameless", "legacy_owner_label": "Former Agent"}, "Former Agent"),
        ({"owner_id": "left", "legacy_owner_label": "Former Agent"}, "Former Agent"),
        ({"owner_id": "left"}, ""),
        ({"legacy_owner_label": 5}, ""),
        ({}, ""),
    ],
)
def test_readers_are_shown_the_label_where_the_owner_has_no_name(note: dict[str, object], shown: str) -> None:
    assert shown_author(note, {"abc": "Live Name", "nameless": "  "}) == shown


@pytest.mark.parametrize(
    ("user", "degraded"),
    [
        # The launchpad said nothing of them, because it was away.
        (CrmUser("Bob@example.com", "Bob", deleted=False), True),
        (CrmUser("bob@example.com", None, deleted=False), True),
        # It answered; it was not asked, as of somebody deleted; there is nothing to ask by.
        (CrmUser("ann@example.com", "Ann", deleted=False), False),
        (CrmUser("stranger@example.com", "S", deleted=False), False),
        (CrmUser("bob@example.com", "Bob", deleted=True), False),
        (CrmUser(None, "No Email", deleted=False), False),
        (CrmUser("", "Empty Email", deleted=False), False),
    ],
)
def test_only_an_outage_degrades_an_owner(user: CrmUser, *, degraded: bool) -> None:
    owner = owner_of(7, known_owners({7: user}, SSO, {"bob@example.com"}))
    assert owner.degraded is degraded
    assert owner == known_owners({7: user}, SSO)[7]._replace(degraded=degraded)
