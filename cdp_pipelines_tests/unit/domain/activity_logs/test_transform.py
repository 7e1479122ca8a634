"""Every rule of the transform by golden cases (`golden/*.json`), and the facts that the cases cannot show."""

import difflib
from datetime import UTC, datetime
from typing import Any

import pytest

from cdp_pipelines.domain.activity_logs.transform import SKIP_REASONS, Draft, begin
from cdp_pipelines.domain.crm_records import milliseconds
from cdp_pipelines_tests.unit.domain.activity_logs.golden_cases import as_text, audit_of, becomes, golden_cases, table

CASES = dict(golden_cases())


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    expected, found = as_text(CASES[name]["becomes"]), as_text(becomes(CASES[name]))
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "golden", "found", lineterm="", n=2)
    assert found == expected, "\n".join([f"{name} becomes something else:", *lines])


def test_the_golden_cases_show_every_action_category_actor_and_reason() -> None:
    ends: list[dict[str, Any]] = [case["becomes"] for case in CASES.values()]
    documents = [end["document"] for end in ends if "document" in end]
    assert {document["action"] for document in documents} == {
        "create", "update", "delete", "link", "unlink", "resolved", "won", "lost", "completed",
    }  # fmt: skip
    assert {document["category"] for document in documents} == {
        "contact", "deal", "company", "ticket", "task", "note",
    }  # fmt: skip
    assert {end.get("actor") for end in ends} >= {"actor_live", "actor_deleted", "actor_system", "actor_unresolved"}
    # What is there already only the unique index knows.
    assert {end["skipped"] for end in ends if "skipped" in end} == set(SKIP_REASONS) - {"duplicate_external_id"}
    assert {end["failed"] for end in ends if "failed" in end} == {"unreadable_changes", "invalid_timestamp"}


def test_changes_that_nobody_needs_are_not_read() -> None:
    unreadable = audit_of({"audited_changes": "---\n\t- a"})
    assert isinstance(begin(unreadable, table()), Draft)
    person = audit_of({"audited_changes": "---\n\t- a", "comment": None, "auditable_type": "Crm::Person"})
    draft = begin(person, table())
    assert isinstance(draft, Draft)
    assert draft.person_id == "5"


def test_changes_are_read_once() -> None:
    draft = begin(audit_of({}), table())
    assert isinstance(draft, Draft)
    assert draft.changes() is draft.changes()


@pytest.mark.parametrize(("micro", "kept"), [(0, 0), (999, 0), (123_456, 123_000), (999_999, 999_000)])
def test_times_are_cut_to_what_bson_stores(micro: int, kept: int) -> None:
    at = datetime(2024, 3, 1, 12, tzinfo=UTC)
    assert milliseconds(at.replace(microsecond=micro)) == at.replace(microsecond=kept)
    assert milliseconds(None) is None
