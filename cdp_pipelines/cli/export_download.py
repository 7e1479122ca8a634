"""Bringing an export's file to this machine, whole or not at all."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.export_kinds import Via
from cdp_pipelines.domain.errors import PermanentFailure, TransientFailure

if TYPE_CHECKING:
    from cdp_pipelines.domain.object_keys import KeyOwner
    from cdp_pipelines.pipelines.contact_export.services import ExportServices

Document = dict[str, Any]

GONE: Final = ("OBJECT_NOT_FOUND", "LINK_DEAD")
"""Codes of a file, or of a link to it, that is no more."""
_CHUNK_BYTES: Final = 1024 * 1024
_LINK_SECONDS: Final = 60.0
_HTTP_OK: Final = 200


def download(services: "ExportServices", document: Document, path: Path, *, via: Via) -> int:
    """Write the job's file to `path`, which appears only when it is complete; returns its size in bytes.

    Raises:
        Refused: `EXPORT_HAS_NO_FILE`; or `FILE_UNWRITABLE`.
        PermanentFailure: `EXPORT_FILE_GONE`, the file or its link is no more.
        TransientFailure: `EXPORT_FILE_INCOMPLETE`, or the store did not answer.
    """
    result = result_of(document)
    owner = services.jobs.key_owner(document)
    require_own([result], [owner])
    chunks = link_bytes(result["url"]) if via == "link" else services.object_store().iter_bytes(result["key"])
    try:
        return write_whole(chunks, path, size_bytes=result["size_bytes"])
    except PermanentFailure as exc:
        if exc.code not in GONE:
            raise
        answer = f" (HTTP {exc.details['http_status']})" if "http_status" in exc.details else ""
        raise PermanentFailure(
            "EXPORT_FILE_GONE",
            f"The file is no longer there{answer}: files are kept 48 hours. Ask for a new export.",
        ) from exc


def require_own(files: Iterable[Document], owners: Sequence["KeyOwner"]) -> None:
    """The files that an export leads to, each of which must have been made for it, and its link lead there.

    Raises:
        PermanentFailure: `OBJECT_KEY_FOREIGN`; documents are written by others, and may lead anywhere.
    """
    for file in files:
        key, url = file.get("key"), file.get("url")
        owned = any(owner.owns(key) for owner in owners)
        leads_there = url is None or urlsplit(str(url)).path.endswith("/" + quote(str(key), safe="/-_.~"))
        if not owned or not leads_there:
            raise PermanentFailure(
                "OBJECT_KEY_FOREIGN",
                "This export's document leads to a file that was not made for it, so nothing was fetched.",
            )


def write_whole(chunks: Iterable[bytes], path: Path, *, size_bytes: int, sha256: str | None = None) -> int:
    """Write a file that appears only when all of it has arrived, and is what was exported; returns its size in bytes.

    Raises:
        Refused: `FILE_UNWRITABLE`.
        TransientFailure: `EXPORT_FILE_INCOMPLETE`, or `EXPORT_FILE_DAMAGED`, its SHA-256 is another.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    size, digest = 0, hashlib.sha256()
    try:
        with partial.open("xb") as file:
            for chunk in chunks:
                size += file.write(chunk)
                digest.update(chunk)
        if size != size_bytes:
            raise TransientFailure(
                "EXPORT_FILE_INCOMPLETE", f"{size} of {size_bytes} bytes arrived. Nothing was kept; try again."
            )
        if sha256 is not None and digest.hexdigest() != sha256:
            raise TransientFailure(
                "EXPORT_FILE_DAMAGED", "What arrived is not what was exported (its SHA-256 differs). Nothing was kept."
            )
        partial.replace(path)
    except OSError as exc:
        raise Refused("FILE_UNWRITABLE", f"{path} cannot be written ({exc.strerror or type(exc).__name__}).") from exc
    finally:
        partial.unlink(missing_ok=True)
    return size


def result_of(document: Document) -> Document:
    """The job's `result`, which has a file.

    Raises:
        Refused: `EXPORT_HAS_NO_FILE`.
    """
    result = document.get("result")
    if not isinstance(result, dict) or not result.get("key") or not result.get("url"):
        purged = " It was purged." if document.get("purged_at") else ""
        raise Refused("EXPORT_HAS_NO_FILE", f"This export has no file; it is {document.get('status')}.{purged}")
    return result


def target_path(result: Document, output: Path | None, *, overwrite: bool) -> Path:
    """Where the file goes: `output`, or its own name in that folder or here.

    Raises:
        Refused: `FILE_EXISTS`.
    """
    path = output or Path()
    if path.is_dir():
        # The name comes from a document that others write, so only its last part counts.
        path = path / (Path(str(result.get("file_name") or "")).name or "export")
    if path.exists() and not overwrite:
        raise Refused("FILE_EXISTS", f"{path} exists. Name another with --output, or replace it with --force.")
    return path


def link_bytes(url: str) -> Iterator[bytes]:
    """What a link leads to, in pieces.

    Raises:
        PermanentFailure: `LINK_DEAD`, with the `http_status`.
        TransientFailure: `OBJECT_STORE_UNAVAILABLE`.
    """
    import httpx

    from cdp_pipelines.resources.http_client import keep_urls_out_of_logs

    keep_urls_out_of_logs()
    try:
        with httpx.stream("GET", url, timeout=_LINK_SECONDS, follow_redirects=False) as response:
            status = response.status_code
            if status != _HTTP_OK:
                raise PermanentFailure(
                    "LINK_DEAD", f"The link does not work any more (HTTP {status}).", details={"http_status": status}
                )
            yield from response.iter_bytes(_CHUNK_BYTES)
    except httpx.HTTPError as exc:
        raise TransientFailure(
            "OBJECT_STORE_UNAVAILABLE", f"The link's server did not answer ({type(exc).__name__}). Try again."
        ) from exc
