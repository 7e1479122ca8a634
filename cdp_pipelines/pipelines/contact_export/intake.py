"""The one way in: gather the facts, ask the pure `admit`, take the rate slot. For sensor, run and command line."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.contact_export.admission import ExportFacts, admit
from cdp_pipelines.domain.contact_export.fields import choose_columns
from cdp_pipelines.domain.contact_export.request import ExportRequest
from cdp_pipelines.domain.errors import CdpError
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.pipelines.contact_export.services import ExportServices
from cdp_pipelines.pipelines.exports.ending import refused
from cdp_pipelines.stores.contacts import ContactReader

logger = logging.getLogger(__name__)


def judge(
    services: ExportServices, document: Mapping[str, Any], *, now: datetime
) -> Admitted[ExportRequest] | Rejected:
    """Whether a request may run. An admitted one holds one of its company's slots of the rolling hour.

    Asking again about the same job takes no second slot, so every way in may ask.
    """
    company = services.companies.find(document.get("company_sso_id"))
    facts = ExportFacts(
        company=company,
        fields=services.companies.filter_fields(company.company_sso_id) if company else {},
        rate_limit=services.rate_limits.limit,
        rate_window_seconds=services.rate_limits.window_seconds,
    )
    answer = admit(document, facts)
    if isinstance(answer, Rejected):
        return answer
    slot = services.rate_limits.take(answer.request.company_sso_id, answer.request.job_id, now=now)
    if slot.taken:
        return answer
    return admit(document, replace(facts, rate_slot_free=False, retry_after_seconds=slot.retry_after_seconds))


def reread(services: ExportServices, document: Mapping[str, Any]) -> ExportRequest:
    """The parsed form of a request that this run has admitted; its switches and rate are not asked again.

    Raises:
        PermanentFailure: what the request rests on changed before its run could work on it.
    """
    company = services.companies.find(document.get("company_sso_id"))
    fields = services.companies.filter_fields(company.company_sso_id) if company else {}
    answer = admit(document, ExportFacts(company=company, fields=fields))
    if isinstance(answer, Rejected):
        raise refused(answer)
    return answer.request


def reject(services: ExportServices, document: Mapping[str, Any], rejected: Rejected, *, now: datetime) -> bool:
    """End a queued request as rejected and tell the events of it; False when it had moved on."""
    if not services.jobs.reject(document["_id"], rejected, now=now):
        return False
    tell_of_refusal(services, document, rejected)
    return True


def tell_of_acceptance(services: ExportServices, request: ExportRequest) -> None:
    """The event of an admitted request: how much it asks for, as far as that can be known at once."""
    company, count, fields = request.company_sso_id, None, 0
    layout_id = request.layout_id
    try:
        layout_id = layout_id or services.companies.default_layout_id(company)
        count = ContactReader(services.database, company).count_soon(request.selection)
        properties = services.companies.layout_fields(company, layout_id) if layout_id is not None else []
        fields = len(choose_columns(properties, request.selected_fields).columns)
    except CdpError as exc:
        logger.warning("[%s] what was asked for could not be counted (%s)", request.job_id, exc.code)
    logger.info(
        event_line(
            "cdp_export_customer_triggered",
            request_id=request.job_id,
            company_sso_id=company,
            contact_count=count,
            field_count=fields,
            layout_id=layout_id,
            format=request.file_format,
        )
    )


def tell_of_refusal(services: ExportServices, document: Mapping[str, Any], rejected: Rejected) -> None:  # noqa: ARG001
    """A refused request in events; never what it asked for, which may be anything."""
    job_id, company = _text(document.get("job_id")), _text(document.get("company_sso_id"))
    logger.info(
        event_line("cdp_export_customer_rejected", request_id=job_id, company_sso_id=company, code=rejected.code)
    )
    if rejected.code == "EXPORT_LIMIT_EXCEEDED":
        logger.info(
            event_line(
                "cdp_export_customer_cap_exceeded",
                request_id=job_id,
                company_sso_id=company,
                attempted_count=rejected.details["attempted_count"],
            )
        )


def _text(value: object) -> str:
    """An id for a log line: what is not a short text is not put there, because it may be anything."""
    return value if isinstance(value, str) and len(value) <= 64 and value.isprintable() else "unknown"
