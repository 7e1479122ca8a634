"""Names and states of an entity export: statuses, object keys, file names, content types (SPEC 4).

Belongs here: pure naming. Not here: uploading (`resources/`), recording (`stores/`).
"""

from datetime import datetime
from typing import Final, Literal, TypeAlias

from cdp_pipelines.domain.entity_export.entities import Entity
from cdp_pipelines.domain.object_keys import company_segment

FileFormat: TypeAlias = Literal["CSV", "JSON", "NDJSON", "XLSX"]
FORMATS: Final[tuple[FileFormat, ...]] = ("CSV", "JSON", "NDJSON", "XLSX")
COMPRESSIONS: Final = ("gzip",)

SCHEDULED: Final = "SCHEDULED"
IN_PROGRESS: Final = "IN_PROGRESS"
DONE: Final = "DONE"
ERROR: Final = "ERROR"
CANCELED: Final = "CANCELED"
OPEN_STATUSES: Final = (SCHEDULED, IN_PROGRESS)
TERMINAL_STATUSES: Final = (DONE, ERROR, CANCELED)

CONTENT_TYPES: Final[dict[FileFormat, str]] = {
    "CSV": "text/csv; charset=utf-8",
    "JSON": "application/json",
    "NDJSON": "application/x-ndjson",
    "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
GZIP_CONTENT_TYPE: Final = "application/gzip"
MANIFEST_CONTENT_TYPE: Final = "application/json"


def extension(file_format: FileFormat, *, gzip: bool) -> str:
    """`csv`, `json`, `ndjson`, `xlsx`, or one of the first three with `.gz`."""
    return file_format.lower() + (".gz" if gzip else "")


def content_type(file_format: FileFormat, *, gzip: bool) -> str:
    """What the object store says the file is."""
    return GZIP_CONTENT_TYPE if gzip else CONTENT_TYPES[file_format]


def company_prefix(company_sso_id: str) -> str:
    """What the keys of all of a company's exports begin with, and those of no other company's.

    Characters that keys bear badly are percent-encoded, so different companies stay different.
    """
    return f"{company_segment(company_sso_id)}/exports/"


def key_stem(company_sso_id: str, entity: Entity, *, now: datetime, unique: str) -> str:
    """`{company_sso_id}/exports/{year}/{month}/{plural}-{uuid}`, without what follows the name.

    The uuid begins with the mark of the request; see `domain.object_keys`.
    """
    return f"{company_prefix(company_sso_id)}{now:%Y}/{now:%m}/{entity.plural}-{unique}"


def file_key(stem: str, ending: str) -> str:
    """The key of a file that holds the whole export."""
    return f"{stem}.{ending}"


def part_key(stem: str, number: int, ending: str) -> str:
    """The key of part `number` of an export that is split. The first has the name of a file that holds all of it.

    Whether a second will come is not known when the first begins.
    """
    return file_key(stem, ending) if number == 1 else f"{stem}-{number:05d}.{ending}"


def manifest_key(stem: str) -> str:
    """The key of the list of the parts."""
    return f"{stem}.manifest.json"


def file_name(key: str) -> str:
    """The name a person sees when saving: the last part of the key."""
    return key.rsplit("/", 1)[-1]
