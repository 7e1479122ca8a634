"""From rows to finished files: read a page, render it, write it, say how far it is, and ask whether to go on."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from cdp_pipelines.domain.entity_export.completeness import ROWS_MISSING, UNSETTLED, verdict
from cdp_pipelines.domain.entity_export.delivery import (
    MANIFEST_CONTENT_TYPE,
    file_name,
    key_stem,
    manifest_key,
)
from cdp_pipelines.domain.entity_export.request import EntityExportRequest
from cdp_pipelines.domain.entity_export.values import EntityRenderer
from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.domain.object_keys import KeyOwner, marked_uuid
from cdp_pipelines.pipelines.entity_export.outputs import Output, SheetOutput, StreamedOutput, WrittenFile
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.exports.heartbeat import Beat
from cdp_pipelines.stores.entity_rows import EntityReader

WRITE_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Written:
    """All of an export: its files, and the manifest where there are several."""

    files: tuple[WrittenFile, ...]
    manifest: WrittenFile | None
    warnings: tuple[str, ...]

    @property
    def record_count(self) -> int:
        """Rows in all files."""
        return sum(file.record_count for file in self.files)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files, without the manifest."""
        return sum(file.size_bytes for file in self.files)


def write_files(
    services: EntityServices,
    request: EntityExportRequest,
    directory: Path,
    beat: Beat,
    record: Callable[[Written], None],
    *,
    owner: KeyOwner,
) -> None:
    """Write the export into the object store, and `record` it: if that fails, its files go as well.

    An outage in the middle, of MongoDB or of the store, begins all of it anew, at most three times: a walk over rows
    cannot be picked up where it broke, and nothing has been linked yet. What the outage kept from being removed is
    removed first.

    Raises:
        CancelRequested: within one page of being asked; no file stays.
        OwnershipLost: no file stays.
        TransientFailure: what was away stayed away; no file stays, or it is known by `object_keys`.
    """
    keys: list[str] = []
    for attempt in Retrying(
        retry=retry_if_exception_type(TransientFailure),
        stop=stop_after_attempt(WRITE_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=1, max=8, jitter=1),
        reraise=True,
    ):
        with attempt:
            for key in keys:
                services.object_store().discard(key)
            keys.clear()
            _write_once(services, request, directory, beat, keys, record, owner)


def _write_once(
    services: EntityServices,
    request: EntityExportRequest,
    directory: Path,
    beat: Beat,
    keys: list[str],
    record: Callable[[Written], None],
    owner: KeyOwner,
) -> None:
    reader = EntityReader(services.database, request)
    renderer = EntityRenderer(request.fields, request.file_format, request.zone)
    counted = total = reader.count()
    done = 0
    beat(total=total, progress=0)
    unique = marked_uuid(owner.mark, secrets.token_hex(8))
    stem = key_stem(request.company_sso_id, request.entity, now=services.now(), unique=unique)
    with _output(services, request, stem, directory, beat, keys) as output:
        for page in reader.pages(services.limits.rows_a_page()):
            output.write(renderer.columns(page))
            done += len(page)
            # Rows may have come or gone since they were counted; progress is never beyond the total.
            total = max(total, done)
            beat(progress=done, total=total)
        unsettled = _unsettled(reader, request, counted=counted, written=done)
        files, warnings = output.finish()
        manifest = _write_manifest(services, request, stem, files, output) if len(files) > 1 else None
        # Inside the block: a run that has lost its job by now leaves no file.
        record(Written(tuple(files), manifest, (*warnings, *unsettled)))


def _unsettled(reader: EntityReader, request: EntityExportRequest, *, counted: int, written: int) -> tuple[str, ...]:
    """What the user is to know of the rows in the file; almost always nothing, and then nothing is asked.

    Raises:
        TransientFailure: rows are missing; the export is written anew, at most three times.
    """
    if written >= counted:
        return ()
    found = verdict(
        counted=counted,
        written=written,
        matching_now=reader.still_there(),
        filtered=request.filters is not None,
    )
    if found == "missing":
        raise TransientFailure(
            ROWS_MISSING,
            f"Only {written:,} of {counted:,} rows could be read, though none was deleted.",
            details={"counted": counted, "written": written},
        )
    return (UNSETTLED,) if found == "unsettled" else ()


def _output(
    services: EntityServices,
    request: EntityExportRequest,
    stem: str,
    directory: Path,
    beat: Beat,
    keys: list[str],
) -> Output:
    store = services.object_store()

    def note_keys(known: list[str]) -> None:
        beat(object_keys=known)

    if request.file_format == "XLSX":
        return SheetOutput(store, request, stem, note_keys, keys, directory=directory)
    return StreamedOutput(store, request, stem, note_keys, keys, part_bytes=services.limits.bytes_a_part())


def _write_manifest(
    services: EntityServices,
    request: EntityExportRequest,
    stem: str,
    files: list[WrittenFile],
    output: Output,
) -> WrittenFile:
    """A list of the parts with what proves that each has arrived; links are on the export, since they end."""
    key = output.announce(manifest_key(stem))
    content = {
        "id": request.export_id,
        "exported_object": request.entity.name,
        "format": request.file_format,
        "compression": "gzip" if request.gzip else None,
        "fields": [each.name for each in request.fields],
        "record_count": sum(file.record_count for file in files),
        "size_bytes": sum(file.size_bytes for file in files),
        "parts": [
            {
                "file_name": file_name(file.key),
                "key": file.key,
                "record_count": file.record_count,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
            }
            for file in files
        ],
    }
    with services.object_store().open_upload(
        key=key, content_type=MANIFEST_CONTENT_TYPE, download_name=file_name(key), request_id=request.export_id
    ) as upload:
        upload.write(json.dumps(content, indent=2).encode())
        stored = upload.complete()
    return WrittenFile(key, 0, stored.size_bytes, stored.sha256)
