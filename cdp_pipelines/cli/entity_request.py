"""`cdp export request --object …`: judged as everywhere, then put into the queue."""

from typing import TYPE_CHECKING

from cdp_pipelines.cli import output
from cdp_pipelines.cli.entity_document import AskedEntityExport, Document, scheduled_document
from cdp_pipelines.cli.export_status import show_end, show_queued
from cdp_pipelines.cli.refusals import show_refusal
from cdp_pipelines.cli.services import entity_services

if TYPE_CHECKING:
    from cdp_pipelines.domain.admission import Admitted, Rejected
    from cdp_pipelines.domain.entity_export.request import EntityExportRequest
    from cdp_pipelines.pipelines.entity_export.services import EntityServices


def request_entities(asked: AskedEntityExport, *, wait_seconds: float | None, as_json: bool) -> int:
    """Queue an entity export; returns the exit code: 2 when it was refused, and then nothing is queued."""
    from cdp_pipelines.cli.entity_exports import EntityKind
    from cdp_pipelines.domain.admission import Rejected

    with entity_services() as services:
        document, answer = judged(services, asked)
        if isinstance(answer, Rejected):
            return show_refusal(answer, as_json=as_json)
        export_id = str(document["id"])
        services.jobs.insert(document)
        if wait_seconds is not None:
            output.note(f"Queued as {export_id}.")
            return show_end(EntityKind(services), export_id, wait_seconds, as_json=as_json)
    return show_queued(export_id, str(document["status"]), answer.warnings, as_json=as_json)


def judged(
    services: "EntityServices", asked: AskedEntityExport
) -> "tuple[Document, Admitted[EntityExportRequest] | Rejected]":
    """The document of what was asked, and what the admission says to it.

    The object, which may be known from the template alone, stands in the document of an admitted request.

    Raises:
        ConfigurationError: index migrations are missing.
    """
    from cdp_pipelines.domain.admission import Admitted
    from cdp_pipelines.pipelines.entity_export.intake import judge
    from cdp_pipelines.stores.migrations.runner import Migrator

    Migrator(services.database).require_current()
    document = scheduled_document(asked, now=services.now())
    answer = judge(services, document)
    if isinstance(answer, Admitted):
        document["exported_object"] = answer.request.entity.name
    return document, answer
