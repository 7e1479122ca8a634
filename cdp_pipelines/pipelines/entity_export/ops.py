"""The four steps of an entity export: load_export -> write_rows -> finish_export -> notify.

Nothing larger than an id passes between them; each reads the document anew.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from cdp_pipelines.domain.admission import Rejected
from cdp_pipelines.domain.entity_export.request import EntityExportRequest
from cdp_pipelines.domain.errors import CancelRequested, CdpError
from cdp_pipelines.domain.people_words import all_in_language
from cdp_pipelines.pipelines.entity_export import conclude, intake
from cdp_pipelines.pipelines.entity_export.config import LoadExportConfig
from cdp_pipelines.pipelines.entity_export.figures import format_of, object_of
from cdp_pipelines.pipelines.entity_export.kind import ENTITY_EXPORT
from cdp_pipelines.pipelines.entity_export.notices import send_notices
from cdp_pipelines.pipelines.entity_export.results import look_for_result, result_of, state_of, with_links
from cdp_pipelines.pipelines.entity_export.services import EntityExportResource, EntityServices
from cdp_pipelines.pipelines.entity_export.writing import Written, write_files
from cdp_pipelines.pipelines.exports.config import PASSING
from cdp_pipelines.pipelines.exports.ending import ending_badly
from cdp_pipelines.pipelines.exports.heartbeat import Beat, beat_of, owned_document
from cdp_pipelines.pipelines.exports.taking import still_admitted, take
from cdp_pipelines.resources.work_directory import WorkDirectoryResource

logger = logging.getLogger(__name__)

Document = dict[str, Any]

_REQUEST_OUT = dg.Out(str, is_required=False, io_manager_key=PASSING, description="The request's id.")


@dg.op(out=_REQUEST_OUT)
def load_export(
    context: dg.OpExecutionContext, config: LoadExportConfig, entity_export: EntityExportResource
) -> Iterator[dg.Output[str]]:
    """Take ownership of the request; one that ended, or that another run works on, is left alone."""
    services = entity_export.services()
    document = take(context, ENTITY_EXPORT, services, config.request_id)
    if document is None:
        return
    request_id = document["id"]
    with _ending_badly(services, document, beat_of(context, services, request_id)):
        if document.get("cancel_requested") is True:
            raise CancelRequested
        services.limits.check()
        if not still_admitted(ENTITY_EXPORT, services, document):
            _tell_of_refusal(services, document)
            return
        if document.get("schedule_id") is not None:
            services.schedules.note_admission(document)
    yield dg.Output(request_id)


@dg.op(out=_REQUEST_OUT)
def write_rows(
    context: dg.OpExecutionContext,
    request_id: str,
    entity_export: EntityExportResource,
    work_directory: WorkDirectoryResource,
) -> Iterator[dg.Output[str]]:
    """Stream the rows into the object store, or find that an earlier export of the same data serves again."""
    services = entity_export.services()
    beat = beat_of(context, services, request_id)
    document = owned_document(services, beat)
    with _ending_badly(services, document, beat):
        _remove_earlier_files(services, document, beat)
        request = intake.reread(services, document)
        as_read = _as_read(request)
        services.jobs.keep(document, **as_read)
        beat(**as_read)
        state, cached = look_for_result(services, request)
        if cached is not None:
            context.log.info("[%s] served by the files of %s: nothing has changed since", request_id, cached.export_id)
            beat(result=with_links(services, cached.result, cached.owner), cached_from=cached.export_id)
        else:
            owner = services.jobs.key_owner(document)

            def record(written: Written) -> None:
                # Looked at again: what came and went while it was written may be in the file, or be missing.
                is_proven = state is not None and state_of(services, request) == state
                beat(
                    result=result_of(services, written, owner),
                    warnings=all_in_language(written.warnings, document.get("locale")),
                    cache={"key": request.cache_key, "fingerprint": state} if is_proven else None,
                    cached_from=None,
                )

            write_files(services, request, work_directory.path(), beat, record, owner=owner)
    yield dg.Output(request_id)


def _tell_of_refusal(services: EntityServices, document: Document) -> None:
    """A request that was launched by hand, and refused as the queue's sensor would have: so are its notices."""
    answer = intake.judge(services, document)
    if isinstance(answer, Rejected):
        intake.tell_of_taken(services, document, answer)
        _send_notices(services, document["id"], document["company_sso_id"])


@contextmanager
def _ending_badly(services: EntityServices, document: Document, beat: Beat) -> Iterator[None]:
    """As for every export; then the notices of that end, inside the run."""
    try:
        with ending_badly(ENTITY_EXPORT, services, document, beat):
            yield
    except dg.Failure:
        _send_notices(services, beat.job_id, beat.company_sso_id)
        raise


def _send_notices(services: EntityServices, export_id: str, company_sso_id: str) -> Document:
    """Tell of the export if it has ended, by whomever; returns its document. The sweeper does what fails here."""
    document: Document = {}
    try:
        document = services.jobs.find_taken_in(export_id, company_sso_id) or {}
        send_notices(services, document)
    except CdpError as exc:
        logger.warning("[%s] notices not sent yet: %s", export_id, exc.code)
    return document


def _as_read(request: EntityExportRequest) -> Document:
    """What the request comes to with its template and the defaults, for notices, figures and the audit trail."""
    return {
        "exported_object": request.entity.name,
        "exported_fields": [field.name for field in request.fields],
        "exported_as": {
            "format": request.file_format,
            "compression": "gzip" if request.gzip else None,
            "timezone": request.zone.key,
        },
    }


def _remove_earlier_files(services: EntityServices, document: Document, beat: Beat) -> None:
    """What a run that died has left of this request; this one begins anew, under other keys."""
    keys = services.jobs.own_files(document)
    if keys or services.jobs.shape.files(document):
        store = services.object_store()
        for key in keys:
            store.discard(key)
        beat(object_keys=[], result=None)


@dg.op(out=_REQUEST_OUT)
def finish_export(
    context: dg.OpExecutionContext, request_id: str, entity_export: EntityExportResource
) -> Iterator[dg.Output[str]]:
    """Turn the export DONE. From here on nothing can take its file away but its time, or a purge."""
    services = entity_export.services()
    beat = beat_of(context, services, request_id)
    document = owned_document(services, beat)
    with _ending_badly(services, document, beat):
        beat()
        if not conclude.finish(services, document):
            raise dg.Failure(f"[{request_id}] was ended by somebody else.", allow_retries=False)
    yield dg.Output(request_id)


@dg.op(out=dg.Out(dg.Nothing))
def notify(context: dg.OpExecutionContext, request_id: str, entity_export: EntityExportResource) -> dg.Output[None]:
    """Send the email and the webhook, each once; what cannot be sent now, the sweeper sends. Show the figures."""
    services = entity_export.services()
    document = _send_notices(services, request_id, context.partition_key)
    return dg.Output(None, metadata=_figures(document))


def _figures(document: Document) -> dict[str, Any]:
    result = document.get("result") or {}
    started, ended = document.get("started_at"), document.get("ended_at")
    seconds = (ended - started).total_seconds() if started and ended else 0.0
    rows = result.get("record_count", 0)
    return {
        "dagster/row_count": rows,
        "exported_object": object_of(document),
        "format": format_of(document),
        "columns": len(document.get("exported_fields") or []),
        "size_bytes": result.get("total_bytes", result.get("size_bytes", 0)),
        "files": len(result.get("parts") or [result]),
        "seconds": round(seconds, 2),
        "rows_per_second": round(rows / seconds) if seconds else 0,
        "from_cache": bool(document.get("cached_from")),
        "sha256": result.get("sha256", ""),
        "status": document.get("status", ""),
        "warnings": len(document.get("warnings") or []),
        "request_id": document.get("id", ""),
    }
