"""Bringing the files of an entity export to this machine: one file, or all parts and then the manifest.

Each file appears only when all of it has arrived and its SHA-256 is right. The manifest comes last, so where it is, the
parts are. A part that is here already, whole, is not fetched again.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cdp_pipelines.cli import output
from cdp_pipelines.cli.exit_codes import Refused
from cdp_pipelines.cli.export_download import GONE, link_bytes, require_own, target_path, write_whole
from cdp_pipelines.cli.export_kinds import Target
from cdp_pipelines.domain.errors import PermanentFailure

if TYPE_CHECKING:
    from cdp_pipelines.pipelines.entity_export.services import EntityServices

Document = dict[str, Any]

MANIFEST_ENDING: Final = ".manifest.json"


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that is here now, whole."""

    path: Path
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """All files of an export; `path` is the file, or the folder of parts and manifest."""

    path: Path
    files: tuple[FetchedFile, ...]


def download(services: "EntityServices", document: Document, target: Target) -> Fetched:
    """Fetch all files of an export.

    Raises:
        Refused: `EXPORT_HAS_NO_FILE`, `FILE_EXISTS`, `FILE_UNWRITABLE`.
        PermanentFailure: `EXPORT_FILE_GONE`, a file or its link is no more.
        TransientFailure: `EXPORT_FILE_INCOMPLETE`, `EXPORT_FILE_DAMAGED`, or the store did not answer.
    """
    result = result_with_file(document)
    require_own([result, *(result.get("parts") or [])], services.jobs.key_owners(document))
    if not result.get("parts"):
        path = target_path(result, target.output, overwrite=target.overwrite)
        return Fetched(path, (_fetch(services, result, path, target),))
    folder = parts_folder(result, target.output)
    files = [*result["parts"], result]
    # All are looked at before any is fetched, so that a refusal comes at once.
    paths = [_part_path(file, folder, target) for file in files]
    _make_folder(folder)
    fetched = []
    for number, (file, path) in enumerate(zip(files, paths, strict=True), start=1):
        output.note(f"{number} of {len(files)}: {path.name} ({output.size_text(file.get('size_bytes'))})")
        fetched.append(_fetch(services, file, path, target))
    return Fetched(folder, tuple(fetched))


def result_with_file(document: Document) -> Document:
    """The export's `result`, whose files are kept.

    Raises:
        Refused: `EXPORT_HAS_NO_FILE`.
    """
    result = document.get("result")
    if isinstance(result, dict) and result.get("key") and result.get("url"):
        return result
    status = document.get("status")
    if document.get("purged_at"):
        why = "it was purged"
    elif isinstance(result, dict) and result.get("key"):
        why = "it was removed after its time (CDP_EXPORT_FILE_TTL). Ask for a new export"
    else:
        why = f"it is {status}"
    raise Refused("EXPORT_HAS_NO_FILE", f"This export has no file; {why}.")


def parts_folder(result: Document, chosen: Path | None) -> Path:
    """The folder for parts: the chosen one, else one here that is called as the manifest is.

    Raises:
        Refused: `FILE_EXISTS`, there is a file of that name.
    """
    name = Path(str(result.get("file_name") or "")).name.removesuffix(MANIFEST_ENDING)
    folder = chosen if chosen is not None else Path(name or "export")
    if folder.exists() and not folder.is_dir():
        raise Refused("FILE_EXISTS", f"{folder} is a file. This export has parts; name a folder for them.")
    return folder


def _part_path(file: Document, folder: Path, target: Target) -> Path:
    name = Path(str(file.get("file_name") or "")).name
    if not name:
        raise Refused("EXPORT_HAS_NO_FILE", "A part of this export has no name.")
    path = folder / name
    if path.exists() and not target.overwrite and not _is_here(file, path):
        raise Refused("FILE_EXISTS", f"{path} exists and is another. Name another folder, or replace it with --force.")
    return path


def _is_here(file: Document, path: Path) -> bool:
    if not path.is_file() or path.stat().st_size != file["size_bytes"]:
        return False
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == str(file["sha256"])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Refused("FILE_UNWRITABLE", f"{folder} cannot be made ({exc.strerror or type(exc).__name__}).") from exc


def _fetch(services: "EntityServices", file: Document, path: Path, target: Target) -> FetchedFile:
    size, sha256 = file["size_bytes"], file["sha256"]
    if path.exists() and not target.overwrite:
        return FetchedFile(path, size, sha256)
    try:
        write_whole(_chunks(services, file, target), path, size_bytes=size, sha256=sha256)
    except PermanentFailure as exc:
        if exc.code not in GONE:
            raise
        raise _gone(exc) from exc
    return FetchedFile(path, size, sha256)


def _chunks(services: "EntityServices", file: Document, target: Target) -> Iterator[bytes]:
    return link_bytes(file["url"]) if target.via == "link" else services.object_store().iter_bytes(file["key"])


def _gone(failure: PermanentFailure) -> PermanentFailure:
    if failure.code == "LINK_DEAD":
        message = f"{failure.message} Without --link, the file comes from the store as long as it is kept."
    else:
        message = "The file is no longer there: files are kept for a time (CDP_EXPORT_FILE_TTL). Ask for a new export."
    return PermanentFailure("EXPORT_FILE_GONE", message)
