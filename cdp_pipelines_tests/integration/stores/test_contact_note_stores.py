"""What a notes migration writes and looks up, on a real server, beside the notes that people write."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.database import Database

from cdp_pipelines.stores.contact_notes import ContactNotes

Db = Database[dict[str, Any]]
NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)
COMPANY = "company-a"


@pytest.fixture
def notes(migrated_db: Db) -> ContactNotes:
    return ContactNotes(migrated_db, COMPANY)


def note(number: int) -> tuple[int, dict[str, Any]]:
    return number, {
        "company_sso_id": COMPANY, "content": "<p>N</p>", "attachments": [], "created_at": NOW,
        "legacy_crm_note_id": str(number),
    }  # fmt: skip


def test_a_note_by_hand_where_a_migrated_one_belongs_is_not_taken_for_it(notes: ContactNotes, migrated_db: Db) -> None:
    by_hand = {"_id": notes.document_id(2), "company_sso_id": COMPANY, "content": "By hand", "attachments": []}
    migrated_db["contact_notes"].insert_one(by_hand)
    written = notes.insert([note(1), note(2)])
    assert (written.inserted, written.present, list(written.failed)) == (1, [], [1])
    assert notes.present([1, 2, 3]) == {1}
    assert list(notes.by_row([1, 2, 3])) == [1]
    entry = {"url": "https://files.cdp.example/company-a/2/image-1.png"}
    notes.add_attachments([(1, entry), (2, entry)])
    notes.add_attachments([(1, entry)])
    assert notes.by_row([1])[1]["attachments"] == [entry]
    assert notes.delete([by_hand]) == 0
    assert migrated_db["contact_notes"].find_one({"_id": by_hand["_id"]}) == by_hand
