"""A page of the CRM's API as it stands in JSON: what is read of it, what is read as nothing, what is an error."""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.attachments import CrmAttachment
from cdp_pipelines.domain.contact_notes.html import normalize_note
from cdp_pipelines.domain.contact_notes.notes import CrmNote
from cdp_pipelines.domain.errors import PermanentFailure
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
        (LARGEST_NUMBER, LARGEST_NUMBER),
        (LARGEST_NUMBER + 1, None),
        (10**30, None),
        (0, None),
        (-1, None),
        (1.0, None),
        (float("inf"), None),
        (True, None),
        ("x", None),
        ("١٢", None),
    ],
)
def test_ids(value: Any, read: int | None) -> None:
    assert note(crm_person_id=value, creator_id=value) == BARE._replace(person_id=read, creator_id=read)


@pytest.mark.parametrize("value", [None, "", False, 0])
def test_not_deleted(value: Any) -> None:
    assert not note(deleted_at=value).deleted


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
