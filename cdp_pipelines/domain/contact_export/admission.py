"""Who may export what: the admission table of SPEC 3.2, in its order, as one pure function.

The sensor, the command line and every other way in call `admit`, so the answer is the same wherever a request enters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.companies import FLAG_EXPORT_CUSTOMER, Company, is_partition_key
from cdp_pipelines.domain.contact_export.filters import FilterField
from cdp_pipelines.domain.contact_export.request import (
    FORMATS,
    MAX_EXPORT_ROWS,
    SELECTION_MODES,
    ExportRequest,
    RequestReader,
    Selection,
)

PERMISSION: Final = "customers_customers_export"
_LARGEST_NUMBER_OF_FIELDS: Final = 2_000
_LARGEST_NUMBER_OF_SOURCES: Final = 200
_PROBLEMS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What admission must know beside the request.

    `company` is None when there is none of that id. `fields` are the company's visible fields by name. `rate_slot_free`
    is False once the company has used its exports of the last `rate_window_seconds`; taking the slot is the caller's.
    """

    company: Company | None
    fields: Mapping[str, FilterField] = field(default_factory=dict)
    rate_slot_free: bool = True
    rate_limit: int = 5
    rate_window_seconds: int = 3_600
    retry_after_seconds: int | None = None


def admit(document: Mapping[str, Any], facts: ExportFacts) -> Admitted[ExportRequest] | Rejected:
    """Judge one request document; the first check that fails decides the code."""
    refusal = _check_access(document, facts)
    if refusal is not None:
        return refusal
    reader = RequestReader(document, facts.fields)
    parts = _read(reader)
    if reader.problems:
        return _invalid(reader)
    refusal = _check_selection(document, parts) or _check_format(document) or _check_rate(facts)
    if refusal is not None:
        return refusal
    warnings = (reader.zone.warning,) if reader.zone.warning else ()
    return Admitted(_build(reader, parts), warnings)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What was read, before the checks that have codes of their own."""

    job_id: str
    user_sso_id: str
    email: str
    contact_ids: tuple[str, ...]
    selection: Selection
    layout_id: str
    selected_fields: tuple[str, ...]
    locale: str


def _check_access(document: Mapping[str, Any], facts: ExportFacts) -> Rejected | None:
    if facts.company is None or not facts.company.has(FLAG_EXPORT_CUSTOMER):
        if not is_partition_key(document.get("company_sso_id")):
            message = "company_sso_id is missing or is not a company's id, so no company's switches could be read."
        elif facts.company is None:
            message = "There is no company with this company_sso_id."
        else:
            message = f"Customer export is not switched on for this company ({FLAG_EXPORT_CUSTOMER})."
        return Rejected("FLAG_DISABLED", 403, message)
    permissions = document.get("permissions")
    if not isinstance(permissions, list | tuple) or PERMISSION not in permissions:
        return Rejected("FORBIDDEN", 403, f"The user lacks the permission {PERMISSION}.")
    return None


def _read(reader: RequestReader) -> _Parts:
    order_by, custom, descending = reader.order()
    contact_ids = reader.contact_ids()
    return _Parts(
        job_id=reader.job_id(),
        user_sso_id=reader.text("user_sso_id", required=True),
        email=reader.email(),
        contact_ids=contact_ids,
        selection=Selection(
            mode="contact_ids",
            contact_ids=contact_ids,
            order_by=order_by,
            order_by_custom=custom,
            descending=descending,
            filter=reader.filter(),
            period=reader.period(),
            sources=reader.texts("source", most=_LARGEST_NUMBER_OF_SOURCES),
        ),
        layout_id=reader.text("layout_id", required=False),
        selected_fields=reader.texts("selected_fields", most=_LARGEST_NUMBER_OF_FIELDS),
        locale=reader.text("locale", required=False),
    )


def _invalid(reader: RequestReader) -> Rejected:
    shown = reader.problems[:_PROBLEMS_SHOWN]
    listed = "; ".join(f"{problem.field} {problem.problem}" for problem in shown[:3])
    more = f"; and {len(reader.problems) - 3} more" if len(reader.problems) > 3 else ""
    return Rejected(
        "EXPORT_REQUEST_INVALID",
        422,
        f"The request cannot be read: {listed}{more}.",
        {"problems": [{"field": problem.field, "problem": problem.problem} for problem in shown]},
    )


def _check_selection(document: Mapping[str, Any], parts: _Parts) -> Rejected | None:
    mode = _mode_of(document)
    if mode is None:
        return Rejected(
            "EXPORT_SELECTION_MODE_INVALID",
            422,
            f"selection_mode must be one of {', '.join(SELECTION_MODES)}; it may be left out only with contact_ids.",
            {"allowed": list(SELECTION_MODES)},
        )
    if mode == "contact_ids":
        if not parts.contact_ids:
            return _refuse_request("contact_ids", "is empty: name at least one contact")
        if len(parts.contact_ids) > MAX_EXPORT_ROWS:
            return Rejected(
                "EXPORT_LIMIT_EXCEEDED",
                422,
                f"At most {MAX_EXPORT_ROWS:,} customers can be exported at once; the request names "
                f"{len(parts.contact_ids):,}.",
                {"limit": MAX_EXPORT_ROWS, "attempted_count": len(parts.contact_ids)},
            )
    elif parts.contact_ids:
        return _refuse_request(
            "contact_ids", f"must be left out with selection_mode {mode}, which selects by criterion"
        )
    return None


def _refuse_request(name: str, problem: str) -> Rejected:
    return Rejected(
        "EXPORT_REQUEST_INVALID",
        422,
        f"The request cannot be read: {name} {problem}.",
        {"problems": [{"field": name, "problem": problem}]},
    )


def _mode_of(document: Mapping[str, Any]) -> str | None:
    raw = document.get("selection_mode")
    if raw in (None, ""):
        return "contact_ids" if document.get("contact_ids") else None
    return raw if isinstance(raw, str) and raw in SELECTION_MODES else None


def _check_format(document: Mapping[str, Any]) -> Rejected | None:
    raw = document.get("format")
    if isinstance(raw, str) and raw.lower() in FORMATS:
        return None
    return Rejected(
        "EXPORT_FORMAT_INVALID", 422, f"format must be one of {', '.join(FORMATS)}.", {"allowed": list(FORMATS)}
    )


def _check_rate(facts: ExportFacts) -> Rejected | None:
    if facts.rate_slot_free:
        return None
    window = "hour" if facts.rate_window_seconds == 3_600 else f"{facts.rate_window_seconds:,} seconds"
    details: dict[str, Any] = {"limit": facts.rate_limit, "window_seconds": facts.rate_window_seconds}
    if facts.retry_after_seconds is not None:
        details["retry_after_seconds"] = facts.retry_after_seconds
    return Rejected(
        "EXPORT_RATE_LIMIT_EXCEEDED",
        429,
        f"Too many export requests: a company may start {facts.rate_limit} exports in any {window}. "
        "Please wait before trying again.",
        details,
    )


def _build(reader: RequestReader, parts: _Parts) -> ExportRequest:
    document, selection = reader.document, parts.selection
    mode = _mode_of(document)
    return ExportRequest(
        job_id=parts.job_id,
        company_sso_id=document["company_sso_id"],
        user_sso_id=parts.user_sso_id,
        email=parts.email,
        selection=Selection(
            mode="filter" if mode == "filter" else "first_10k_sorted" if mode == "first_10k_sorted" else "contact_ids",
            contact_ids=selection.contact_ids,
            order_by=selection.order_by,
            order_by_custom=selection.order_by_custom,
            descending=selection.descending,
            filter=selection.filter,
            period=selection.period if mode == "filter" else None,
            sources=selection.sources if mode == "filter" else (),
        ),
        layout_id=parts.layout_id or None,
        selected_fields=parts.selected_fields,
        file_format="xlsx" if document["format"].lower() == "xlsx" else "csv",
        zone=reader.zone,
        locale=parts.locale,
    )
