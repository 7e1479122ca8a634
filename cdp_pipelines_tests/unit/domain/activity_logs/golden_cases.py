"""Golden cases: an audit and what is known of it, and what must become of it, as JSON that people can read.

[{name, audit: {columns that differ from DEFAULT}, facts?: {contact?, users?, sso_ids?},
  becomes: {document, actor, unmapped_refinement?, binary_as_latin1?} | {skipped: reason} | {failed: reason, details}}]
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cdp_pipelines.domain.activity_logs.actors import known_actors
from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.activity_logs.categories import CategoryTable, read_category_table
from cdp_pipelines.domain.activity_logs.transform import Draft, Settled, begin, finish, settle
from cdp_pipelines.domain.crm_records import ContactRef, CrmUser
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.outcomes import Skipped
from cdp_pipelines.resources.crm_mapping import load_categories

FOLDER = Path(__file__).parent / "golden"
COMPANY = "company-1"
DEFAULT: dict[str, Any] = {
    "id": 1001, "auditable_id": 5, "auditable_type": "Crm::Deal", "associated_id": None, "associated_type": None,
    "user_id": None, "user_type": None, "username": None, "action": "update",
    "audited_changes": "---\nname:\n- Old\n- New\n", "comment": '{"crm_person_id": 123}',
    "created_at": "2024-03-01T12:00:00.123456Z",
}  # fmt: skip
FACTS: dict[str, Any] = {
    "contact": {"person": "123", "customer_id": "65e1c0ffee65e1c0ffee65e1", "created_at": "2024-06-01T00:00:00Z"},
    "users": {},
    "sso_ids": {},
}


def golden_cases() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every case under `file: name`."""
    for path in sorted(FOLDER.glob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8")):
            yield f"{path.stem}: {case['name']}", case


def table() -> CategoryTable:
    """The table of the package."""
    return read_category_table(load_categories())


def audit_of(columns: Mapping[str, Any]) -> Audit:
    """An audit with these columns, else as `DEFAULT`."""
    row = {**DEFAULT, **columns}
    at = row["created_at"]
    return Audit(**{**row, "created_at": at if at is None else datetime.fromisoformat(at)})


def becomes(case: Mapping[str, Any]) -> dict[str, Any]:
    """What becomes of a case, in the form of the file."""
    facts = {**FACTS, **case.get("facts", {})}
    categories = table()
    outcome: Draft | Settled | Skipped | RowFailure = begin(audit_of(case["audit"]), categories)
    if isinstance(outcome, Draft):
        outcome = settle(outcome, _contact(facts["contact"], outcome.person_id), categories, COMPANY)
    if isinstance(outcome, Skipped):
        return {"skipped": outcome.reason}
    if isinstance(outcome, RowFailure):
        return {"failed": outcome.reason_code, "details": outcome.details}
    assert isinstance(outcome, Settled)
    users = {int(number): CrmUser(**user) for number, user in facts["users"].items()}
    document, actor = finish(outcome, known_actors(users, facts["sso_ids"]))
    document["timestamp"] = document["timestamp"].isoformat()
    found = {"document": document, "actor": actor}
    return found | dict.fromkeys(outcome.notes, True)


def _contact(contact: Mapping[str, str] | None, person: str | None) -> ContactRef | None:
    if contact is None or contact["person"] != person:
        return None
    return ContactRef(contact["customer_id"], datetime.fromisoformat(contact["created_at"]))


def as_text(value: object) -> str:
    """JSON with a line for everything, so that a difference is one line."""
    return json.dumps(value, indent=2, ensure_ascii=False)
