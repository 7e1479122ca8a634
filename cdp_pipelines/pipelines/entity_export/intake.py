"""The one way in: gather the facts, ask the pure `admit`. For sensor, run, command line and schedule."""

import logging
from collections.abc import Mapping
from typing import Any

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.entity_export.admission import EntityExportFacts, admit
from cdp_pipelines.domain.entity_export.delivery import ERROR
from cdp_pipelines.domain.entity_export.request import EntityExportRequest
from cdp_pipelines.domain.entity_export.schedules import SCHEDULE_INVALID, SWITCHED_OFF, TOO_FREQUENT
from cdp_pipelines.domain.entity_export.templates import TEMPLATE_INVALID, merged
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.events import event_line
from cdp_pipelines.domain.people_words import in_language
from cdp_pipelines.pipelines.entity_export.figures import count_ended, object_of, short_text
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.exports.ending import refused

logger = logging.getLogger(__name__)

Document = dict[str, Any]


def judge(services: EntityServices, document: Mapping[str, Any]) -> Admitted[EntityExportRequest] | Rejected:
    """Whether a request may run; asking again about the same one answers the same."""
    if isinstance(document.get("schedule_fault"), Mapping):
        return _faulty(document["schedule_fault"])
    company = services.companies.find(document.get("company_sso_id"))
    problem: str | None = None
    if company is not None and document.get("template"):
        try:
            document = _with_template(services, company.company_sso_id, document)
        except PermanentFailure as exc:
            problem = exc.message
    facts = EntityExportFacts(company=company, webhook_problem=services.webhook_problem, template_problem=problem)
    return admit(document, facts)


def _faulty(fault: Mapping[str, Any]) -> Rejected:
    """The last request of a schedule that cannot run: what is wrong with it, and nothing that it asks for."""
    code, details = fault.get("code"), fault.get("details")
    known = code if code == TOO_FREQUENT else SCHEDULE_INVALID
    return Rejected(known, 422, str(fault.get("message")), dict(details) if isinstance(details, Mapping) else {})


def _with_template(services: EntityServices, company_sso_id: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request with what its template says where it says nothing itself.

    Raises:
        PermanentFailure: the company has none of that name, or it is of another object.
    """
    name, parameters = document["template"], document.get("parameters")
    template = services.templates.find(company_sso_id, name) if isinstance(name, str) else None
    if template is None:
        raise PermanentFailure(TEMPLATE_INVALID, "The company has no export template of the name that is given.")
    if parameters is not None and not isinstance(parameters, Mapping):
        return document
    asked = document.get("exported_object")
    return {
        **document,
        "exported_object": template.get("exported_object") if asked is None else asked,
        "parameters": merged(template, parameters, exported_object=asked),
    }


def reread(services: EntityServices, document: Mapping[str, Any]) -> EntityExportRequest:
    """The parsed form of a request that this run has admitted.

    Raises:
        PermanentFailure: what it rests on changed meanwhile.
    """
    answer = judge(services, document)
    if isinstance(answer, Rejected):
        raise refused(answer)
    return answer.request


def reject(services: EntityServices, document: Mapping[str, Any], rejected: Rejected) -> bool:
    """End a queued request as refused and tell the events of it; False when it had moved on.

    The sweeper sends its notices, as it does where no run could: a receiver that hangs must not hold up a tick.
    """
    if not services.jobs.reject(document["_id"], rejected, now=services.now(), changes=_to_be_told(services, document)):
        return False
    tell_of_refusal(services, document, rejected)
    return True


def tell_of_taken(services: EntityServices, document: Mapping[str, Any], rejected: Rejected) -> None:
    """What `reject` does besides ending, for a request that a run had taken before anybody judged it."""
    services.jobs.set_told(document["_id"], _to_be_told(services, document))
    tell_of_refusal(services, document, rejected)


def _to_be_told(services: EntityServices, document: Mapping[str, Any]) -> Document:
    """What a refused request's document says of its notices; and of its schedule, if that is switched off by it."""
    # What it brought in the fields of an end is not believed.
    changes: Document = {"notices_pending": True, "result": None, "exported_as": None, "warnings": []}
    is_off = isinstance(document.get("schedule_fault"), Mapping)
    if not is_off and document.get("schedule_id") is not None:
        is_off = services.schedules.note_refusal(dict(document), now=services.now())
    if is_off:
        changes |= {
            "schedule_switched_off": True,
            "warnings": [in_language(SWITCHED_OFF, document.get("locale"))],
        }
    return changes


def tell_of_refusal(services: EntityServices, document: Mapping[str, Any], rejected: Rejected) -> None:
    """A refused request in events and figures; never what it asked for, which may be anything."""
    logger.info(
        event_line(
            "entity_export_failed",
            request_id=short_text(document.get("id")),
            company_sso_id=short_text(document.get("company_sso_id")),
            exported_object=object_of(document),
            failure_reason=rejected.code,
        )
    )
    count_ended(services, document, ERROR)
