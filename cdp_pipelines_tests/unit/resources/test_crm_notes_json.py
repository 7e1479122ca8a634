"""A page of the CRM's API as it stands in JSON: what is read of it, what is read as nothing, what is an error."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.attachments import AttachmentSource, CrmAttachment
from cdp_pipelines.domain.contact_notes.html import normalize_note
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.contact_notes.owners import Owner
from cdp_pipelines.domain.contact_notes.transform import TYPES_IN_SCOPE, describe, in_scope
from cdp_pipelines.domain.crm_records import ContactRef
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import Outcome
from cdp_pipelines.resources.crm_notes_json import LARGEST_NUMBER, NotesPage, read_page

BARE = CrmNote(1, None, None, None, None, None, None, None, None, None, deleted=False)


def page_of(*notes: Any, **pagination: Any) -> Any:
    return {"data": list(notes), "pagination": {"page": 1, "per_page": 10, "total": len(notes), **pagination}}


def note(**values: Any) -> CrmNote:
    (found,) = read_page(page_of({"id": 1, **values}), 1, 10).notes
    return found


def test_a_note_with_everything() -> None:
    assert note(
        note="<p>Hi</p>", creator_id=2, crm_person_id=3, crm_company_id=4, crm_deal_id=5, ticket_id=6,
        crm_note_type_id=7, created_at="2024-05-01T10:00:00.123456Z", updated_at="2024-05-01T17:00:00+07:00",
        deleted_at="2024-05-03T00:00:00Z", crm_checkin={"id": 1, "latitude": -6.2},
        crm_note_images=[{"id": 9, "url": "https://x/a", "file_name": "a", "content_type": "image/png",
                          "file_size": 5}],
        crm_note_audios=[{"id": 9, "url": "https://x/b", "file_name": "b", "content_type": "audio/ogg",
                          "file_size": 6}],
        crm_note_attachments=[{"id": 9, "url": "https://x/c"}, {"id": 8, "url": "https://x/d"}],
    ) == CrmNote(
        1, "<p>Hi</p>", 2, 3, 4, 5, 6, 7, datetime(2024, 5, 1, 10, 0, 0, 123_456, tzinfo=UTC),
        datetime(2024, 5, 1, 10, tzinfo=UTC), deleted=True,
        attachments=(
            CrmAttachment(9, "image", "https://x/a", "a", "image/png", 5),
            CrmAttachment(9, "audio", "https://x/b", "b", "audio/ogg", 6),
            CrmAttachment(8, "document", "https://x/d", None, None, None),
            CrmAttachment(9, "document", "https://x/c", None, None, None),
        ),
        has_checkin=True,
    )  # fmt: skip


def test_a_note_with_nothing_but_its_id() -> None:
    assert note() == BARE
    nulls = dict.fromkeys(("note", "creator_id", "created_at", "deleted_at", "crm_checkin", "crm_note_images"))
    assert note(**nulls) == BARE


@pytest.mark.parametrize("value", [5, ["<p>"], {"html": "x"}, True])
def test_content_that_is_no_text(value: Any) -> None:
    assert note(note=value).content is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-05-01T10:00:00Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01T10:00:00.5+07:00", datetime(2024, 5, 1, 3, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-05-01T10:00:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01 10:00:00.000001", datetime(2024, 5, 1, 10, 0, 0, 1, tzinfo=UTC)),
        (" 2024-05-01T10:00:00Z\n", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+07:00", None),
        ("9999-12-31T23:59:59-07:00", None),
        ("10000-01-01T00:00:00Z", None),
        ("2024-02-30T00:00:00Z", None),
        ("infinity", None),
        ("-infinity", None),
        ("yesterday", None),
        ("", None),
        (1_714_557_600, None),
        (True, None),
    ],
)
def test_instants(text: Any, instant: datetime | None) -> None:
    assert note(created_at=text).created_at == instant
    assert note(updated_at=text).updated_at == instant


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (12, 12),
        ("12", 12),
        (" 12 ", 12),
        (9_223_372_036_854_775_807, 9_223_372_036_854_775_807),
        (1.0, 1),
        (9_310_001.0, 9_310_001),
        ("9310001", 9_310_001),
        ("9310001.0", 9_310_001),
        (" 12.00 ", 12),
        (0, None),
        (0.0, None),
        ("", None),
        (" ", None),
        ("0", None),
        (None, None),
    ],
)
def test_ids(value: Any, read: int | None) -> None:
    assert note(crm_person_id=value, creator_id=value) == BARE._replace(person_id=read, creator_id=read)
    assert note(crm_note_type_id=value) == BARE._replace(type_id=read)


NOT_IDS: tuple[Any, ...] = (
    9_223_372_036_854_775_808, 10**30, -1, -1.0, 1.5, float("inf"), float("nan"), 2.0**60, True, False, "x", "-1",
    "1.5", "1e3", "0x1", "1,0", "١٢", [1], {"id": 1}, [],
)  # fmt: skip


@pytest.mark.parametrize("value", NOT_IDS, ids=repr)
@pytest.mark.parametrize("name", ["crm_person_id", "crm_note_type_id"])
def test_what_is_no_id_makes_the_note_fail_with_a_reason_and_never_skips_it(name: str, value: Any) -> None:
    found = note(**{"crm_person_id": 3, "crm_note_type_id": 1, name: value})
    assert found.unreadable == (f"its {name} is not an id",)
    assert in_scope(found, TYPES_IN_SCOPE) is None
    assert outcome_of(found) == RowFailure("1", "NOTE_UNREADABLE", f"its {name} is not an id")


@pytest.mark.parametrize("value", NOT_IDS, ids=repr)
def test_an_author_who_is_no_id_is_nobody_and_never_holds_a_note_back(value: Any) -> None:
    assert note(creator_id=value) == BARE


def outcome_of(found: CrmNote) -> Outcome:
    contact, owner = ContactRef("a" * 24, datetime(2024, 1, 1, tzinfo=UTC)), Owner("u-1", None, None)
    return describe(found, contact, owner, company_sso_id="company-a", files_root_url="https://files.cdp.example")


@pytest.mark.parametrize("value", [5, ["<p>"], {"html": "x"}, True, False, 0])
def test_a_text_that_is_none_makes_the_note_fail(value: Any) -> None:
    found = note(note=value, crm_person_id=3, created_at="2024-05-01T10:00:00Z")
    assert outcome_of(found) == RowFailure("1", "NOTE_UNREADABLE", "its text is no text")


@pytest.mark.parametrize("value", [None, "", False, 0])
def test_not_deleted(value: Any) -> None:
    assert not note(deleted_at=value).deleted
    assert note(deleted_at=value).unreadable == ()


@pytest.mark.parametrize(
    "value",
    ["2024-05-03T00:00:00Z", " 2024-05-03 ", "2024-05-03 10:00:00.123 +0700", "infinity", "0001-01-01T00:00:00Z"],
)  # fmt: skip
def test_deleted(value: Any) -> None:
    assert note(deleted_at=value).deleted
    assert note(deleted_at=value).unreadable == ()


@pytest.mark.parametrize("value", ["false", "null", "no", "x", True, 1, 1_714_557_600, ["2024-05-03"], {"at": 1}])
def test_whether_it_is_deleted_is_never_guessed(value: Any) -> None:
    found = note(deleted_at=value, crm_person_id=3)
    assert not found.deleted
    assert outcome_of(found) == RowFailure("1", "NOTE_UNREADABLE", "its deleted_at is not an instant")


@pytest.mark.parametrize(
    ("names", "source"),
    [
        (("images",), "image"), (("audios",), "audio"), (("attachments",), "document"),
        (("crm_note_images", "images"), "image"), (("crm_note_audios", "audios"), "audio"),
        (("crm_note_attachments", "attachments"), "document"),
    ],
)  # fmt: skip
def test_files_are_read_under_either_name_and_once(names: tuple[str, ...], source: AttachmentSource) -> None:
    files = [{"id": 2.0, "url": "https://x/b", "file_size": 5.0}, {"id": "1", "url": "https://x/a"}, None]
    found = note(**dict.fromkeys(names, files))
    assert found == BARE._replace(
        attachments=(
            CrmAttachment(1, source, "https://x/a", None, None, None),
            CrmAttachment(2, source, "https://x/b", None, None, 5),
        )
    )


def test_files_under_both_names_are_all_there() -> None:
    found = note(
        crm_note_images=[{"id": 2, "url": "https://x/b"}], images=[{"id": 1, "url": "https://x/a"}], audios=None
    )
    assert [(file.id, file.url) for file in found.attachments] == [(1, "https://x/a"), (2, "https://x/b")]
    other = note(crm_note_images=[{"id": 2, "url": "https://x/b"}], images=[{"id": 2, "url": "https://x/c"}])
    assert other.unreadable == ("it has two files under one id",)


@pytest.mark.parametrize(
    "name",
    ["crm_note_videos", "crm_note_files", "documents", "image", "crmNoteImages", "photos", "voice_notes", "media"],
)  # fmt: skip
def test_files_under_a_name_that_nobody_knows_make_the_note_fail(name: str) -> None:
    found = note(crm_person_id=3, **{name: [{"id": 1, "url": "https://x/a"}]})
    assert outcome_of(found) == RowFailure("1", "NOTE_UNREADABLE", f"it has files under {name}, which is not known")
    nothing: tuple[Any, ...] = ([], None, 3, {"url": None}, "x")
    for value in nothing:
        assert note(**{name: value}) == BARE
    assert note(mentions=[{"id": 1}], tags=["a"], crm_note_type={"id": 1}) == BARE


@pytest.mark.parametrize("size", [-1, "5", 1.5, True, None, LARGEST_NUMBER + 1, 10**40])
def test_sizes_that_are_none(size: Any) -> None:
    (file,) = note(crm_note_images=[{"id": 1, "url": 7, "file_name": ["a"], "content_type": 5, "file_size": size}])[11]
    assert file == CrmAttachment(1, "image", "", None, None, None)


def test_text_that_utf_8_cannot_hold_becomes_text_that_it_can() -> None:
    answer = json.loads(
        '{"data": [{"id": 1, "note": "<p>\\ud800 \\ud83d\\ude00 \\u0000 \\u202e</p>", "crm_note_images":'
        ' [{"id": 1, "url": "https://x/\\udfff", "file_name": "\\ud800.png"}]}],'
        ' "pagination": {"page": 1, "per_page": 1, "total": 1}}'
    )
    (found,) = read_page(answer, 1, 1).notes
    content = normalize_note(found.content)
    assert content.encode()
    assert "\N{GRINNING FACE}" in content
    assert "\N{REPLACEMENT CHARACTER}" in content


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "no data"),
        ([], "no data"),
        ("data", "no data"),
        ({}, "no data"),
        ({"data": {}, "pagination": {}}, "no data"),
        ({"data": [], "pagination": []}, "no data"),
        ({"data": []}, "no data"),
        (page_of(page=2), "where it is"),
        (page_of(page="1"), "where it is"),
        (page_of(total=None), "where it is"),
        (page_of(total=-1), "where it is"),
        (page_of(total=1.5), "where it is"),
        (page_of(per_page=0), "where it is"),
        (page_of(per_page=None), "where it is"),
        (page_of(per_page=11), "more notes"),
        (page_of({"id": 1}, {"id": 2}, {"id": 3}, per_page=2), "more notes"),
        (page_of({"id": 2}, {"id": 1}), "order"),
        (page_of({"id": 2}, {"id": 2}), "order"),
        (page_of({"id": "10"}, {"id": "9"}), "order"),
        (page_of(5), "no note"),
        (page_of(None), "no note"),
        (page_of({"note": "x"}), "without an id"),
        (page_of({"id": None}), "without an id"),
        (page_of({"id": LARGEST_NUMBER + 1}), "without an id"),
        (page_of({"id": 1, "crm_note_images": {"id": 1}}), "no list"),
        (page_of({"id": 1, "crm_note_audios": "https://x/a"}), "no list"),
        (page_of({"id": 1, "images": {"id": 1}}), "no list"),
        (page_of({"id": 1, "crm_note_audios": [], "audios": "https://x/a"}), "no list"),
        (page_of({"id": 1, "attachments": [{"id": 1.5, "url": "https://x/a"}]}), "file without an id"),
        (page_of({"id": 1.5}), "without an id"),
        (page_of({"id": True}), "without an id"),
        (page_of({"id": float("nan")}), "without an id"),
        ({"data": [], "pagination": None}, "no data"),
        (page_of(total=float("nan")), "where it is"),
        (page_of({"id": 1, "crm_note_attachments": [{"url": "https://x/a"}]}), "file without an id"),
        (page_of({"id": 1, "crm_note_attachments": ["https://x/a"]}), "file without an id"),
    ],
)
def test_a_page_that_is_useless(answer: Any, problem: str) -> None:
    with pytest.raises(PermanentFailure, match=problem) as caught:
        read_page(answer, 1, 10)
    assert caught.value.code == "CRM_EXTRACT_FAILED"
    assert "https://x" not in str(caught.value)


@pytest.mark.parametrize(
    ("page", "total", "pages", "count"),
    [(1, 0, 1, 0), (1, 1, 1, 1), (1, 10, 1, 10), (1, 11, 2, 10), (2, 11, 2, 1), (3, 11, 2, 0)],
)
def test_pages_of_a_total(page: int, total: int, pages: int, count: int) -> None:
    found = NotesPage((BARE,) * count, page, 10, total)
    assert found.pages == pages
    assert found.is_whole
    assert not NotesPage((BARE,) * (count + 1), page, 10, total).is_whole


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    ["id", "note", "creator_id", "created_at", "deleted_at", "crm_note_images", "crm_note_audios", "crm_checkin"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(_NAMES, _JSON) | _JSON, max_size=3), st.dictionaries(st.text(max_size=4), _JSON))
def test_whatever_comes_is_read_or_said_to_be_no_page(notes: list[Any], more: dict[str, Any]) -> None:
    with contextlib.suppress(PermanentFailure):
        found = read_page({**more, **page_of(*notes)}, 1, 10)
        assert len(found.notes) == len(notes)
