"""The structured events of SPEC section 2: exact names and exact properties, nothing personal.

Belongs here: the catalogue and the check that an event carries just what it may. Not here: writing them to a log
(`cdp_pipelines.domain` has no clock and no output; see `event_line` and the callers' loggers).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

EVENT_PROPERTIES: Final[Mapping[str, frozenset[str]]] = {
    "cdp_export_customer_triggered": frozenset({"contact_count", "field_count", "layout_id", "format"}),
    "cdp_export_customer_rejected": frozenset({"code"}),
    "cdp_export_customer_completed": frozenset({"rows", "seconds", "bytes"}),
    "cdp_export_customer_partial": frozenset({"rows", "failed", "seconds", "bytes"}),
    "cdp_export_customer_failed": frozenset({"failure_reason"}),
    "cdp_export_customer_cap_exceeded": frozenset({"attempted_count"}),
    "cdp_export_email_sent": frozenset({"variant"}),
    "cdp_export_history_registered": frozenset({"result"}),
    "entity_export_completed": frozenset({"exported_object", "format", "rows", "seconds", "bytes", "cached"}),
    "entity_export_failed": frozenset({"exported_object", "failure_reason"}),
    "crm_notes_migration_halted": frozenset({"job_id", "cid", "failure_rate"}),
    "crm_notes_migration_completed": frozenset(
        {"job_id", "cid", "migrated", "skipped", "failed", "match_pct", "seconds"}
    ),
    "crm_activity_logs_migration_halted": frozenset({"job_id", "cid", "failure_rate"}),
    "crm_activity_logs_migration_completed": frozenset(
        {"job_id", "cid", "migrated", "skipped", "failed", "match_pct", "seconds"}
    ),
}


def event_line(name: str, *, request_id: str, company_sso_id: str, **properties: object) -> str:
    """One log line, a JSON object `{event, request_id, company_sso_id, ...properties}`.

    Raises:
        ValueError: the event is not in the catalogue, or its properties are not exactly the catalogue's.
    """
    allowed = EVENT_PROPERTIES.get(name)
    if allowed is None:
        raise ValueError(f"unknown event {name!r}")
    if properties.keys() != allowed:
        raise ValueError(f"event {name} takes {sorted(allowed)}, not {sorted(properties)}")
    line: dict[str, Any] = {"event": name, "request_id": request_id, "company_sso_id": company_sso_id, **properties}
    return json.dumps(line, ensure_ascii=False, separators=(", ", ": "))
