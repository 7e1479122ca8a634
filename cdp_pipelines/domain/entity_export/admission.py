"""Whether an entity export may run: one pure function for the sensor, the run, the command line and the gateway.

Checks in this order (SPEC 1 and 4): the company exists, its switch is on, the request can be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.companies import FLAG_ENTITY_EXPORTS, Company, is_partition_key
from cdp_pipelines.domain.entity_export.request import (
    EntityExportRequest,
    RequestProblem,
    WebhookProblem,
    read_request,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityExportFacts:
    """What the answer rests on: the company, None if there is none, and the rule for addresses of webhooks."""

    company: Company | None
    webhook_problem: WebhookProblem
    template_problem: str | None = None
    """Why the template that the request names cannot be used."""


def admit(document: Mapping[str, Any], facts: EntityExportFacts) -> Admitted[EntityExportRequest] | Rejected:
    """The request in its safe form, or why it may not run. `document` has its template's parameters merged in."""
    if facts.company is None or not is_partition_key(facts.company.company_sso_id):
        return Rejected("company_not_found", 404, "There is no company with the company_sso_id of this request.")
    if not facts.company.has(FLAG_ENTITY_EXPORTS):
        return Rejected(
            "FLAG_DISABLED",
            403,
            f"Entity exports are switched off for this company ({FLAG_ENTITY_EXPORTS}).",
            {"flag": FLAG_ENTITY_EXPORTS},
        )
    if facts.template_problem is not None:
        return Rejected("invalid_export_template", 422, facts.template_problem)
    try:
        request = read_request(document, webhook_problem=facts.webhook_problem)
    except RequestProblem as problem:
        return Rejected(problem.code, 422, problem.message, problem.details)
    return Admitted(request)
