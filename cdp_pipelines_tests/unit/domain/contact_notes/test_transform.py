from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.attachments import CrmAttachment
from cdp_pipelines.domain.contact_notes.comparison import (
    ATTACHMENTS_MISSING,
    OWNER_DEGRADED,
    OWNER_UNVERIFIED,
    compare,
    mending,
)
from cdp_pipelines.domain.contact_notes.html import LONGEST_NOTE
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.contact_notes.owners import UNKNOWN_LABEL, Owner
from cdp_pipelines.domain.contact_notes.transform import (
    CHECKIN_DROPPED,
    SKIP_REASONS,
    TYPES_IN_SCOPE,
    describe,
    in_scope,
    key_in,
    stored_keys,
)
from cdp_pipelines.domain.crm_records import ContactRef
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import Outcome, Ready, Skipped

AT = datetime(2023, 5, 1, 8, 30, 15, 123456, tzinfo=UTC)
CONTACT = ContactRef("a" * 24, AT)
LIVE = Owner("uuid-1", None, None)
GONE = Owner("", "Former Agent", "owner_labeled")
ROOT = "https://files.cdp.example/notes/"
FILES = (
    CrmAttachment(3, "image", "https://s3.crm.example/3.png", "Foto toko.png", "image/png", 512),
    CrmAttachment(9, "document", "https://s3.crm.example/9", "quote.pdf", None, None),
)


def note(**changes: Any) -> CrmNote:
    usual: dict[str, Any] = {
        "id": 77, "content": "<p>Hello</p>", "creator_id": 5, "person_id": 1, "company_id": None, "deal_id": None,
        "ticket_id": None, "type_id": 1, "created_at": AT, "updated_at": AT + timedelta(days=1), "deleted": False,
    }  # fmt: skip
    return CrmNote(**{**usual, **changes})


def described(source: CrmNote, contact: ContactRef | None = CONTACT, owner: Owner = LIVE) -> Outcome:
    return describe(source, contact, owner, company_sso_id="company-a", files_root_url=ROOT)


def document(source: CrmNote, owner: Owner = LIVE) -> dict[str, Any]:
    outcome = described(source, owner=owner)
    assert isinstance(outcome, Ready)
    return outcome.document


def test_a_note_becomes_a_document_with_these_keys_and_no_others() -> None:
    assert document(note()) == {
        "company_sso_id": "company-a",
        "contact_id": "a" * 24,
        "owner_id": "uuid-1",
        "content": "<p>Hello</p>",
        "attachments": [],
        "created_at": AT.replace(microsecond=123000),
        "updated_at": AT.replace(microsecond=123000) + timedelta(days=1),
        "is_deleted": False,
        "legacy_crm_note_id": "77",
    }
    assert document(note(), GONE) | {} == {
        **document(note()), "owner_id": "", "legacy_owner_label": "Former Agent",
    }  # fmt: skip


def test_attachments_are_the_cdps_own_and_always_the_same() -> None:
    made = document(note(attachments=FILES))["attachments"]
    assert made == [
        {
            "type": "image",
            "url": "https://files.cdp.example/notes/company-a/77/image-3.png",
            "file_name": "Foto toko.png",
            "file_size_in_byte": 512,
        },
        {
            "type": "pdf",
            "url": "https://files.cdp.example/notes/company-a/77/document-9.pdf",
            "file_name": "quote.pdf",
            "file_size_in_byte": 0,
        },
    ]
    assert "crm.example" not in str(made)
    assert [key_in(entry) for entry in made] == ["company-a/77/image-3.png", "company-a/77/document-9.pdf"]


@pytest.mark.parametrize("company", ["company-a", "a b", "ünï", "50%", "a+b"])
def test_the_keys_of_stored_files_are_read_from_their_addresses(company: str) -> None:
    outcome = describe(note(attachments=FILES), CONTACT, LIVE, company_sso_id=company, files_root_url=ROOT)
    assert isinstance(outcome, Ready)
    foreign = {"attachments": [{"url": f"{ROOT}other/77/image-3.png"}, {"url": None}, "x", {}]}
    keys = stored_keys(company, [outcome.document, foreign, {}])
    assert len(keys) == 2
    assert len({key.split("/")[0] for key in keys}) == 1
    # Another root, as after the CDP's files moved.
    moved = {"attachments": [{"url": entry["url"].replace(ROOT, "http://new.example:1/a/b/")}
                             for entry in outcome.document["attachments"]],
             "legacy_crm_note_id": "77"}  # fmt: skip
    assert stored_keys(company, [moved]) == keys


@pytest.mark.parametrize(
    "entry",
    [
        "other/77/image-3.png", "company-a/78/image-3.png", "company-a/77/../78/image-3.png",
        "company-a/77/a/image-3.png",
        "company-a/77/", "company-a/77/export.csv", "company-a2/77/image-3.png", "company-a%2F77/77/image-3.png",
    ],
)  # fmt: skip
def test_a_note_leads_to_no_file_that_is_not_its_own(entry: str) -> None:
    changed = {"legacy_crm_note_id": "77", "attachments": [{"url": f"{ROOT}{entry}"}]}
    assert stored_keys("company-a", [changed]) == []


@pytest.mark.parametrize("note_id", [None, "", 77, ["77"], {"$ne": ""}, ...])
@pytest.mark.parametrize("attachments", [[{"url": f"{ROOT}company-a/77/image-3.png"}], "x", {"url": "x"}, 5, None])
def test_a_note_with_odd_fields_leads_to_no_file(note_id: Any, attachments: Any) -> None:
    changed = {"legacy_crm_note_id": note_id, "attachments": attachments}
    assert stored_keys("company-a", [{name: value for name, value in changed.items() if value is not ...}]) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"type_id": 6}, None),
        ({"type_id": 2}, "out_of_scope_type"),
        ({"type_id": None}, "out_of_scope_type"),
        ({"person_id": None, "deal_id": 4}, "not_a_person_note"),
        ({"person_id": None}, "not_a_person_note"),
        ({"deleted": True}, "deleted_in_crm"),
        ({"deleted": True, "type_id": 2}, "deleted_in_crm"),
        # The person first, whatever else the note hangs on.
        ({"company_id": 2, "deal_id": 3, "ticket_id": 4}, None),
    ],
)
def test_what_is_in_scope(changes: dict[str, Any], reason: str | None) -> None:
    assert in_scope(note(**changes), TYPES_IN_SCOPE) == (None if reason is None else Skipped(reason))
    assert reason is None or reason in SKIP_REASONS


def test_the_types_in_scope_are_a_setting() -> None:
    assert in_scope(note(type_id=3), frozenset({3})) is None
    assert in_scope(note(type_id=1), frozenset({3})) == Skipped("out_of_scope_type")


@pytest.mark.parametrize(
    ("outcome", "code", "told"),
    [
        (described(note(person_id=42), contact=None), "CONTACT_NOT_MAPPED", "42"),
        (described(note(created_at=None)), "invalid_timestamp", "created_at"),
        (described(note(content="x" * (LONGEST_NOTE + 1))), "NOTE_TOO_LONG", "10,001"),
    ],
)
def test_failures_name_the_note_and_hold_nothing_of_it(outcome: Outcome, code: str, told: str) -> None:
    assert isinstance(outcome, RowFailure)
    assert (outcome.id, outcome.reason_code) == ("77", code)
    assert told in outcome.details
    assert "xxx" not in outcome.details


def test_a_note_is_never_cut() -> None:
    assert document(note(content="x" * LONGEST_NOTE))["content"] == "x" * LONGEST_NOTE
    # What counts is what is left of it.
    long_before = "<p style='" + "a" * 20_000 + "'>short</p>"
    assert document(note(content=long_before))["content"] == "<p>short</p>"


def test_gaps_have_a_plain_meaning() -> None:
    bare = document(note(content=None, updated_at=None))
    assert (bare["content"], bare["updated_at"]) == ("", bare["created_at"])


def test_a_checkin_is_dropped_and_counted() -> None:
    outcome = described(note(has_checkin=True), owner=GONE)
    assert isinstance(outcome, Ready)
    assert set(outcome.notes) == {CHECKIN_DROPPED, "owner_labeled"}
    assert "checkin" not in str(outcome.document)


@pytest.mark.parametrize(
    ("changes", "verdict", "noted"),
    [
        ({}, "identical", ()),
        ({"_id": "x"}, "identical", ()),
        ({"content": "<p>other</p>"}, "different", ()),
        ({"contact_id": "b" * 24}, "different", ()),
        # Provably by somebody else than the migration, which copies the CRM's `updated_at` and flags nothing.
        ({"is_deleted": True}, "changed_since", ()),
        ({"deleted_at": AT}, "changed_since", ()),
        ({"content": "edited", "updated_at": AT + timedelta(days=9)}, "changed_since", ()),
        ({"owner_id": "somebody else", "updated_at": AT + timedelta(days=9)}, "changed_since", ()),
        ({"attachments": [{"url": "u"}], "updated_at": AT + timedelta(days=9)}, "changed_since", ()),
        ({"pinned": True, "updated_at": AT + timedelta(days=9)}, "changed_since", ()),
        # Proves nothing: not later than the CRM's last change, or no instant, or a flag that says nothing.
        ({"content": "edited", "updated_at": AT - timedelta(days=9)}, "different", ()),
        ({"content": "edited", "updated_at": "9999-12-31"}, "different", ()),
        ({"is_deleted": None}, "different", ()),
        ({"deleted_at": None}, "different", ()),
        ({"owner_id": "", "legacy_owner_label": "Ann"}, "identical", (OWNER_DEGRADED,)),
        ({"owner_id": "somebody else"}, "different", ()),
        ({"attachments": []}, "identical", (ATTACHMENTS_MISSING,)),
        ({"attachments": None}, "identical", (ATTACHMENTS_MISSING,)),
        ({"attachments": [{"url": "https://evil.example/a/b/c", "type": "image"}]}, "different", ()),
        ({"extra": 1}, "different", ()),
    ],
)
def test_what_is_compared(changes: dict[str, Any], verdict: str, noted: tuple[str, ...]) -> None:
    expected = document(note(attachments=FILES))
    assert compare(expected, {**expected, **changes}) == (verdict, noted)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"owner_id": "", "legacy_owner_label": "Ann"}, {"owner_id": "uuid-1", "legacy_owner_label": None}),
        ({"owner_id": "", "legacy_owner_label": UNKNOWN_LABEL}, {"owner_id": "uuid-1", "legacy_owner_label": None}),
        ({"owner_id": "", "legacy_owner_label": "Ann", "attachments": []}, {
            "owner_id": "uuid-1", "legacy_owner_label": None}),
        ({}, None),
        ({"owner_id": "somebody else"}, None),
        ({"owner_id": ""}, None),
        ({"owner_id": "", "legacy_owner_label": "Ann", "content": "edited"}, None),
        ({"owner_id": "", "legacy_owner_label": "Ann", "updated_at": AT + timedelta(days=9)}, None),
        ({"owner_id": "", "legacy_owner_label": "Ann", "is_deleted": True}, None),
    ],
)  # fmt: skip
def test_only_an_owner_whom_an_outage_left_unknown_is_mended(
    changes: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    note_document = document(note(attachments=FILES))
    assert mending(note_document, {**note_document, **changes}) == expected


def test_a_label_is_not_mended_into_another_label() -> None:
    expected = document(note(), GONE)
    assert mending(expected, document(note(), Owner("", "Old Name", "owner_labeled"))) is None


def test_an_owner_degraded_by_an_outage_is_marked_on_its_note() -> None:
    outcome = described(note(), owner=GONE._replace(degraded=True))
    assert isinstance(outcome, Ready)
    assert (outcome.degraded, set(outcome.notes)) == ("degraded_owner", {"owner_labeled", "degraded_owner"})
    assert outcome.document["legacy_owner_label"] == "Former Agent"
    plain = described(note(), owner=GONE)
    assert isinstance(plain, Ready)
    assert plain.degraded is None


def test_an_owner_who_cannot_be_looked_up_now_is_noted() -> None:
    stored = document(note())
    unknown = document(note(), Owner("", UNKNOWN_LABEL, "owner_unknown"))
    assert compare(unknown, stored) == ("identical", (OWNER_UNVERIFIED,))
    assert compare(unknown, document(note(), GONE)) == ("identical", (OWNER_DEGRADED,))


def test_a_file_under_another_name_or_type_is_a_difference() -> None:
    expected = document(note(attachments=FILES))
    for change in ({"type": "doc"}, {"file_name": "x"}):
        files = [{**expected["attachments"][0], **change}, expected["attachments"][1]]
        assert compare(expected, {**expected, "attachments": files})[0] == "different"
    larger = [{**entry, "file_size_in_byte": 9} for entry in expected["attachments"]]
    assert compare(expected, {**expected, "attachments": larger}) == ("identical", ())


def test_a_file_of_which_nothing_was_declared_may_have_any_type_that_its_bytes_gave_it() -> None:
    expected = document(note(attachments=(CrmAttachment(4, "document", "https://s3.crm.example/4", None, None, None),)))
    (entry,) = expected["attachments"]
    assert entry["type"] is None
    for shown_as, verdict in (("image", "identical"), ("doc", "identical"), ("exe", "different"), (None, "different")):
        stored = {**expected, "attachments": [{**entry, "type": shown_as}]}
        assert compare(expected, stored)[0] == verdict
    renamed = {**expected, "attachments": [{**entry, "type": "image", "file_name": "x"}]}
    assert compare(expected, renamed)[0] == "different"


_IDS = st.one_of(st.none(), st.integers(1, 10**12))
_INSTANTS = st.one_of(st.none(), st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
_NOTES = st.builds(
    CrmNote, id=st.integers(1, 10**12), content=st.one_of(st.none(), st.text(max_size=80)), creator_id=_IDS,
    person_id=_IDS, company_id=_IDS, deal_id=_IDS, ticket_id=_IDS, type_id=st.sampled_from([None, 1, 2, 6]),
    created_at=_INSTANTS, updated_at=_INSTANTS, deleted=st.booleans(), attachments=st.just(FILES),
    has_checkin=st.booleans(),
)  # fmt: skip


@settings(max_examples=200)
@given(_NOTES, st.booleans(), st.sampled_from([LIVE, GONE]))
def test_every_note_has_one_outcome_and_always_the_same(source: CrmNote, has_contact: bool, owner: Owner) -> None:
    contact = CONTACT if has_contact else None
    assert in_scope(source, TYPES_IN_SCOPE) == in_scope(source, TYPES_IN_SCOPE)
    first, second = described(source, contact, owner), described(source, contact, owner)
    assert first == second
    if isinstance(first, Ready) and isinstance(second, Ready):
        assert has_contact
        assert compare(first.document, second.document) == ("identical", ())
        assert first.document["created_at"].microsecond % 1000 == 0
    else:
        assert isinstance(first, RowFailure)
        assert first.id == str(source.id)
