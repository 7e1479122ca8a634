"""How an entity export is shown, to people and as JSON.

Belongs here: choosing and writing the facts of an `exports` document. Not here: reading them. Never among them: the
address of the user, what filters compare with, the token, and of a webhook more than its host.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.entity_parameters import parameter_facts, parameter_lines, webhook_host
from cdp_pipelines.cli.exit_codes import FAILED, OK, REFUSED
from cdp_pipelines.cli.export_table import ExportRow
from cdp_pipelines.domain.entity_export.delivery import CANCELED, DONE, ERROR

Document = Mapping[str, Any]

_FACTS: Final = (
    "company_sso_id", "exported_object", "status", "channel", "progress", "total", "template", "schedule_id",
    "scheduled_for", "cached_from", "warnings", "error", "cancel_requested", "notices_pending", "run_id", "created_at",
    "started_at", "ended_at", "files_expire_at", "purged_at",
)  # fmt: skip
_RESULT_FACTS: Final = (
    "file_name",
    "record_count",
    "size_bytes",
    "total_bytes",
    "sha256",
    "expires_at",
    "url",
    "cached",
    "made_at",
)
_PART_FACTS: Final = ("file_name", "record_count", "size_bytes", "sha256", "url")


def export_facts(document: Document) -> dict[str, Any]:
    """What `--json` prints of an export; facts that the document does not have are null."""
    facts = {"job_id": document.get("id"), **{name: document.get(name) for name in _FACTS}}
    facts["parameters"] = parameter_facts(document)
    facts["webhook_host"] = webhook_host(document)
    result = document.get("result")
    facts["result"] = _result_facts(result) if isinstance(result, Mapping) else None
    return facts


def _result_facts(result: Document) -> dict[str, Any]:
    parts = result.get("parts")
    facts: dict[str, Any] = {name: result.get(name) for name in _RESULT_FACTS}
    facts["parts"] = (
        [{name: part.get(name) for name in _PART_FACTS} for part in parts if isinstance(part, Mapping)]
        if isinstance(parts, list)
        else None
    )
    return facts


def export_lines(document: Document) -> list[str]:
    """An export as lines of `name  value`; what is empty is left out."""
    facts = export_facts(document)
    result = facts.pop("result") or {}
    parts = result.get("parts") or []
    shown: list[tuple[str, object]] = [("job id", facts["job_id"])]
    shown += [(name.replace("_", " "), facts[name]) for name in ("company_sso_id", "exported_object", "status")]
    shown += [("rows", _progress_text(document)), *parameter_lines(document)]
    shown += [(name.replace("_", " "), facts[name]) for name in _FACTS if name not in _SHOWN_OTHERWISE]
    shown += [
        ("webhook", facts["webhook_host"]),
        ("error", _error_text(facts["error"])),
        ("file", result.get("file_name")),
        ("parts", len(parts)),
        ("size", output.size_text(result.get("total_bytes") or result.get("size_bytes"))),
        ("sha256", result.get("sha256")),
        ("made at", _made_at_text(result)),
        ("link until", result.get("expires_at")),
        ("link", result.get("url")),
        *((f"link of part {number}", part.get("url")) for number, part in enumerate(parts, start=1)),
    ]
    return [f"{name:<16} {text}" for name, value in shown if (text := _text(value))]


def _made_at_text(result: Mapping[str, Any]) -> str:
    """Since when the file is, if an earlier export made it."""
    if result.get("cached") is not True:
        return ""
    return f"{_text(result.get('made_at'))}; nothing has changed since, so the file of an earlier export serves again"


_SHOWN_OTHERWISE: Final = ("company_sso_id", "exported_object", "status", "channel", "progress", "total", "error")


def export_row(document: Document) -> ExportRow:
    """An export in the list of exports."""
    return ExportRow(
        job=_text(document.get("id")),
        created=output.instant_text(document.get("created_at")),
        company=_text(document.get("company_sso_id")),
        exported_object=_text(document.get("exported_object")),
        status=_text(document.get("status")),
        rows=str(rows_of(document)[0]) if document.get("status") != ERROR else "",
        failed="",
        outcome=outcome_text(document),
    )


def outcome_text(document: Document) -> str:
    """The file's name, else the code and reason of the refusal or failure; empty while there is neither."""
    result = document.get("result")
    if isinstance(result, Mapping) and result.get("file_name"):
        return str(result["file_name"])
    return _error_text(document.get("error"))


def rows_of(document: Document) -> tuple[int, int | None]:
    """Rows written, and rows in all once they are counted."""
    done, total = document.get("progress"), document.get("total")
    return (done if isinstance(done, int) else 0), (total if isinstance(total, int) else None)


def exit_code_of(document: Document) -> int:
    """0 when there is a file; 2 when the request was refused; 1 for failed and canceled."""
    status, error = document.get("status"), document.get("error")
    if status == DONE:
        return OK
    # A refused request ends as ERROR too; only a refusal has an HTTP status.
    refused = status == ERROR and isinstance(error, Mapping) and error.get("http_status") is not None
    return REFUSED if refused else FAILED


def _progress_text(document: Document) -> str:
    done, total = rows_of(document)
    if document.get("status") in (ERROR, CANCELED) and not done:
        return ""
    return f"{done:,}" if total in (None, done) else f"{done:,} of {total:,}"


def _error_text(error: object) -> str:
    return f"{error.get('code', '')}: {error.get('message', '')}" if isinstance(error, Mapping) else ""


def _text(value: object) -> str:
    if value is None or value == [] or value is False or value == 0:
        return ""
    if isinstance(value, list):
        return "; ".join(str(part) for part in value)
    if value is True:
        return "yes"
    return output.instant_text(value) or str(value)
