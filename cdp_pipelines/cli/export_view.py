"""How a contact export is shown, to people and as JSON.

Belongs here: choosing and writing the job document's facts. Not here: reading them. The address of the user and the
selection are never among them.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.export_table import STATUS_STYLES, ExportRow

__all__ = ["STATUS_STYLES", "job_facts", "job_lines", "job_row", "outcome_text"]

Document = Mapping[str, Any]

_FACTS: Final = (
    "job_id",
    "company_sso_id",
    "status",
    "selection_mode",
    "format",
    "total_records",
    "success_count",
    "failed_count",
    "truncated",
    "matched_count",
    "warnings",
    "failure_reason",
    "error",
    "cancel_requested",
    "run_id",
    "created_at",
    "started_at",
    "ended_at",
    "purged_at",
)
_RESULT_FACTS: Final = ("file_name", "size_bytes", "expires_at", "url")


def job_facts(document: Document) -> dict[str, Any]:
    """What `--json` prints of a job; facts that the document does not have are null."""
    facts = {name: document.get(name) for name in _FACTS}
    result = document.get("result")
    facts["result"] = {name: result.get(name) for name in _RESULT_FACTS} if isinstance(result, Mapping) else None
    return facts


def job_lines(document: Document) -> list[str]:
    """A job as lines of `name  value`; what is empty is left out."""
    facts = job_facts(document)
    result = facts.pop("result") or {}
    error = facts.pop("error")
    shown: list[tuple[str, str]] = [(name, _text(value)) for name, value in facts.items()]
    if isinstance(error, Mapping):
        shown.append(("error", f"{error.get('code', '')}: {error.get('message', '')}"))
    shown += [
        ("file", str(result.get("file_name") or "")),
        ("size", output.size_text(result.get("size_bytes"))),
        ("link until", output.instant_text(result.get("expires_at"))),
        ("link", str(result.get("url") or "")),
    ]
    return [f"{name.replace('_', ' '):<16} {value}" for name, value in shown if value]


def job_row(document: Document) -> ExportRow:
    """A job in the list of exports."""
    return ExportRow(
        job=_text(document.get("job_id")),
        created=output.instant_text(document.get("created_at")),
        company=_text(document.get("company_sso_id")),
        exported_object="contact",
        status=_text(document.get("status")),
        rows=_text(document.get("success_count")),
        failed=_text(document.get("failed_count")),
        outcome=outcome_text(document),
    )


def outcome_text(document: Document) -> str:
    """The file's name, else the code and reason of the refusal or failure; empty while there is neither."""
    result, error = document.get("result"), document.get("error")
    if isinstance(result, Mapping) and result.get("file_name"):
        return str(result["file_name"])
    if isinstance(error, Mapping):
        return f"{error.get('code', '')}: {error.get('message', '')}"
    return str(document.get("failure_reason") or "")


def _text(value: object) -> str:
    if value is None or value == [] or value is False:
        return ""
    if isinstance(value, list):
        return "; ".join(str(part) for part in value)
    if value is True:
        return "yes"
    return output.instant_text(value) or str(value)
