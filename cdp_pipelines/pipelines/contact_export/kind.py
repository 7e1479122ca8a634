"""Contact exports as the machinery of exports knows them."""

from typing import Any, Final

from cdp_pipelines.domain.admission import Admitted, Rejected
from cdp_pipelines.domain.contact_export.request import ExportRequest
from cdp_pipelines.pipelines.contact_export import intake
from cdp_pipelines.pipelines.contact_export.conclude import cancel, fail
from cdp_pipelines.pipelines.contact_export.config import JOB_NAME, run_config
from cdp_pipelines.pipelines.contact_export.deliver import send_email
from cdp_pipelines.pipelines.contact_export.services import ExportServices
from cdp_pipelines.pipelines.exports.kinds import ExportKind
from cdp_pipelines.pipelines.exports.sweep import SweepReport, repeat_failure_emails

Document = dict[str, Any]


def _judge(services: ExportServices, document: Document) -> Admitted[ExportRequest] | Rejected:
    return intake.judge(services, document, now=services.now())


def _reject(services: ExportServices, document: Document, rejected: Rejected) -> bool:
    return intake.reject(services, document, rejected, now=services.now())


def _repeat(services: ExportServices, report: SweepReport) -> None:
    repeat_failure_emails(services, report, lambda services, document: send_email(services, document, "failed"))


CONTACT_EXPORT: Final = ExportKind(
    name=JOB_NAME,
    title="contact export",
    sensor="contact_export_requests",
    invalid_code="EXPORT_REQUEST_INVALID",
    judge=_judge,
    reject=_reject,
    tell_of_refusal=intake.tell_of_refusal,
    accepted=intake.tell_of_acceptance,
    cancel=cancel,
    fail=fail,
    run_config=run_config,
    repeat=_repeat,
)
