from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.enrichment import (
    MatchKey,
    Referents,
    candidates,
    key_of,
    missing_keys,
    referents_of,
)

AT = datetime(2024, 3, 1, 12, tzinfo=UTC)
KNOWN = Referents(MatchKey("c1", "deal", "link", "5"), "deal", "1", AT)


def feed(**changes: Any) -> dict[str, Any]:
    return {
        "customer_id": "c1", "category": "deal", "action": "link", "timestamp": AT, "metadata": {"entity_id": "5"},
        **changes,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metadata", "added"),
    [
        ({}, {"crm_person_id": "1", "entity_id": "5", "entity_name": "N"}),
        (None, {"crm_person_id": "1", "entity_id": "5", "entity_name": "N"}),
        ([], {"crm_person_id": "1", "entity_id": "5", "entity_name": "N"}),
        ({"entity_id": "6", "crm_person_id": None}, {"crm_person_id": "1", "entity_name": "N"}),
        ({"entity_id": 0, "crm_person_id": "", "entity_name": False}, {}),
    ],
)
def test_only_absent_keys_are_added(metadata: object, added: dict[str, str]) -> None:
    assert missing_keys(metadata, KNOWN, "N") == added


def test_what_is_not_known_is_not_added() -> None:
    unknown = Referents(MatchKey("c1", "deal", "link", ""), "deal", None, AT)
    assert missing_keys({}, unknown, None) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {}}, {"metadata": None}, {"metadata": {"entity_id": ""}}, {"metadata": {"entity_id": [5]}},
        {"metadata": {"entity_id": True}}, {"customer_id": None}, {"category": 1}, {"action": None},
    ],
)  # fmt: skip
def test_a_live_document_that_lacks_a_part_has_no_key(changes: dict[str, Any]) -> None:
    assert key_of(feed(**changes)) is None


@pytest.mark.parametrize("entity_id", ["5", 5])
def test_a_live_documents_key(entity_id: object) -> None:
    assert key_of(feed(metadata={"entity_id": entity_id})) == KNOWN.key


@pytest.mark.parametrize(
    ("seconds", "found"), [(-2.001, 0), (-2, 1), (0, 1), (2, 1), (2.001, 0)]
)  # fmt: skip
def test_the_tolerance_counts_on_both_sides_and_with_its_ends(seconds: float, found: int) -> None:
    documents = [feed(timestamp=AT + timedelta(seconds=seconds)), feed(timestamp=None), feed(action="unlink")]
    assert len(candidates(KNOWN, documents, tolerance_seconds=2.0)) == found


def test_only_associations_have_referents() -> None:
    document = feed(metadata={"entity_type": "deal", "crm_person_id": "1"})
    assert referents_of({**document, "action": "update"}) is None
    found = referents_of(document, 5)
    assert found == KNOWN
    bare = referents_of(document)
    assert bare is not None
    assert bare.key.entity_id == ""
